"""Is a file of the store whole, ours and private, or not there?"""

from __future__ import annotations

import multiprocessing
import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from pyfuse.backend import artifact_store
from pyfuse.backend.artifact_store import ArtifactStore, default_folder, folder_problem, open_store, temporary_store
from pyfuse.config import Config

KEY, CONTENT = "0123abcd.so", bytes(range(256)) * 50

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


def test_what_is_put_is_got(store: ArtifactStore) -> None:
    assert store.get(KEY) is None
    path = store.put(KEY, CONTENT)
    assert path == store.path(KEY)
    assert path.read_bytes().startswith(CONTENT)
    assert store.get(KEY) == CONTENT
    assert os.listdir(store.folder) == [KEY]


def test_putting_again_replaces(store: ArtifactStore) -> None:
    store.put(KEY, CONTENT)
    store.put(KEY, b"other")
    assert store.get(KEY) == b"other"
    store.discard(KEY)
    store.discard(KEY)
    assert store.get(KEY) is None


@pytest.mark.parametrize("place", [0, 100, len(CONTENT) - 1, len(CONTENT), len(CONTENT) + 31, -1])
def test_a_flipped_bit_is_found_and_the_file_removed(store: ArtifactStore, place: int) -> None:
    path = store.put(KEY, CONTENT)
    assert path is not None
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 1
    path.write_bytes(damaged)
    assert store.get(KEY) is None
    assert not path.exists()


@pytest.mark.parametrize("length", [0, 1, 40, len(CONTENT), len(CONTENT) + 20])
def test_a_truncated_file_is_found(store: ArtifactStore, length: int) -> None:
    path = store.put(KEY, CONTENT)
    assert path is not None
    os.truncate(path, length)
    assert store.get(KEY) is None
    assert not path.exists()


@needs_posix
def test_files_are_private(store: ArtifactStore) -> None:
    path = store.put(KEY, CONTENT)
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


@needs_posix
@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_file_that_others_may_write_is_not_trusted(store: ArtifactStore, mode: int) -> None:
    path = store.put(KEY, CONTENT)
    assert path is not None
    path.chmod(mode)
    assert store.get(KEY) is None


@needs_posix
def test_a_link_in_place_of_a_file_is_not_followed_but_replaced(
    store: ArtifactStore, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = ArtifactStore(tmp_path_factory.mktemp("elsewhere"))
    planted = elsewhere.put(KEY, CONTENT)
    assert planted is not None
    store.path(KEY).symlink_to(planted)
    assert store.get(KEY) is None
    store.put(KEY, b"ours")
    assert store.get(KEY) == b"ours"
    assert elsewhere.get(KEY) == CONTENT


def test_a_folder_in_place_of_a_file_is_no_file(store: ArtifactStore) -> None:
    store.path(KEY).mkdir()
    assert store.get(KEY) is None
    assert store.put(KEY, CONTENT) is None
    assert os.listdir(store.folder) == [KEY]


def test_a_disk_that_refuses_means_not_stored(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        assert store.put(KEY, CONTENT) is None
    assert os.listdir(store.folder) == []
    assert ArtifactStore(store.folder / "gone").put(KEY, CONTENT) is None


def test_an_interruption_leaves_nothing(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.put(KEY, CONTENT)
    assert os.listdir(store.folder) == []


def test_readers_and_writers_at_once_see_whole_files_only(store: ArtifactStore) -> None:
    contents = [bytes([number]) * 20_000 for number in range(4)]
    wrong: list[bytes | None] = []
    store.put(KEY, contents[0])

    def write(number: int) -> None:
        for _ in range(40):
            store.put(KEY, contents[number])

    def read() -> None:
        for _ in range(150):
            found = store.get(KEY)
            if found not in contents:
                wrong.append(found)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    threads += [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert os.listdir(store.folder) == [KEY]


@needs_posix
def test_a_new_folder_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "with space" / "und Ümläüte"
    assert open_store(Config(cache_dir=folder)).folder == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder_problem(folder) is None


@needs_posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)
    assert "other users may write" in str(folder_problem(folder))
    store = open_store(Config(cache_dir=folder))
    assert store.folder != folder
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == mode, "it is not ours to change"


@needs_posix
@pytest.mark.skipif(os.name == "posix" and os.getuid() != 0, reason="only root can give files away")
def test_a_folder_of_another_user_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    assert folder_problem(folder) == "it belongs to another user"
    assert open_store(Config(cache_dir=folder)).folder != folder


@needs_posix
@pytest.mark.skipif(os.name == "posix" and os.getuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_not_trusted(store: ArtifactStore) -> None:
    path = store.put(KEY, CONTENT)
    assert path is not None
    os.chown(path, 12345, 12345)
    assert store.get(KEY) is None


@needs_posix
def test_a_link_to_a_folder_is_judged_by_the_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert folder_problem(tmp_path / "link") is None
    (tmp_path / "real").chmod(0o777)
    assert folder_problem(tmp_path / "link") is not None
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing" / "here")
    assert folder_problem(tmp_path / "dangling") is not None


def test_a_file_in_place_of_the_folder_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    assert "cannot be made" in str(folder_problem(tmp_path / "file"))
    assert open_store(Config(cache_dir=tmp_path / "file")).folder.is_dir()


def test_a_folder_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    import shutil

    config = Config(cache_dir=tmp_path / "kernels")
    open_store(config).put(KEY, CONTENT)
    shutil.rmtree(tmp_path / "kernels")
    store = open_store(config)
    assert store.put(KEY, CONTENT) == tmp_path / "kernels" / KEY


def _temporary_folder(answer: multiprocessing.SimpleQueue[str]) -> None:
    answer.put(str(temporary_store().folder))


def test_a_temporary_store_is_this_processs_own() -> None:
    mine = temporary_store()
    assert temporary_store() is mine
    if "fork" in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context("fork")
        answer: multiprocessing.SimpleQueue[str] = context.SimpleQueue()
        child = context.Process(target=_temporary_folder, args=(answer,))
        child.start()
        theirs = answer.get()
        child.join()
        assert theirs != str(mine.folder)
    assert mine.folder.is_dir()


@pytest.mark.skipif(sys.platform != "linux", reason="the rule of Linux")
def test_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_folder() == tmp_path / ".cache" / "pyfuse"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert default_folder() == tmp_path / ".cache" / "pyfuse"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert default_folder() == tmp_path / "caches" / "pyfuse"


@pytest.mark.skipif(sys.platform != "linux", reason="the rule of Linux")
def test_a_user_without_a_home_gets_a_folder_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(artifact_store.Path, "home", homeless)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_folder().name == f"pyfuse-{os.getuid()}"

"""Is a compiler that works found, in order, and does one that misbehaves do no harm?"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import pyfuse
from pyfuse.backend.artifact_store import ArtifactStore
from pyfuse.backend.cpu import toolchain as toolchains
from pyfuse.backend.cpu.toolchain import (
    BASE_FLAGS,
    OPTIONAL_FLAGS,
    WITHOUT_C_LIBRARY,
    Toolchain,
    assembly,
    candidates,
    compile_library,
    find_toolchain,
    probe,
)
from pyfuse.config import Config
from pyfuse.diagnostics import Code
from pyfuse.errors import CannotFuse
from tests.fresh_process import script

pytestmark = [
    pytest.mark.usefixtures("c_compiler"),
    pytest.mark.skipif(sys.platform == "win32", reason="compiler scripts for a POSIX shell"),
]

TEXT = "int answer(void) { return 42; }\n"
ZIG = (sys.executable, "-m", "ziglang", "cc")


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH; no CC, and no ziglang."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(toolchains, "_has_ziglang", lambda: False)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    folder = tmp_path / "kernels"
    folder.mkdir(mode=0o700)
    return ArtifactStore(folder)


def working(path: Path) -> Path:
    return script(path, f'PATH={os.defpath}:/usr/local/bin exec {shutil.which("cc", path=SYSTEM_PATH)} "$@"')


SYSTEM_PATH = os.environ.get("PATH", os.defpath)


def test_the_order_of_candidates(only: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchains, "_has_ziglang", lambda: True)
    for name in ("mine", "from-env", "cc", "gcc", "clang"):
        script(only / name, "true")
    monkeypatch.setenv("CC", "from-env -m64")
    found = list(candidates(Config(cc="mine")))
    assert found == [("mine",), ("from-env", "-m64"), ("cc",), ("gcc",), ("clang",), ZIG]
    (only / "gcc").unlink()
    monkeypatch.setenv("CC", "cc")
    assert list(candidates(Config())) == [("cc",), ("clang",), ZIG]


def test_ziglang_is_not_looked_for_when_another_works(
    only: Path, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_for() -> bool:
        raise AssertionError("looked for")

    monkeypatch.setattr(toolchains, "_has_ziglang", looked_for)
    working(only / "gcc")
    assert find_toolchain(Config(), store).command == ("gcc",)


@pytest.mark.parametrize(
    ("text", "words"),
    [("{folder}/my cc", ("{folder}/my cc",)), ("'{folder}/my cc' -m64", ("{folder}/my cc", "-m64"))],
)
def test_a_command_may_hold_spaces(text: str, words: tuple[str, ...], only: Path) -> None:
    script(only / "my cc", "true")
    found = list(candidates(Config(cc=text.format(folder=only))))
    assert found == [tuple(word.format(folder=only) for word in words)]


@pytest.mark.usefixtures("only")
@pytest.mark.parametrize("text", ["no-such-compiler", "unbalanced 'quote", "/", "  "])
def test_a_command_that_is_none_is_no_candidate(text: str) -> None:
    assert list(candidates(Config(cc=text))) == []


def test_a_probe_says_which_flags_work() -> None:
    found = probe(("cc",))
    assert found.flags[: len(BASE_FLAGS)] == BASE_FLAGS
    assert set(found.flags[len(BASE_FLAGS) :]) <= set(OPTIONAL_FLAGS)
    assert "\n" not in found.version
    assert found.version


def test_an_optional_flag_that_does_not_work_is_left_out(tmp_path: Path) -> None:
    picky = script(tmp_path / "picky", 'case "$*" in *-march=native*) exit 1;; esac; exec cc "$@"')
    working = tuple(flag for flag in OPTIONAL_FLAGS if flag != "-march=native")
    assert probe((str(picky),)).flags == (*BASE_FLAGS, *working)


BAD_COMPILERS = {
    "fails": 'echo "cannot do that" >&2; exit 3',
    "prints garbage": "head -c 100000 /dev/urandom; exit 1",
    "crashes": "kill -SEGV $$",
    "says yes and writes nothing": "exit 0",
    "writes no library": 'for word; do [ "$before" = -o ] && echo garbage > "$word"; before="$word"; done; exit 0',
    "is not executable in truth": None,
    "builds what crashes": 'for word; do case "$word" in *.c) echo "#include <stdlib.h>\n__attribute__((constructor)) '
    'static void die(void) { abort(); }" >> "$word";; esac; done; exec cc "$@"',
    "builds what is wrong": 'for word; do case "$word" in *.c) sed -i s/41/40/ "$word";; esac; done; exec cc "$@"',
}


@pytest.mark.parametrize("name", BAD_COMPILERS)
def test_a_bad_compiler_is_passed_over(name: str, store: ArtifactStore, tmp_path: Path) -> None:
    body = BAD_COMPILERS[name]
    bad = script(tmp_path / "bad-cc", body or "")
    if body is None:
        bad.write_bytes(b"\x00\x01\x02")
    assert find_toolchain(Config(cc=str(bad)), store).command != (str(bad),)


@pytest.mark.parametrize("name", ["fails", "crashes", "says yes and writes nothing", "is not executable in truth"])
def test_without_any_other_the_reason_says_what_it_did(name: str, only: Path, store: ArtifactStore) -> None:
    body = BAD_COMPILERS[name]
    bad = script(only / "bad-cc", body or "")
    if body is None:
        bad.write_bytes(b"\x00\x01\x02")
    with pytest.raises(CannotFuse) as refused:
        find_toolchain(Config(cc="bad-cc"), store)
    diagnostic = refused.value.diagnostic
    assert diagnostic.code is Code.NO_COMPILER
    (note,) = diagnostic.notes
    expected = {
        "fails": "cannot do that", "crashes": "exit status -11", "says yes and writes nothing": "wrote nothing",
        "is not executable in truth": "Exec format error",
    }  # fmt: skip
    assert note.startswith("bad-cc: ")
    assert expected[name] in note
    assert "ziglang" in diagnostic.hints[1] or "pip install" in diagnostic.hints[1]


def test_a_compiler_that_hangs_is_ended_with_all_that_it_started(
    only: Path, store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchains, "PROBE_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(toolchains, "BUILD_TIMEOUT_SECONDS", 0.5)
    noted = tmp_path / "process"
    script(only / "hangs", f'/bin/sleep 50 & echo $! > "{noted}"; wait')
    started = time.monotonic()
    with pytest.raises(CannotFuse) as refused:
        find_toolchain(Config(cc="hangs"), store)
    assert time.monotonic() - started < 10
    assert "hangs: no answer within 0.5 seconds" in refused.value.diagnostic.notes
    process = Path("/proc") / noted.read_text().strip() / "stat"
    assert not process.exists() or process.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_failed_search_is_not_made_again_in_this_process(
    only: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "runs"
    script(only / "bad-cc", f'echo run >> "{log}"; exit 1')
    monkeypatch.setenv("PYFUSE_CC", "bad-cc")
    monkeypatch.setenv("PYFUSE_CACHE_DIR", str(tmp_path / "kernels"))
    fused = pyfuse.fuse(lambda a, b: (a + b).sum())
    a = np.arange(4.0)
    fused(a, a)
    runs = log.read_text()
    for other in (1, 2.0, 3j):
        assert fused(a, other) == (a + other).sum()
    assert log.read_text() == runs
    assert fused.fallback_reasons() == {"no-compiler": 4}


def test_what_was_found_is_remembered_until_the_compiler_changes(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = script(tmp_path / "good-cc", 'exec cc "$@"')
    config = Config(cc=str(good))
    found = find_toolchain(config, store)
    with monkeypatch.context() as patched:
        patched.setattr(toolchains, "probe", lambda command: pytest.fail(f"{command} was probed again"))
        assert find_toolchain(config, store) == found
    script(good, 'exec cc "$@" # changed')
    probed: list[tuple[str, ...]] = []
    monkeypatch.setattr(toolchains, "probe", lambda command: probed.append(command) or found)
    find_toolchain(config, store)
    assert probed == [(str(good),)]


def test_a_library_is_built_from_text() -> None:
    content = compile_library(probe(("cc",)), TEXT)
    assert content[:4] in (b"\x7fELF", b"\xcf\xfa\xed\xfe")


@pytest.mark.skipif(sys.platform != "linux", reason="the format of libraries")
def test_a_text_without_headers_is_linked_without_the_c_library() -> None:
    toolchain = probe(("cc",))
    assert WITHOUT_C_LIBRARY in toolchain.flags
    text = 'extern void *take(unsigned long) __asm__("malloc");\nvoid *f(void) { return take(8); }\n'
    assert b"GLIBC" not in compile_library(toolchain, text)
    libc = compile_library(toolchain, f"#include <stdlib.h>\n{text}")
    assert b"GLIBC" in libc or b"musl" in libc


def test_what_the_compiler_says_is_in_the_reason() -> None:
    with pytest.raises(CannotFuse) as refused:
        compile_library(probe(("cc",)), "int broken(void) { return undeclared; }\n")
    diagnostic = refused.value.diagnostic
    assert diagnostic.code is Code.COMPILER_FAILED
    assert diagnostic.notes[0] == "command: cc"
    assert any("undeclared" in note for note in diagnostic.notes)
    assert len(diagnostic.notes) <= 13


def test_the_assembly_of_a_text() -> None:
    assert "answer" in assembly(probe(("cc",)), TEXT)


def test_everything_that_decides_a_librarys_bytes_is_in_the_identity() -> None:
    facts = {"command": ("cc",), "version": "1", "flags": ("-O3",), "cpu": "this"}
    base = Toolchain(**facts)
    for name, value in (("command", ("gcc",)), ("version", "2"), ("flags", ("-O2",)), ("cpu", "that")):
        assert Toolchain(**{**facts, name: value}).identity != base.identity
    assert Toolchain(**facts).identity == base.identity


@pytest.mark.parametrize("name", ["gcc", "clang"])
def test_a_function_built_by_each_compiler_at_hand(name: str, tmp_path: Path) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here")
    assert_builds(name, tmp_path)


@pytest.mark.usefixtures("only")
@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="the package ziglang is not installed")
def test_a_function_built_by_ziglang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchains, "_has_ziglang", lambda: True)
    assert list(candidates(Config())) == [ZIG]
    assert_builds(None, tmp_path)


def assert_builds(command: str | None, tmp_path: Path) -> None:
    a = np.linspace(0.5, 2.0, 101)

    def original(x: np.ndarray, y: float) -> np.ndarray:
        return np.sqrt(x) * y - x / (x + 1.5)  # type: ignore[no-any-return]

    fused = pyfuse.fuse(original, strict=True)
    with pyfuse.config.set(cc=command, cache_dir=tmp_path / "kernels"):
        assert fused(a, 2.5).tobytes() == original(a, 2.5).tobytes()
    assert fused.cache_info().fused_calls == 1

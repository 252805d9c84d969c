"""Built kernels on disk: one file for each content key, published whole, checked when read."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import stat
import sys
import threading
from pathlib import Path

from pyfuse.config import Config
from pyfuse.diagnostics import Code, refuse

_MAGIC = b"pyfuse-artifact-1"
_DIGEST_BYTES = 32
_TRAILER_BYTES = _DIGEST_BYTES + len(_MAGIC)


class ArtifactStore:
    """A private folder of files named by key; each ends in a digest of its content.

    Loaders ignore what follows a library's own end, so the digest needs no second file and a file is either whole or
    not there. Many processes may use one folder: a file is written under another name and renamed; the last one wins,
    and all are equal. Every failure of the disk means "not stored", never an error.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where the file of ``key`` is, or would be."""
        return self.folder / key

    def get(self, key: str) -> bytes | None:
        """The content of ``key``, or None if it is absent, damaged or not ours; a damaged file is removed."""
        try:
            content = _read_own(self.path(key))
        except OSError:
            return None
        body, trailer = content[:-_TRAILER_BYTES], content[-_TRAILER_BYTES:]
        if trailer != hashlib.sha256(body).digest() + _MAGIC:
            self.discard(key)
            return None
        return body

    def put(self, key: str, content: bytes) -> Path | None:
        """Publish ``content`` under ``key``; None when the disk refuses (full, read-only, gone)."""
        import tempfile

        temporary: str | None = None
        try:
            handle, temporary = tempfile.mkstemp(prefix=f".{key[:40]}.", dir=self.folder)
            with os.fdopen(handle, "wb") as file:
                file.write(content + hashlib.sha256(content).digest() + _MAGIC)
            os.chmod(temporary, 0o700)
            os.replace(temporary, self.path(key))
        except OSError:
            if temporary is not None:
                _remove(temporary)
            return None
        except BaseException:
            if temporary is not None:
                _remove(temporary)
            raise
        return self.path(key)

    def discard(self, key: str) -> None:
        """Remove ``key``; it is no error if it is absent."""
        _remove(self.path(key))


def open_store(config: Config) -> ArtifactStore:
    """The store that the settings ask for, or a temporary one of this process where that folder cannot be trusted.

    A new folder is readable by its owner only. One that belongs to somebody else or that others may write to is not
    used, because kernels are code.

    Raises:
        CannotFuse: there is no place for a temporary one either.
    """
    folder = config.cache_dir if config.cache_dir is not None else default_folder()
    known = _opened.get(folder)
    if known is not None and known.folder.is_dir():
        return known
    store = temporary_store() if folder_problem(folder) else ArtifactStore(folder)
    _opened[folder] = store
    return store


def temporary_store() -> ArtifactStore:
    """A store of this process, removed when it ends.

    Raises:
        CannotFuse: there is no place for it.
    """
    import tempfile

    owner = os.getpid()
    with _temporary_lock:
        known = _temporary.get(owner)
        if known is not None and known.folder.is_dir():
            return known
        try:
            folder = Path(tempfile.mkdtemp(prefix="pyfuse-cache-"))
        except OSError as error:
            raise refuse(
                Code.LOAD_FAILED,
                "there is no folder to put built kernels in",
                notes=(str(error),),
                hints=("set PYFUSE_CACHE_DIR to a folder of your own",),
            ) from error
        atexit.register(_remove_folder, folder, owner)
        _temporary[owner] = ArtifactStore(folder)
        return _temporary[owner]


def default_folder() -> Path:
    """The user's cache folder by the platform's rule (XDG base directory specification; macOS; Windows)."""
    try:
        home = Path.home()
    except RuntimeError:  # neither HOME nor an entry for this user
        import tempfile

        return Path(tempfile.gettempdir()) / f"pyfuse-{os.getuid()}"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "pyfuse"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home) / "pyfuse" / "Cache"
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else home / ".cache") / "pyfuse"


def folder_problem(folder: Path) -> str | None:
    """Why kernels in a folder could not be trusted or kept, or None; the folder is made if it is absent."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = folder.stat()
    except OSError as error:
        return f"it cannot be made: {error}"
    if sys.platform == "win32":
        return None
    if state.st_uid != os.getuid():
        return "it belongs to another user"
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"other users may write to it (chmod 700 {folder} makes it private)"
    return None


_opened: dict[Path, ArtifactStore] = {}
_temporary: dict[int, ArtifactStore] = {}  # by process: a forked child must not use what its parent removes
_temporary_lock = threading.Lock()


def _read_own(path: Path) -> bytes:
    """The content of a regular file of this user, that nobody else may write to.

    Raises:
        OSError: it is absent, or not such a file.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise OSError("no regular file")
        if sys.platform != "win32" and (state.st_uid != os.getuid() or state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
            raise OSError("others may have written it")
        return file.read()


def _remove(path: str | Path) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _remove_folder(folder: Path, owner: int) -> None:
    import shutil

    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)

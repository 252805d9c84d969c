"""Built kernels on disk: one file for each content key, published whole, checked when read."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path

from pyfuse.config import Config

_MAGIC = b"pyfuse-artifact-1"
_DIGEST_BYTES = 32
_TRAILER_BYTES = _DIGEST_BYTES + len(_MAGIC)


class ArtifactStore:
    """A private folder of files named by key; each ends in a digest of its content.

    Loaders ignore what follows a library's own end, so the digest needs no second file and a file is either whole or
    not there. Many processes may use one folder: a file is written under another name and renamed; the last one wins and
    all are equal. Every failure of the disk means "not stored", never an error.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where the file of ``key`` is, or would be."""
        return self.folder / key

    def get(self, key: str) -> bytes | None:
        """The content of ``key``, or None if it is absent or damaged; a damaged file is removed."""
        try:
            content = self.path(key).read_bytes()
        except OSError:
            return None
        body, trailer = content[:-_TRAILER_BYTES], content[-_TRAILER_BYTES:]
        if trailer != hashlib.sha256(body).digest() + _MAGIC:
            self.discard(key)
            return None
        return body

    def put(self, key: str, content: bytes) -> Path | None:
        """Publish ``content`` under ``key``; None when the disk refuses (full, read-only, gone)."""
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
        return self.path(key)

    def discard(self, key: str) -> None:
        """Remove ``key``; it is no error if it is absent."""
        _remove(self.path(key))


def open_store(config: Config) -> ArtifactStore:
    """The store that the settings ask for, or a temporary one of this process where that folder cannot be private.

    The folder is made readable by its owner only; one that belongs to somebody else or that others may write to is not
    used, because kernels are code.
    """
    folder = config.cache_dir if config.cache_dir is not None else default_folder()
    known = _opened.get(folder)
    if known is not None and known.folder.is_dir():
        return known
    store = ArtifactStore(folder if _make_private(folder) else Path(tempfile.mkdtemp(prefix="pyfuse-cache-")))
    _opened[folder] = store
    return store


_opened: dict[Path, ArtifactStore] = {}


def default_folder() -> Path:
    """The user's cache folder by the platform's rule (XDG base directory specification; macOS; Windows)."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "pyfuse"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "pyfuse" / "Cache"
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    except RuntimeError:  # no home folder
        root = Path(tempfile.gettempdir()) / f"pyfuse-{os.getuid()}"
    return root / "pyfuse"


def _make_private(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = folder.stat()
        if sys.platform != "win32":
            if state.st_uid != os.getuid():
                return False
            if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                folder.chmod(0o700)
        return os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        return False


def _remove(path: str | Path) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass

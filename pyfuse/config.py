"""The settings in force: a frozen record, read from the environment, overridden for a while by ``set``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, replace
from pathlib import Path

from pyfuse.records import dataclass

DEBUG_TOPICS = ("graph", "types", "passes", "plan", "source", "asm", "cache", "fallback", "driver")
FALLBACK_MODES = ("quiet", "warn", "raise")
_TRUE = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every setting; the environment variable of each is ``PYFUSE_`` and its name in capitals.

    Attributes:
        debug: topics printed to stderr while compiling (``PYFUSE_DEBUG``, a comma list of ``DEBUG_TOPICS`` or ``all``).
        dump_dir: folder that gets every stage's text as files (``PYFUSE_DUMP_DIR``), or None.
        disable: run every fused function as ordinary Python (``PYFUSE_DISABLE``, read at each call).
        fallback: what a fallback does beside running the original: ``quiet``, ``warn`` or ``raise`` (``PYFUSE_FALLBACK``).
        cache_dir: folder of built kernels (``PYFUSE_CACHE_DIR``); None: the user's cache folder.
        num_threads: most threads a kernel may use, the caller's included (``PYFUSE_NUM_THREADS``).
        verify: run the original too and raise if the results differ (``PYFUSE_VERIFY``).
        cc: the C compiler command (``PYFUSE_CC``), or None to search for one.
        max_kernels: most specialisations that one fused function keeps in memory (``PYFUSE_MAX_KERNELS``).
    """

    debug: frozenset[str] = frozenset()
    dump_dir: Path | None = None
    disable: bool = False
    fallback: str = "quiet"
    cache_dir: Path | None = None
    num_threads: int = 1
    verify: bool = False
    cc: str | None = None
    max_kernels: int = 256


def current() -> Config:
    """The settings in force here: those of the innermost ``set``, else the environment's."""
    override = _override.get()
    return override if override is not None else _from_environment_cached()


@contextmanager
def set(**settings: object) -> Iterator[Config]:
    """Override settings inside a ``with`` block, in this thread or task only.

    Raises:
        TypeError: a name that is no setting.
        ValueError: a value that the setting cannot take.

    Example:
        >>> with pyfuse.config.set(num_threads=1):
        ...     prices = black_scholes(spot, strike, years, rate, vol)
    """
    known = {field.name for field in fields(Config)}
    if unknown := sorted(settings.keys() - known):
        raise TypeError(f"unknown setting {unknown[0]!r}; the settings are {', '.join(sorted(known))}")
    token = _override.set(_checked(replace(current(), **settings)))  # type: ignore[arg-type]
    try:
        yield current()
    finally:
        _override.reset(token)


def from_environment(environment: dict[str, str] | os._Environ[str]) -> Config:
    """The settings that the ``PYFUSE_*`` variables of an environment ask for; a bad value is reported and left out."""
    config = Config(num_threads=_available_cpus())
    for name, read in _READERS.items():
        text = environment.get(f"PYFUSE_{name.upper()}", "").strip()
        if not text:
            continue
        try:
            config = _checked(replace(config, **{name: read(text)}))  # type: ignore[arg-type]
        except ValueError as error:
            print(f"pyfuse: PYFUSE_{name.upper()}={text!r} is ignored: {error}", file=sys.stderr)
    return config


def _read_topics(text: str) -> frozenset[str]:
    topics = frozenset(word.strip() for word in text.split(",") if word.strip())
    return frozenset(DEBUG_TOPICS) if "all" in topics else topics


def _read_flag(text: str) -> bool:
    return text.lower() in _TRUE


_READERS = {
    "debug": _read_topics,
    "dump_dir": Path,
    "disable": _read_flag,
    "fallback": str.lower,
    "cache_dir": Path,
    "num_threads": int,
    "verify": _read_flag,
    "cc": str,
    "max_kernels": int,
}


def _checked(config: Config) -> Config:
    if isinstance(config.debug, str):
        config = replace(config, debug=_read_topics(config.debug))
    if unknown := sorted(frozenset(config.debug) - frozenset(DEBUG_TOPICS)):
        raise ValueError(f"unknown debug topic {unknown[0]!r}; the topics are {', '.join(DEBUG_TOPICS)}")
    if config.fallback not in FALLBACK_MODES:
        raise ValueError(f"fallback is one of {', '.join(FALLBACK_MODES)}")
    if not isinstance(config.num_threads, int) or config.num_threads < 1:
        raise ValueError("num_threads is a whole number of at least 1")
    if not isinstance(config.max_kernels, int) or config.max_kernels < 1:
        raise ValueError("max_kernels is a whole number of at least 1")
    for name in ("dump_dir", "cache_dir"):
        if isinstance(getattr(config, name), str):
            config = replace(config, **{name: Path(getattr(config, name))})  # type: ignore[arg-type]
    return config


def _available_cpus() -> int:
    """CPUs this process may run on: its affinity mask where the system has one, and no more than a cgroup quota."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cpus
    return cpus if quota == "max" else max(1, min(cpus, int(quota) // int(period)))


_VARIABLES = tuple(f"PYFUSE_{name.upper()}" for name in _READERS)
_override: ContextVar[Config | None] = ContextVar("pyfuse_config", default=None)
_cached: tuple[tuple[object, ...], Config] | None = None

# PYFUSE_DISABLE and its kin are read at every call. os.environ.get encodes and decodes (9 variables: 10 us); the
# dictionary behind it, where CPython has one, answers in 0.4 us.
_environment: dict[object, object] = getattr(os.environ, "_data", os.environ)
_keys = tuple(os.environ.encodekey(name) if hasattr(os.environ, "_data") else name for name in _VARIABLES)


def _from_environment_cached() -> Config:
    """``from_environment(os.environ)``, read again only when a ``PYFUSE_*`` variable has changed."""
    global _cached
    state = tuple(map(_environment.get, _keys))
    if _cached is None or _cached[0] != state:
        _cached = (state, from_environment(os.environ))
    return _cached[1]

"""The settings in force: a frozen record, read from the environment, overridden for a while by ``set``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

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
        fallback: what a fallback does beside calling the original: ``quiet``, ``warn``, ``raise``.
        cache_dir: folder of built kernels (``PYFUSE_CACHE_DIR``); None: the user's cache folder.
        num_threads: most threads a kernel may use, the caller's included (``PYFUSE_NUM_THREADS``).
        verify: run the original too and raise if the results differ (``PYFUSE_VERIFY``); not where calls store into
            arrays of the caller, or compute on a device.
        cc: the C compiler command (``PYFUSE_CC``), or None to search for one.
        max_kernels: most specialisations that one fused function keeps in memory (``PYFUSE_MAX_KERNELS``).
        trials: time kernels for small arrays against the original once, and run what is faster (``PYFUSE_TRIALS``).
        wait: have the first call wait for its kernel (``PYFUSE_WAIT``); else the original answers meanwhile.
        pool_limit: most bytes of dead outputs kept for the next ones (``PYFUSE_POOL_LIMIT``); 0: none.
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
    trials: bool = True
    wait: bool = False
    pool_limit: int = 0


def current() -> Config:
    """The settings in force here: those of the innermost ``set``, else the environment's."""
    override = _override.get()
    return override if override is not None else _from_environment_cached()


def current_at_call() -> Config:
    """As ``current``, but notices only changes of the variables that decide about a call whose kernel is known.

    ``PYFUSE_DISABLE``, ``PYFUSE_VERIFY`` and ``PYFUSE_NUM_THREADS``: three look-ups where ``current`` makes nine.
    """
    override = _override.get()
    if override is not None:
        return override
    known = _cached
    if known is not None and known.at_call == (_look(_DISABLE), _look(_VERIFY), _look(_NUM_THREADS)):
        return known.config
    return _from_environment_cached()


def call_time_sources() -> tuple[ContextVar[Config | None], dict[Any, Any], tuple[object, ...]] | None:
    """Where ``current_at_call`` looks: the override, the environment's dictionary, and its keys there.

    None where the environment has no dictionary that can be read without Python.
    """
    environment = vars(os.environ).get("_data")
    return (_override, environment, (_DISABLE, _VERIFY, _NUM_THREADS)) if type(environment) is dict else None


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
    changes: dict[str, Any] = settings
    token = _override.set(_checked(replace(current(), **changes)))
    try:
        yield current()
    finally:
        _override.reset(token)


def from_environment(environment: dict[str, str] | os._Environ[str]) -> Config:
    """The settings that the ``PYFUSE_*`` variables of an environment ask for; a bad value is reported and left out."""
    config = Config(num_threads=_available_cpus(), pool_limit=_usual_pool_limit())
    for name, read in _READERS.items():
        text = environment.get(f"PYFUSE_{name.upper()}", "").strip()
        if not text:
            continue
        try:
            config = _checked(replace(config, **{name: read(text)}))
        except ValueError as error:
            print(f"pyfuse: PYFUSE_{name.upper()}={text!r} is ignored: {error}", file=sys.stderr)
    return config


def _read_topics(text: str) -> frozenset[str]:
    topics = frozenset(word.strip() for word in text.split(",") if word.strip())
    return frozenset(DEBUG_TOPICS) if "all" in topics else topics


def _read_flag(text: str) -> bool:
    return text.lower() in _TRUE


_READERS: dict[str, Callable[[str], Any]] = {
    "debug": _read_topics,
    "dump_dir": Path,
    "disable": _read_flag,
    "fallback": str.lower,
    "cache_dir": Path,
    "num_threads": int,
    "verify": _read_flag,
    "cc": str,
    "max_kernels": int,
    "trials": _read_flag,
    "wait": _read_flag,
    "pool_limit": int,
}


def _checked(config: Config) -> Config:
    if isinstance(config.debug, str):
        config = replace(config, debug=_read_topics(config.debug))
    if not isinstance(config.debug, frozenset):
        config = replace(config, debug=frozenset(config.debug))
    if unknown := sorted(frozenset(config.debug) - frozenset(DEBUG_TOPICS)):
        raise ValueError(f"unknown debug topic {unknown[0]!r}; the topics are {', '.join(DEBUG_TOPICS)}")
    if config.fallback not in FALLBACK_MODES:
        raise ValueError(f"fallback is one of {', '.join(FALLBACK_MODES)}")
    for name in ("disable", "verify", "trials", "wait"):
        if not isinstance(getattr(config, name), bool):
            raise ValueError(f"{name} is True or False")
    for name in ("num_threads", "max_kernels"):
        if type(getattr(config, name)) is not int or getattr(config, name) < 1:
            raise ValueError(f"{name} is a whole number of at least 1")
    if type(config.pool_limit) is not int or not 0 <= config.pool_limit <= sys.maxsize:
        raise ValueError("pool_limit is a whole number of bytes")
    for name in ("dump_dir", "cache_dir"):
        if isinstance(getattr(config, name), str):
            changes: dict[str, Any] = {name: Path(getattr(config, name))}
            config = replace(config, **changes)
    return config


def _available_cpus() -> int:
    """CPUs this process may run on: its affinity mask where the system has one, and no more than a cgroup quota."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cpus
    return cpus if quota == "max" else max(1, min(cpus, int(quota) // int(period)))


def _usual_pool_limit() -> int:
    """An eighth of the memory that this process may use, at most 1 GiB."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not a system that the pool is made for
        return 0
    with suppress(OSError, ValueError):  # no control groups, or "max"
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return min(memory // 8, 1 << 30)


# PYFUSE_DISABLE and its kin are read at every call. os.environ.get encodes and decodes (9 variables: 10 us); the
# dictionary behind it, where CPython has one, answers in 0.04 us each.
_look: Callable[[object], object] = vars(os.environ).get("_data", os.environ).get


def _key(name: str) -> object:
    variable = f"PYFUSE_{name.upper()}"
    return os.environ.encodekey(variable) if hasattr(os.environ, "_data") else variable


_KEYS = tuple(map(_key, _READERS))
_DISABLE, _VERIFY, _NUM_THREADS = map(_key, ("disable", "verify", "num_threads"))
_override: ContextVar[Config | None] = ContextVar("pyfuse_config", default=None)


class _Known(NamedTuple):
    """What was read from the environment, and the texts that it was read from."""

    config: Config
    state: tuple[object, ...]
    at_call: tuple[object, ...]


_cached: _Known | None = None


def _from_environment_cached() -> Config:
    """``from_environment(os.environ)``, read again only when a ``PYFUSE_*`` variable has changed."""
    global _cached
    state = tuple(map(_look, _KEYS))
    known = _cached
    if known is None or known.state != state:
        at_call = (_look(_DISABLE), _look(_VERIFY), _look(_NUM_THREADS))
        known = _cached = _Known(from_environment(os.environ), state, at_call)
    return known.config

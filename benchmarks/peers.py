"""The other systems that the same work is given to, and which of them are not there."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.workloads import Case

SYSTEMS = ("numexpr", "numba", "jax", "torch", "blosc2", "pythran", "dace")
MODULES = {system: f"benchmarks.systems.{system}_peers" for system in SYSTEMS}
_FOLDERS = re.compile(r"(?<![\w.])(?:[A-Z]:)?[/\\](?:[^\s/\\:'\"]+[/\\])+")  # of an absolute path


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A system to compare with, in one way of using it.

    Attributes:
        name: of the system and the way.
        function_for: a new function for a case, not compiled yet perhaps; None where the system has no words for the
            workload. May raise anything, which is reported.
        prepare: makes an argument of a NumPy array, outside the timed stretch.
    """

    name: str
    function_for: Callable[[Case], Callable[..., Any] | None]
    prepare: Callable[[Any], Any] = lambda array: array


@dataclass(frozen=True, kw_only=True)
class Peers:
    """What was found.

    Attributes:
        found: in the order of tables.
        facts: what a reader of their times must know, by name of the system.
        missing: why a system takes no part, by its name.
    """

    found: tuple[Peer, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


def find_peers(threads: int, systems: Iterable[str] = SYSTEMS) -> Peers:
    """Import the systems that are installed, and set their threads.

    Args:
        threads: most threads of each. jax offers no such setting: it takes the processors that it finds.
        systems: names from ``SYSTEMS``; the others are left out, and that is said.
    """
    wanted = frozenset(systems)
    found: list[Peer] = []
    facts: dict[str, str] = {}
    missing: dict[str, str] = {}
    for system, module in MODULES.items():
        if system not in wanted:
            missing[system] = "not asked for"
            continue
        try:
            peers, fact = importlib.import_module(module).load(threads)
        except Exception as reason:  # another project's import: it may raise anything
            missing[system] = describe_failure(reason)
            continue
        found += peers
        facts[system] = fact
    return Peers(found=tuple(found), facts=facts, missing=missing)


def describe_failure(reason: BaseException) -> str:
    """The kind and the first two lines of an exception, at most 200 characters; of paths only the names of files."""
    lines = [" ".join(line.split()) for line in str(reason).splitlines() if line.strip()]
    text = _FOLDERS.sub("", f"{type(reason).__name__}: {' '.join(lines[:2]) or 'no message'}")
    return text if len(text) <= 200 else f"{text[:197]}..."

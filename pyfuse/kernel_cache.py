"""Per fused function: signature to specialisations or remembered refusals, bounded, one compile for each key."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pyfuse.compiler import Specialization
from pyfuse.diagnostics import Code, Diagnostic, refuse
from pyfuse.errors import CannotFuse
from pyfuse.host_values import Guard
from pyfuse.records import dataclass

MAX_VARIANTS = 8  # of one signature, by values that the function's form depends on

# Refusals that hold of one call only, and are not remembered.
PASSING_CODES = frozenset(
    {Code.SCALAR_RANGE, Code.HOST_ERROR, Code.SHAPE_MISMATCH, Code.FLOATING_POINT_REPORT, Code.EMPTY_REDUCTION}
)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A reason that was found once and need not be found again while its guards hold."""

    diagnostic: Diagnostic
    guards: tuple[Guard, ...]


Entry = Specialization | Refusal


class Found(NamedTuple):
    """An answer of the cache: the entry, whether it was made now, and whether another was forgotten for it."""

    entry: Entry
    is_new: bool
    has_evicted: bool


class KernelCache:
    """Thread-safe; the signature that was found or made longest ago is forgotten first.

    Calls of a form that is known do not come here: the executor keeps runners, and drops them when one is forgotten.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._entries: OrderedDict[Any, list[Entry]] = OrderedDict()

    def find(self, key: Any, arguments: Sequence[Any]) -> Entry | None:
        """What is known of a signature, for which every guard holds."""
        with self._lock:
            entries = self._entries.get(key, [])
            if entries:
                self._entries.move_to_end(key)
        for entry in list(entries):
            if all(guard.holds(arguments) for guard in entry.guards):
                return entry
        return None

    def find_or_make(
        self, key: Any, arguments: Sequence[Any], make: Callable[[], Specialization], maxsize: int
    ) -> Found:
        """What is known of a signature, or what ``make`` finds; other threads that ask meanwhile wait for it.

        Raises:
            CannotFuse: ``make`` refused for a reason that holds of this call only.
        """
        with self._lock:
            found = self.find(key, arguments)
            if found is not None:
                return Found(found, is_new=False, has_evicted=False)
            entry = self._made(key, make)
            self._entries.setdefault(key, []).append(entry)
            excess = max(0, len(self._entries) - maxsize)
            for _ in range(excess):
                self._entries.popitem(last=False)
            return Found(entry, is_new=True, has_evicted=excess > 0)

    def _made(self, key: Any, make: Callable[[], Specialization]) -> Entry:
        known = self._entries.get(key, [])
        try:
            if len(known) >= MAX_VARIANTS:
                raise refuse(
                    Code.TOO_MANY_VARIANTS,
                    f"the function's form depends on values that took more than {MAX_VARIANTS} forms",
                    notes=tuple(
                        sorted(
                            {
                                guard.text.partition(" == ")[0]
                                for entry in known
                                for guard in entry.guards
                                if " == " in guard.text
                            }
                        )
                    ),
                    hints=("values used in 'if', 'range', axes and shapes decide the form of a kernel",),
                )
            return make()
        except CannotFuse as error:
            if error.diagnostic.code in PASSING_CODES:
                raise
            guards = () if error.diagnostic.code is Code.TOO_MANY_VARIANTS else error.guards
            return Refusal(diagnostic=error.diagnostic, guards=guards)

    def replace(self, key: Any, entry: Specialization, refusal: Diagnostic) -> None:
        """A specialisation turned out not to be buildable: remember why instead."""
        with self._lock:
            known = self._entries.get(key, [])
            if entry in known:
                known[known.index(entry)] = Refusal(diagnostic=refusal, guards=entry.guards)

    def entries(self) -> list[Entry]:
        """Everything that is known."""
        with self._lock:
            return [entry for known in self._entries.values() for entry in known]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

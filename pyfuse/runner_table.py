"""The runners of one function, by the exact form of the calls that they answer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pyfuse.runner import Runner

if TYPE_CHECKING:
    from pyfuse.backend.cpu._dispatcher import LaunchTable

# Exact forms remembered for each function, and of those the ones that differ only in guarded values or in arrays that
# are no arguments, which are tried one after the other. Beyond either, all are forgotten and found again.
MAX_RUNNERS = 1024
MAX_RUNNERS_OF_ONE_FORM = 32


class RunnerTable:
    """Thread-safe; what is forgotten here, the extension forgets too."""

    def __init__(self, table: LaunchTable | None) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._runners: dict[Any, list[Runner]] = {}
        self._count = 0

    def find(self, key: Any) -> Sequence[Runner]:
        """Those of a form."""
        return self._runners.get(key, ())

    def values(self) -> Iterable[list[Runner]]:
        """All, form by form."""
        return self._runners.values()

    def remember(self, key: Any, runner: Runner) -> None:
        """Keep a runner."""
        with self._lock:
            known = self._runners.setdefault(key, [])
            if self._count >= MAX_RUNNERS or len(known) >= MAX_RUNNERS_OF_ONE_FORM:
                self._forget_all()
                known = self._runners.setdefault(key, [])
            known.append(runner)
            self._count += 1

    def remember_known(self, key: Any, runner: Runner) -> None:
        """Let the extension answer such calls, unless they have been forgotten meanwhile."""
        with self._lock:
            if runner in self._runners.get(key, ()):
                assert self._table is not None
                assert runner.known is not None
                self._table.remember(runner.known)

    def forget(self, key: Any, runner: Runner) -> None:
        """Forget a runner that the extension does not know."""
        with self._lock:
            known = self._runners.get(key, [])
            if runner in known:
                self._runners[key] = [other for other in known if other is not runner]
                self._count -= 1

    def forget_all(self) -> None:
        """Forget every runner."""
        with self._lock:
            self._forget_all()

    def _forget_all(self) -> None:
        self._runners = {}
        self._count = 0
        if self._table is not None:
            self._table.forget()

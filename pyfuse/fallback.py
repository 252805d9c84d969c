"""The fallback door: run the original when fusion is disqualified, keep the reason, say it if asked to."""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

from pyfuse.config import Config
from pyfuse.diagnostics import Code, Diagnostic
from pyfuse.errors import FuseError

# Not failures to fuse: the original runs so that NumPy itself raises, warns or computes as it always does.
NUMPYS_OWN = frozenset(
    {
        Code.NUMPY_RAISES,
        Code.SHAPE_MISMATCH,
        Code.SCALAR_RANGE,
        Code.HOST_ERROR,
        Code.FLOATING_POINT_REPORT,
        Code.DISABLED,
    }
)


class PyfuseFallbackWarning(UserWarning):
    """A fused function ran as ordinary Python (``PYFUSE_FALLBACK=warn``)."""


class Fallback:
    """One function's fallbacks: how often each reason occurred, and the last diagnostic of each."""

    def __init__(self, function: Callable[..., Any], *, strict: bool) -> None:
        self._function = function
        self._strict = strict
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._warned: set[Diagnostic] = set()
        self.last: Diagnostic | None = None

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any], reason: Diagnostic, config: Config) -> Any:
        """The original's result.

        Raises:
            FuseError: the settings or ``strict=True`` ask for an error, and the reason is a failure to fuse.
        """
        self.note(reason, config)
        return self._function(*args, **kwargs)

    def note(self, reason: Diagnostic, config: Config) -> None:
        """Count a reason, and warn or raise as the settings ask. Raises as ``run``."""
        with self._lock:
            self._counts[reason.code.value] += 1
            self.last = reason
            is_new = reason not in self._warned
            self._warned.add(reason)
        if "fallback" in config.debug and is_new:
            import sys

            print(reason.draw(), file=sys.stderr)
        if reason.code in NUMPYS_OWN:
            return
        if self._strict or config.fallback == "raise":
            raise FuseError(reason)
        if config.fallback == "warn" and is_new:
            warnings.warn(reason.draw(), PyfuseFallbackWarning, stacklevel=4)

    @property
    def count(self) -> int:
        """How many calls ran the original."""
        return sum(self._counts.values())

    def reasons(self) -> dict[str, int]:
        """How often each reason occurred, by code."""
        with self._lock:
            return dict(self._counts)

    def clear(self) -> None:
        """Forget the counts."""
        with self._lock:
            self._counts.clear()
            self._warned.clear()
            self.last = None

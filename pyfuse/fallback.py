"""The fallback door: run the original when fusion is disqualified, keep the reason, say it if asked to."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pyfuse.config import Config
from pyfuse.diagnostics import Code, Diagnostic, refuse
from pyfuse.errors import CannotFuse, FuseError

# Not failures to fuse: the original runs so that NumPy itself raises, warns or computes as it always does,
# or for a while.
NUMPYS_OWN = frozenset(
    {
        Code.NUMPY_RAISES,
        Code.SHAPE_MISMATCH,
        Code.EMPTY_REDUCTION,
        Code.SCALAR_RANGE,
        Code.HOST_ERROR,
        Code.FLOATING_POINT_REPORT,
        Code.DISABLED,
        Code.SLOWER,
        Code.BUILDING,
    }
)

DISABLED = Diagnostic(code=Code.DISABLED, message="pyfuse is disabled: PYFUSE_DISABLE is set")
BAD_CALL = Diagnostic(
    code=Code.NUMPY_RAISES, message="the arguments do not match the parameters: Python raises its own error"
)
REPORT = Diagnostic(
    code=Code.FLOATING_POINT_REPORT,
    message="a floating-point error is to be reported: NumPy computes the call again and reports it itself",
    hints=("np.errstate(...='ignore') around the call says that it is expected",),
)

_MOST_REMEMBERED = 256  # diagnostics already said; their texts may hold values, which never end
_CALLER = 7  # frames from ``say`` up to the line that calls the fused function


class PyfuseFallbackWarning(UserWarning):
    """A fused function ran as ordinary Python (``PYFUSE_FALLBACK=warn``), or pyfuse itself made a mistake."""


@contextmanager
def mistakes_as_reasons() -> Iterator[None]:
    """Turn a mistake of the compiler's own into a reason, so that the original runs; such reasons always warn.

    Raises:
        CannotFuse: any exception but those that are nobody's mistake (MemoryError, KeyboardInterrupt).
    """
    try:
        yield
    except (CannotFuse, MemoryError):
        raise
    except RecursionError as error:
        raise refuse(
            Code.TOO_LARGE,
            "the function is nested too deeply to be read",
            hints=("give parts of a long expression names of their own",),
        ) from error
    except Exception as error:
        raise refuse(
            Code.INTERNAL_ERROR,
            "pyfuse made a mistake; the function runs as ordinary Python",
            notes=(f"{type(error).__name__}: {error}", _place(error)),
            hints=("please report it, with the function and its arguments",),
        ) from error


def _place(error: Exception) -> str:
    """Where in pyfuse an exception was raised, without a path."""
    traceback = error.__traceback__
    assert traceback is not None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return f"in {code.co_qualname}, {os.path.basename(code.co_filename)}:{traceback.tb_lineno}"


def _add_reason(error: Exception, reason: Diagnostic, arguments: tuple[Any, ...]) -> None:
    """Tell a user whose device arrays NumPy did not take why the call was not fused, which would have taken them."""
    if any(hasattr(type(argument), "__cuda_array_interface__") for argument in arguments):
        error.add_note(f"The function was not fused, and ran on the device arrays as it is.\n{reason.draw()}")


class Fallback:
    """One function's fallbacks: how often each reason occurred, and the last diagnostic of each."""

    def __init__(self, function: Callable[..., Any], *, strict: bool, is_quiet: bool = False) -> None:
        self._function = function
        self._strict = strict
        self._is_quiet = is_quiet  # of a region: what runs as Python there was said of the whole function
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._partial: Counter[str] = Counter()
        self._warned: set[Diagnostic] = set()
        self.last: Diagnostic | None = None

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any], reason: Diagnostic, config: Config) -> Any:
        """The original's result.

        Raises:
            FuseError: the settings or ``strict=True`` ask for an error, and the reason is a failure to fuse.
        """
        self.note(reason, config)
        try:
            return self._function(*args, **kwargs)
        except Exception as error:
            _add_reason(error, reason, (*args, *kwargs.values()))
            raise

    def note(self, reason: Diagnostic, config: Config) -> None:
        """Count a reason, and warn or raise as the settings ask. Raises as ``run``."""
        with self._lock:
            self._counts[reason.code.value] += 1
            self.last = reason
        self.say(reason, config)

    def say(self, reason: Diagnostic, config: Config) -> None:
        """Warn of a reason or raise it, as the settings ask. Raises as ``run``."""
        with self._lock:
            is_new = reason not in self._warned and len(self._warned) < _MOST_REMEMBERED
            if is_new:
                self._warned.add(reason)
        if "fallback" in config.debug and is_new:
            print(reason.draw(), file=sys.stderr)
        if reason.code in NUMPYS_OWN:
            return
        if self._is_quiet and reason.code is not Code.INTERNAL_ERROR:
            return
        if self._strict or config.fallback == "raise":
            raise FuseError(reason)
        if is_new and (config.fallback == "warn" or reason.code is Code.INTERNAL_ERROR):
            warnings.warn(reason.draw(), PyfuseFallbackWarning, stacklevel=_CALLER)

    def count_partial(self, reason: Diagnostic) -> None:
        """Count a call of which some statements ran as Python, for a reason that was noted before."""
        self._partial[reason.code.value] += 1
        self.last = reason

    @property
    def is_strict(self) -> bool:
        """Whether a failure to fuse is an error."""
        return self._strict

    @property
    def count(self) -> int:
        """How many calls ran the original."""
        return sum(self._counts.values())

    def reasons(self) -> dict[str, int]:
        """How often each reason occurred, by code; it kept the whole function from being fused, or some statements."""
        with self._lock:
            return dict(self._counts + self._partial)

    def clear(self) -> None:
        """Forget the counts."""
        with self._lock:
            self._counts.clear()
            self._partial.clear()
            self._warned.clear()
            self.last = None

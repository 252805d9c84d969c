"""The compiled dispatcher (``native/dispatcher.c``) where it was built, and its twin in Python where not."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from importlib import import_module
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pyfuse.backend.cpu._dispatcher import Evaluation as Evaluation
    from pyfuse.backend.cpu._dispatcher import KnownLaunch as KnownLaunch
    from pyfuse.backend.cpu._dispatcher import LaunchTable, TileLaunch
else:
    Evaluation = KnownLaunch = LaunchTable = TileLaunch = Any

INTERFACE = 8  # of dispatcher.c; another one is of an older build, and is left alone
VARIABLE = "PYFUSE_EXTENSION"


class PythonDispatcher:
    """A callable whose every call goes the Python way."""

    _executor: Any
    _table: LaunchTable | None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The original's result."""
        return self._executor.call(args, kwargs)


def is_switched_off() -> bool:
    """Whether the environment asks for Python in place of the compiled extensions."""
    return os.environ.get(VARIABLE, "").strip().lower() in ("0", "no", "off", "false")


def _load() -> tuple[ModuleType | None, str]:
    """The extension, or None, and what there is to say of it."""
    if is_switched_off():
        return None, f"switched off by {VARIABLE}"
    try:
        found = import_module("pyfuse.backend.cpu._dispatcher")
    except ModuleNotFoundError:
        return None, "not built"
    except ImportError as error:  # of a Python without GIL, or in a subinterpreter
        return None, f"not loaded: {error}"
    if found.INTERFACE != INTERFACE:
        return None, "built from other sources: install pyfuse again"
    return found, "built, in use"


extension, state = _load()
_is_configured = False

if TYPE_CHECKING:
    Dispatcher = PythonDispatcher
else:
    Dispatcher = extension.Dispatcher if extension is not None else PythonDispatcher


def configure(
    sources: tuple[ContextVar[Any], dict[Any, Any], tuple[object, ...]] | None,
    read: Callable[[], Any],
    must_report: Callable[[int, int], bool],
    refusal: type[BaseException],
    read_modes: Callable[[], int],
) -> None:
    """Tell the extension where the settings of a call are.

    Args:
        sources: ``config.call_time_sources()``; with None the extension answers no call.
        read: the settings in force.
        must_report: whether NumPy would report these status bits, given the bits that need the original.
        refusal: what Python's part of a call raises to have the original run, for the reason that it carries.
        read_modes: which status bits ``np.errstate`` has reported without raising; negative where it may raise.
    """
    global _is_configured
    if extension is not None and sources is not None:
        extension.configure(*sources, read, must_report, refusal, _modes(), read_modes, vars(warnings))
        _is_configured = True


def _modes() -> ContextVar[Any] | None:
    """Where NumPy keeps what ``np.errstate`` sets; None: it must be asked, or warnings are filtered in another way."""
    found = getattr(np._core.umath, "_extobj_contextvar", None)  # type: ignore[attr-defined]  # no public name
    return None if getattr(sys.flags, "context_aware_warnings", False) else found


def launch_table(function: Any) -> LaunchTable | None:
    """Where a function's launches are remembered for the extension; None where it takes no part."""
    if extension is None or not _is_configured or type(function) is not FunctionType:
        return None
    table: LaunchTable = extension.LaunchTable(function)
    return table


def new_array(shape: tuple[int, ...], dtype: Any, is_fortran: bool) -> Any:
    """An array whose elements are not set; the extension takes large ones from its pool (docs/decisions/0016)."""
    if extension is None or not _is_configured:
        return np.empty(shape, dtype, "F" if is_fortran else "C")
    return extension.empty(shape, dtype, is_fortran)


def clear_pool() -> int:
    """Give the memory of dead outputs, which is kept for the next ones (``config.pool_limit``), back to the system.

    Returns:
        How many bytes that was.
    """
    return int(extension.clear_pool()) if extension is not None else 0


def make_evaluation(**description: Any) -> Evaluation | None:
    """Expressions as the extension evaluates them, or None where it does not: see ``_dispatcher.pyi``."""
    if extension is None:  # the launcher of a device may be there all the same, or its twin
        return None
    try:
        made: Evaluation = extension.Evaluation(**description)
    except ValueError:
        return None
    return made


def make_known(**description: Any) -> KnownLaunch | None:
    """A launch as the extension takes it, or None where it does not: see ``_dispatcher.pyi``."""
    assert extension is not None
    try:
        known: KnownLaunch = extension.KnownLaunch(**description)
    except ValueError:
        return None
    return known


def has_tiles() -> bool:
    """Whether loop nests can be run over tiles."""
    return extension is not None


def tile_launch(**description: Any) -> TileLaunch:
    """Loop nests to be run over tiles: see ``_dispatcher.pyi``."""
    assert extension is not None
    made: TileLaunch = extension.TileLaunch(**description)
    return made

"""A callable that goes to an executor: by way of the compiled dispatcher where it knows the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyfuse.backend.cpu.dispatch import Dispatcher
from pyfuse.errors import CannotFuse
from pyfuse.executor import Executor
from pyfuse.on_device import DeviceOptions
from pyfuse.region_drivers import RegionPlace

if TYPE_CHECKING:
    from pyfuse.region_driver import RegionDriver


class FusedCall(Dispatcher):
    """What fused functions and fused regions share."""

    _executor: Executor

    def _call_in_python(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the extension calls for what it does not know; without it, ``PythonDispatcher`` does the same."""
        return self._executor.call(args, kwargs)

    def _report(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the extension calls where NumPy is to report floating-point errors."""
        return self._executor.report(args, kwargs)

    def _refuse(self, args: tuple[Any, ...], kwargs: dict[str, Any], refusal: CannotFuse) -> Any:
        """What the extension calls where a number of the call or its result cannot be computed."""
        return self._executor.refuse(args, kwargs, refusal)


class FusedRegion(FusedCall):
    """Some statements of a function, as a function of the names that they need."""

    def __init__(self, place: RegionPlace, *, wait: bool, math: str, device: DeviceOptions) -> None:
        function = place.prepared.function
        self._executor = Executor(function, strict=False, wait=wait, math=math, region=place, device=device)
        self._table = self._executor.table

    @property
    def executor(self) -> Executor:
        """Counters and reasons of the region."""
        return self._executor

    def move(self, owner: RegionDriver, number: int) -> None:
        """Stand in another driver, with all kernels."""
        self._executor.move_region(owner, number)


def probe_of(executor: Executor) -> Callable[..., Any]:
    """A callable that goes the way of an executor's function, through the extension."""
    probe: Any = FusedCall.__new__(FusedCall)
    probe._executor, probe._table = executor, executor.table
    found: Callable[..., Any] = probe
    return found

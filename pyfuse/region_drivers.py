"""The drivers of one function, one for each set of statements that has turned out not to fuse."""

from __future__ import annotations

import inspect
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from pyfuse.diagnostics import Code, Diagnostic
from pyfuse.fallback import NUMPYS_OWN, mistakes_as_reasons
from pyfuse.prepared_function import PreparedFunction

if TYPE_CHECKING:
    from pyfuse.executor import Executor
    from pyfuse.frontend.regions import Blame
    from pyfuse.region_driver import RegionDriver


# So many calls of a function are answered by one driver before the extension hands it all calls of unknown forms.
CALLS_BEFORE_DRIVING = 8
MOST_REASONS = 1024  # remembered, like the calls that they are remembered for


class RegionPlace(NamedTuple):
    """Where a region stands: what it is, and who calls it."""

    prepared: PreparedFunction
    owner: RegionDriver
    number: int


class RegionDrivers:
    """What runs instead of a function that does not fuse as a whole.

    Args:
        executor: of the function.
        region: where the function stands, if it is a region itself.
    """

    def __init__(self, executor: Executor, region: RegionPlace | None) -> None:
        self._executor = executor
        self.region = region
        self._lock = threading.Lock()
        self._blamed: dict[int, tuple[Diagnostic, Blame]] = {}  # by the identity of the reason
        self._drivers: dict[Blame, RegionDriver | None] = {}

    def find(self, reason: Diagnostic, args: tuple[Any, ...], kwargs: dict[str, Any]) -> RegionDriver | None:
        """The function in regions, around the statements that a reason blames; None where that does not help.

        Raises:
            FuseError: as ``Fallback.run``.
        """
        if reason.code in NUMPYS_OWN or not (reason.statements or reason.code is Code.TOO_MANY_VARIANTS):
            return None
        known = self._blamed.get(id(reason))
        driver = self._drivers.get(known[1]) if known is not None else None
        if known is None or (driver is not None and driver.is_outgrown):
            return self._new_driver(reason, args, kwargs)
        return driver

    def _new_driver(self, reason: Diagnostic, args: tuple[Any, ...], kwargs: dict[str, Any]) -> RegionDriver | None:
        from pyfuse.fused_call import FusedRegion
        from pyfuse.region_driver import RegionDriver, blame_in

        config, prepared = self._executor.config(), self._executor.prepared()
        if self._executor.fallback.is_strict or config.fallback == "raise":
            return None  # the reason is raised as an error
        with mistakes_as_reasons():
            blamed = blame_in(prepared, reason)
            with self._lock:
                before = self._drivers.get(blamed)
                if blamed in self._drivers and not (before is not None and before.is_outgrown):
                    self._remember(reason, blamed)
                    return before
                try:
                    driver = RegionDriver(prepared, blamed, self._scalars(args, kwargs), before)
                    if driver.regions:
                        own = self._executor
                        how: Any = {"wait": own.is_patient, "math": own.math, "device": own.on_device.options}
                        driver.link(lambda place: FusedRegion(place, **how))
                        driver.on_outgrown = self._executor.stop_driving
                    self._drivers[blamed] = driver if driver.regions else None
                except Exception:
                    self._drivers[blamed] = None
                    raise
                finally:  # only now: other threads look without the lock
                    self._remember(reason, blamed)
        if not driver.regions:
            return None
        if self.region is not None:  # the function around it does without these statements from its next call on
            self.region.owner.outgrow(driver.blame)
        self._executor.fallback.say(reason, config)
        self._executor.dump_for(config)("driver", lambda: driver.text)
        return driver

    def drive(self, driver: RegionDriver, args: tuple[Any, ...], kwargs: dict[str, Any], reason: Diagnostic) -> Any:
        """The function's result: in regions, unless the original has turned out to be faster for calls of this size."""
        executor, original = self._executor, self._executor.prepared().function
        table, counts = executor.table, executor.counts
        trial = driver.trials.of(args) if self._is_timed(kwargs) else None
        is_known, is_plain = trial is None or trial.is_over, trial is not None and trial.prefers_plain
        driver.calls += 1
        if table is not None and is_known and not driver.is_outgrown and driver.calls >= CALLS_BEFORE_DRIVING:
            table.driver = original if is_plain else driver.function
            counts.driven_for, counts.original_for = reason.code, Code.SLOWER
        if trial is not None and not is_known:
            executor.stop_driving()
            is_plain = trial.is_originals_turn()
        if is_plain:
            counts.plain += 1
        else:
            counts.partly += 1
            executor.fallback.count_partial(reason)
        if is_known or trial is None:
            return original(*args, **kwargs) if is_plain else driver.run(args, kwargs)
        return trial.time((lambda: original(*args)) if is_plain else (lambda: driver.run(args, kwargs)))

    def _is_timed(self, kwargs: dict[str, Any]) -> bool:
        if self.region is not None or kwargs or not self._executor.config().trials:
            return False
        code = self._executor.prepared().code
        return code is not None and not code.co_flags & inspect.CO_GENERATOR

    def _remember(self, reason: Diagnostic, blamed: Blame) -> None:
        if len(self._blamed) >= MOST_REASONS:
            self._blamed = {}
        self._blamed[id(reason)] = (reason, blamed)

    def preview(self, reason: Diagnostic, args: tuple[Any, ...], kwargs: dict[str, Any]) -> RegionDriver | None:
        """The driver in use, or one that shows what would be done: it does not run."""
        from pyfuse.region_driver import RegionDriver, blame_in

        prepared = self._executor.prepared()
        if reason.code in NUMPYS_OWN:
            return None
        blamed = blame_in(prepared, reason)
        known = self._drivers.get(blamed)
        if known is not None:
            return known
        driver = RegionDriver(prepared, blamed, self._scalars(args, kwargs), None)
        return driver if driver.regions else None

    def _scalars(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
        """Parameters that are no arrays."""
        binder = self._executor.prepared().binder
        assert binder is not None
        values = binder.bind(args, kwargs) or ()
        return [name for name, value in zip(binder.names, values, strict=False) if _is_number(value)]

    def all(self) -> list[RegionDriver]:
        """The drivers in use."""
        return [driver for driver in list(self._drivers.values()) if driver is not None]

    def regions(self) -> list[Executor]:
        """The executors of all regions, each once."""
        found = {id(fused.executor): fused.executor for driver in self.all() for fused in driver.fused}
        return list(found.values())

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._blamed, self._drivers = {}, {}


def _is_number(value: object) -> bool:
    return value is None or isinstance(value, int | float | complex | str | bytes)

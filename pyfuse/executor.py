"""One call: find or make its launch, run the kernel, look at what it reports, hand out the result."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pyfuse import config as settings
from pyfuse.backend.cpu import dispatch
from pyfuse.background import Build
from pyfuse.cache_info import CacheInfo, CallCounts
from pyfuse.call_geometry import call_geometry, evaluate_inputs
from pyfuse.call_signature import exact_key, signature_key
from pyfuse.compiler import LoadedKernel, Specialization, StillBuilding, load_kernel, specialize_for_cpu
from pyfuse.config import Config
from pyfuse.debug import Dump
from pyfuse.diagnostics import Diagnostic
from pyfuse.errors import CannotFuse
from pyfuse.fallback import BAD_CALL, DISABLED, NUMPYS_OWN, REPORT, Fallback, mistakes_as_reasons
from pyfuse.frontend.rewrite import driver_text
from pyfuse.in_place import LeftInPlace, reported_modes
from pyfuse.kernel_cache import KernelCache, Refusal
from pyfuse.known_launch import known_launch
from pyfuse.launch import DirectStores, Launch, make_launch, must_report
from pyfuse.on_device import AS_THEY_LIE, DeviceOptions, OnDevice
from pyfuse.prepared_function import PreparedFunction, prepare
from pyfuse.region_drivers import CALLS_BEFORE_DRIVING, RegionDrivers, RegionPlace
from pyfuse.runner import Runner, make_refusing_runner, make_runner
from pyfuse.runner_table import RunnerTable
from pyfuse.store_ways import own_stores, run_and_store
from pyfuse.tile_tier import LEAST_WORK, NUMPYS_MATH, OWN_MATH, WITHOUT_KERNEL, launch_with_numpys_math, tile_launch
from pyfuse.trial import copies_for_trial, is_due, original_is_faster
from pyfuse.verification import is_verifiable, verify

if TYPE_CHECKING:
    from pyfuse.region_driver import RegionDriver


class Executor:
    """The call path of one fused function; may be used by many threads."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        strict: bool,
        wait: bool = False,
        math: str = OWN_MATH,
        region: RegionPlace | None = None,
        device: DeviceOptions = AS_THEY_LIE,
    ) -> None:
        self._function = function
        self._region = region
        self.is_patient = wait
        self.math = math
        self._prepared: PreparedFunction | None = None
        self._cache = KernelCache()
        self.on_device = OnDevice(self, device)
        self.fallback = Fallback(function, strict=strict, is_quiet=region is not None)
        self.drivers = RegionDrivers(self, region)
        self._lock = threading.Lock()
        self.table = dispatch.launch_table(function)  # calls that the extension answers
        self.counts = CallCounts(self.table)
        self._runners = RunnerTable(self.table)
        self._dumps = itertools.count()
        self.lacks_kernel: Diagnostic | None = None  # why tiles answer for good

    # --- the hot path ---------------------------------------------------------------------------------------------

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The function's result."""
        config = settings.current_at_call()
        if config.disable:
            return self.fallback.run(args, kwargs, DISABLED, settings.current())
        prepared = self._prepared or self.prepared()
        binder = prepared.binder
        if binder is None:
            assert prepared.refusal is not None
            return self._answer(args, kwargs, prepared.refusal)
        if self._function.__code__ is not prepared.code:
            self.clear()
            return self.call(args, kwargs)
        arguments = args if not kwargs and len(args) == binder.plain_count else binder.bind(args, kwargs)
        if arguments is None:
            return self._answer(args, kwargs, BAD_CALL)
        try:
            key = (config.num_threads, *exact_key(arguments))
            for runner in self._runners.find(key):
                if runner.holds is None or runner.holds(arguments):
                    break
            else:
                runner = self._find_runner(key, arguments)
            if runner.build is not None and not runner.build.is_pending():
                self._runners.forget(key, runner)
                return self.call(args, kwargs)
            if runner.trial.prefers_plain:
                self.counts.plain += 1
                return self._function(*args, **kwargs)
            outcome = runner.run(arguments) if runner.reason is None else None
        except StillBuilding as waiting:
            try:
                return self.on_device.answer_meanwhile(waiting, arguments, args, kwargs)
            finally:
                waiting.build.begin()
        except CannotFuse as raised:
            refusal = raised  # what follows is no part of its handling
        else:
            if outcome is None:
                assert runner.reason is not None
                return self._answer(args, kwargs, runner.reason)
            result, status = outcome
            if not status or not must_report(status, runner.replay_bits):
                self._count(runner)
                if runner.known is not None:
                    self._runners.remember_known(key, runner)
                if runner.build is not None:
                    runner.build.begin()
                elif not runner.trial.is_tried:
                    runner.trial.calls += 1
                    self._try(runner, arguments, config)
                if config.verify and is_verifiable(runner.launch):
                    verify(result, self._function(*args, **kwargs))
                return result
            refusal = CannotFuse(REPORT)
        if isinstance(refusal, LeftInPlace):
            return self.refuse(args, kwargs, refusal)
        return self._answer(args, kwargs, refusal.diagnostic)

    def _count(self, runner: Runner) -> None:
        """A runner has answered, so nothing else is to answer such calls."""
        self.counts.count(runner)
        if self.counts.refused:
            self.counts.refused = 0
            self.stop_driving()

    def _try(self, runner: Runner, arguments: Sequence[Any], config: Config) -> None:
        """Time such calls once by kernel and by the original, if that may be worth it."""
        from pyfuse.fused_call import probe_of

        launch = runner.launch
        assert launch is not None
        if not is_due(runner.trial, launch.work) or not self.takes_positions(arguments):
            return
        if not config.trials or self.fallback.is_strict:
            return
        given = copies_for_trial(arguments, [store.target for store in launch.specialization.stores])
        if given is None:
            return
        counted = self.counts.answered()
        call = probe_of(self) if self.table is not None else lambda *again: self.call(again, {})
        runner.trial.prefers_plain = int(original_is_faster(call, self._function, given))
        self.counts.restore(counted)

    def report(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The original's result, where the extension has met floating-point errors that NumPy reports."""
        return self._answer(args, kwargs, REPORT)

    def refuse(self, args: tuple[Any, ...], kwargs: dict[str, Any], refusal: CannotFuse) -> Any:
        """The original's result, where a part of a call that the extension leaves to Python has refused it."""
        if isinstance(refusal, LeftInPlace):
            self.fallback.note(refusal.diagnostic, settings.current())
            return refusal.run_the_rest(self._function, self.arguments(args, kwargs))
        return self._answer(args, kwargs, refusal.diagnostic)

    # --- what does not fuse as a whole ----------------------------------------------------------------------------

    def _answer(self, args: tuple[Any, ...], kwargs: dict[str, Any], reason: Diagnostic) -> Any:
        """The result where the function does not fuse as a whole: in regions if that helps, or the original's."""
        try:
            driver = self.drivers.find(reason, args, kwargs)
        except CannotFuse as mistake:
            driver, reason = None, mistake.diagnostic
        if driver is not None:
            return self.drivers.drive(driver, args, kwargs, reason)
        if self._region is not None and reason.code not in NUMPYS_OWN:
            self._region.owner.give_up_soon(self._region.number, self.counts.fused_calls() + self.counts.partly)
        result = self.fallback.run(args, kwargs, reason, settings.current())  # raises where that is asked for
        if self.table is not None and self._region is None and reason.code not in NUMPYS_OWN:
            self.counts.refused += 1
            if self.counts.refused >= CALLS_BEFORE_DRIVING:
                self.table.driver, self.counts.original_for = self._function, reason.code
        return result

    def move_region(self, owner: RegionDriver, number: int) -> None:
        """Of a region: another driver calls it now."""
        assert self._region is not None
        self._region = self.drivers.region = self._region._replace(owner=owner, number=number)

    # --- what happens once ----------------------------------------------------------------------------------------

    def prepared(self) -> PreparedFunction:
        """The function, read and parsed."""
        with self._lock:
            if self._prepared is None:
                self._prepared = prepare(self._function) if self._region is None else self._region.prepared
            return self._prepared

    def takes_positions(self, arguments: Sequence[Any]) -> bool:
        """Whether the values of the parameters are a call's positional arguments."""
        binder = self.prepared().binder
        return binder is not None and binder.plain_count == len(arguments)

    def config(self) -> Config:
        """The settings in force."""
        return settings.current()

    def arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """A call's value of each parameter.

        Raises:
            CannotFuse: the function is not fused for any arguments.
            TypeError: they do not match the parameters.
        """
        prepared = self.prepared()
        if prepared.refusal is not None:
            raise CannotFuse(prepared.refusal)
        assert prepared.binder is not None
        arguments = prepared.binder.bind(args, kwargs)
        if arguments is None:
            name = getattr(self._function, "__name__", "the function")
            raise TypeError(f"these arguments do not match the parameters of {name}()")
        return arguments

    def specialization(self, arguments: Sequence[Any], config: Config) -> Specialization:
        """The specialisation of a call, made if there is none.

        Raises:
            CannotFuse: the call cannot be fused.
        """
        prepared = self.prepared()

        def make() -> Specialization:
            dump = self.dump_for(config)
            with mistakes_as_reasons():
                assert prepared.source is not None
                dump("driver", partial(driver_text, prepared.source))
                return specialize_for_cpu(prepared, arguments, dump)

        found = self._cache.find_or_make(signature_key(arguments), arguments, make, config.max_kernels)
        with self._lock:
            self.counts.misses += found.is_new
            if found.has_evicted:
                self._runners.forget_all()
        if isinstance(found.entry, Refusal):
            raise CannotFuse(found.entry.diagnostic)
        return found.entry

    def compile(self, arguments: Sequence[Any], config: Config) -> None:
        """Build and load the kernel of a call. Raises CannotFuse: the call cannot be fused, or there is no compiler."""
        self._make_launch(arguments, config, waits=True, may_tile=False)

    def _make_launch(
        self, arguments: Sequence[Any], config: Config, *, waits: bool, may_tile: bool, may_store: bool = False
    ) -> tuple[Launch, Build[LoadedKernel] | None]:
        """A launch for a call, its kernel built and loaded if need be; and what is being built, if tiles stand in.

        Args: ``waits`` as in ``load_kernel``; ``may_tile``: whether tiles may answer where there is no kernel;
            ``may_store``: whether the kernel may store into the caller's arrays itself.

        Raises:
            CannotFuse: the call cannot be fused.
            StillBuilding: its kernel is being built.
        """
        specialization = self.specialization(arguments, config)
        inputs, extents = evaluate_inputs(specialization, arguments)
        with mistakes_as_reasons():
            geometry = call_geometry(specialization, inputs, extents)
            if self.math == NUMPYS_MATH:
                try:
                    launch = launch_with_numpys_math(specialization, geometry, config.num_threads)
                except CannotFuse as refusal:
                    self._cache.replace(signature_key(arguments), specialization, refusal.diagnostic)
                    raise
                if launch is not None:
                    return launch, None
            own, laid = None, geometry
            if may_store and specialization.stores:
                own = own_stores(specialization, geometry, arguments, inputs, self.takes_positions(arguments))
            laid = (
                call_geometry(specialization, inputs, extents, own.strides)
                if isinstance(own, DirectStores)
                else geometry
            )
        try:
            with mistakes_as_reasons():
                loaded, is_new = load_kernel(
                    specialization, laid.forms, laid.layouts, config, self.dump_for(config), waits=waits
                )
        except CannotFuse as refusal:
            build = refusal.build if isinstance(refusal, StillBuilding) else None
            tiled, is_unbuilt = None, refusal.diagnostic.code in WITHOUT_KERNEL
            if is_unbuilt and may_tile:
                with mistakes_as_reasons():
                    least = LEAST_WORK if build is not None else 0
                    tiled = tile_launch(specialization, geometry, config.num_threads, least)
            if tiled is None:
                if build is None and (may_tile or not is_unbuilt):
                    self._cache.replace(signature_key(arguments), specialization, refusal.diagnostic)
                raise
            if build is None:
                self.lacks_kernel = refusal.diagnostic
            return tiled, build
        if is_new:
            with self._lock:
                self.counts.kernels += 1
        return make_launch(specialization, loaded, laid, config.num_threads, own), None

    def _find_runner(self, key: Any, arguments: Sequence[Any]) -> Runner:
        runner = self.on_device.runner(arguments)
        if runner is not None:  # types are in the key: such calls never meet the CPU's runners
            self._runners.remember(key, runner)
            return runner
        config = settings.current()
        try:
            shows = config.fallback != "quiet" or self.fallback.is_strict  # that there is no kernel
            launch, build = self._make_launch(
                arguments, config, waits=self.waits(config), may_tile=not shows, may_store=True
            )
        except CannotFuse as reason:
            known = self._cache.find(signature_key(arguments), arguments)
            if isinstance(known, Refusal):
                self._runners.remember(key, make_refusing_runner(known.diagnostic, known.guards))
            elif known is not None and isinstance(reason, StillBuilding):
                self._runners.remember(key, make_refusing_runner(reason.diagnostic, known.guards, reason.build))
            elif known is not None and reason.diagnostic.code in WITHOUT_KERNEL:
                self._runners.remember(key, make_refusing_runner(reason.diagnostic, known.guards))
            raise
        runner = replace(make_runner(launch, launch.prepared.address, arguments), build=build)
        if launch.own_stores is not None:
            again = partial(self._make_launch, tuple(arguments), config, waits=self.waits(config), may_tile=False)
            runner = replace(runner, run=run_and_store(launch, lambda: again()[0], arguments))
        if not isinstance(launch.own_stores, DirectStores) and self.table is not None and build is None:
            compiled = known_launch(self.prepared(), launch, arguments, key[0])
            runner = replace(runner, known=compiled, trial=compiled if compiled is not None else runner.trial)
        self._runners.remember(key, runner)
        return runner

    def waits(self, config: Config) -> bool:
        """Whether a call waits for its kernel: where asked to, and where it would show that it does not."""
        shows = config.debug or config.dump_dir is not None or config.fallback != "quiet"
        return bool(self.is_patient or config.wait or shows or self.fallback.is_strict)

    def dump_for(self, config: Config) -> Dump:
        """Where the stages of the next specialisation are written."""
        name = getattr(self._function, "__qualname__", "function")
        return Dump(config, name, next(self._dumps) if config.debug or config.dump_dir else 0)

    # --- counters -------------------------------------------------------------------------------------------------

    def info(self) -> CacheInfo:
        """The counters now."""
        specializations = [entry for entry in self._cache.entries() if isinstance(entry, Specialization)]
        fused = self.counts.fused_calls()
        regions = [region.info() for region in self.drivers.regions()]
        info = CacheInfo(
            hits=max(0, fused - self.counts.kernels),
            misses=self.counts.misses + sum(region.misses for region in regions),
            maxsize=settings.current().max_kernels,
            currsize=sum(len(entry.kernels) for entry in specializations) + sum(region.currsize for region in regions),
            kernels=self.counts.kernels + sum(region.kernels for region in regions),
            fused_calls=fused,
            tiled_calls=self.counts.tiled_calls(),
            partly_fused_calls=self.counts.partly_fused_calls(),
            fallback_calls=self.fallback.count + self.counts.original_calls(),
        )
        return self.on_device.counted(info)

    def reasons(self) -> dict[str, int]:
        """How often each reason kept the whole function from being fused, or some of its statements; by code."""
        return dict(+(Counter(self.fallback.reasons()) + self.counts.reasons()))

    def known_runners(self, arguments: Sequence[Any]) -> Sequence[Runner]:
        """What has answered calls of this form."""
        return self._runners.find((settings.current().num_threads, *exact_key(arguments)))

    def stop_driving(self) -> None:
        """The extension's driver is no longer the right one."""
        if self.table is not None:
            self.table.driver = None

    def clear(self) -> None:
        """Forget every specialisation and counter."""
        with self._lock:
            self._cache.clear()
            self._runners.forget_all()
            self.on_device.clear()
            self.fallback.clear()
            self._prepared = self.lacks_kernel = None
            self.drivers.clear()
            self.counts.clear()
            if self.table is not None:
                self.table.driver = None


dispatch.configure(settings.call_time_sources(), settings.current_at_call, must_report, CannotFuse, reported_modes)

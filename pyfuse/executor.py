"""One call: find or make its launch, run the kernel, look at what it reports, hand out the result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pyfuse import config as settings
from pyfuse.call_signature import exact_key, signature_key
from pyfuse.compiler import Specialization, load_kernel, specialize
from pyfuse.config import Config
from pyfuse.debug import Dump
from pyfuse.diagnostics import Code, Diagnostic
from pyfuse.errors import CannotFuse, VerificationError
from pyfuse.fallback import Fallback
from pyfuse.kernel_cache import KernelCache, Refusal
from pyfuse.launch import Launch, call_geometry, make_launch
from pyfuse.prepared_function import PreparedFunction, prepare

MAX_LAUNCHES = 1024  # exact forms remembered for each function; beyond it all are forgotten and found again

# Status bits of a kernel (docs/c-library.md, rule 5) that np.errstate decides about.
_REPORTED = ((1, "divide"), (2, "over"), (4, "under"), (8, "invalid"))
_DISABLED = Diagnostic(code=Code.DISABLED, message="pyfuse is disabled: PYFUSE_DISABLE is set")
_BAD_CALL = Diagnostic(
    code=Code.NUMPY_RAISES, message="the arguments do not match the parameters: Python raises its own error"
)
_REPORT = Diagnostic(
    code=Code.FLOATING_POINT_REPORT,
    message="a floating-point error is to be reported: NumPy computes the call again and reports it itself",
    hints=("np.errstate(...='ignore') around the call says that it is expected",),
)


class CacheInfo(NamedTuple):
    """Counters of one fused function, in the manner of ``functools.lru_cache``.

    Attributes:
        hits: fused calls whose kernel was there already.
        misses: specialisations attempted.
        maxsize: most signatures kept.
        currsize: kernels kept, one for each signature, set of guarded values and layout.
        kernels: kernels loaded since the start or the last clear.
        fused_calls: calls answered by kernels.
        partly_fused_calls: calls of which some statements ran as Python.
        fallback_calls: calls answered by the original.
    """

    hits: int
    misses: int
    maxsize: int
    currsize: int
    kernels: int
    fused_calls: int
    partly_fused_calls: int
    fallback_calls: int


class Executor:
    """The call path of one fused function; may be used by many threads."""

    def __init__(self, function: Callable[..., Any], *, strict: bool, overrides: dict[str, Any]) -> None:
        self._function = function
        self._overrides = overrides
        self._prepared: PreparedFunction | None = None
        self._cache = KernelCache()
        self._launches: dict[Any, list[Launch]] = {}
        self.fallback = Fallback(function, strict=strict)
        self._lock = threading.Lock()
        self._misses = self._kernels = self._fused = self._made = 0

    # --- the hot path ---------------------------------------------------------------------------------------------

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The function's result."""
        config = settings.current()
        if self._overrides:
            config = self.config(config)
        if config.disable:
            return self.fallback.run(args, kwargs, _DISABLED, config)
        prepared = self._prepared or self.prepared()
        if prepared.binder is None:
            assert prepared.refusal is not None
            return self.fallback.run(args, kwargs, prepared.refusal, config)
        arguments = prepared.binder.bind(args, kwargs)
        if arguments is None:
            return self.fallback.run(args, kwargs, _BAD_CALL, config)
        try:
            key = (config.num_threads, exact_key(arguments))
            launch = self._known_launch(key, arguments) or self._find_launch(key, arguments, config)
            result, status = self._run(launch, arguments)
        except CannotFuse as refusal:
            return self.fallback.run(args, kwargs, refusal.diagnostic, config)
        if status and _must_report(status, launch.replay_bits):
            return self.fallback.run(args, kwargs, _REPORT, config)
        self._fused += 1
        if config.verify:
            _verify(result, self._function(*args, **kwargs))
        return result

    def _known_launch(self, key: Any, arguments: Sequence[Any]) -> Launch | None:
        for launch in self._launches.get(key, ()):
            for guard in launch.specialization.guards:
                if not guard.holds(arguments):
                    break
            else:
                return launch
        return None

    def _run(self, launch: Launch, arguments: Sequence[Any]) -> tuple[Any, int]:
        """The result and the kernel's status bits.

        Raises:
            CannotFuse: a number does not fit its dtype, or computing it raises.
        """
        indices = launch.input_indices
        if indices is not None:
            inputs = [arguments[index] for index in indices]
        else:
            inputs = [expression.evaluate(arguments) for expression in launch.specialization.inputs]
        outputs = [allocate() for allocate in launch.allocate]
        try:
            scalars = launch.scalars(arguments) if launch.specialization.scalars else ()
            packed = launch.pack(*map(_address, inputs), *map(_address, outputs), *scalars)
        except Exception as error:  # Python's scalar arithmetic may raise anything; the original raises it again
            raise CannotFuse(
                Diagnostic(
                    code=Code.SCALAR_RANGE,
                    message="a number of this call does not fit its place: NumPy says so itself",
                    notes=(f"{type(error).__name__}: {error}",),
                )
            ) from error
        status = launch.kernel.launch(launch.prepared, packed)
        return launch.finish(outputs, arguments), status

    # --- what happens once ----------------------------------------------------------------------------------------

    def prepared(self) -> PreparedFunction:
        """The function, read and parsed."""
        with self._lock:
            if self._prepared is None:
                global _address
                self._prepared = prepare(self._function)
                from pyfuse.backend.cpu.kernel import address_of, data_offset

                _address = id if data_offset() >= 0 else address_of
            return self._prepared

    def config(self, base: Config | None = None) -> Config:
        """The settings in force, with this function's own on top."""
        from dataclasses import replace

        base = base if base is not None else settings.current()
        return replace(base, **self._overrides) if self._overrides else base

    def specialization(self, arguments: Sequence[Any], config: Config) -> Specialization:
        """The specialisation of a call, made if there is none.

        Raises:
            CannotFuse: the call cannot be fused.
        """
        prepared = self.prepared()
        dump = self._dump(config)
        entry, is_new = self._cache.find_or_make(
            signature_key(arguments), arguments, lambda: specialize(prepared, arguments, dump), config.max_kernels
        )
        if is_new:
            with self._lock:
                self._misses += 1
        if isinstance(entry, Refusal):
            raise CannotFuse(entry.diagnostic)
        return entry

    def make_launch(self, arguments: Sequence[Any], config: Config) -> Launch:
        """A launch for a call, its kernel built and loaded if need be.

        Raises:
            CannotFuse: the call cannot be fused.
        """
        specialization = self.specialization(arguments, config)
        inputs, extents = evaluate_inputs(specialization, arguments)
        geometry = call_geometry(specialization, inputs, extents)
        layouts = tuple(nest.layout for nest in geometry.nests)
        try:
            loaded, is_new = load_kernel(specialization, layouts, config, self._dump(config))
        except CannotFuse as refusal:
            self._cache.replace(signature_key(arguments), specialization, refusal.diagnostic)
            raise
        if is_new:
            with self._lock:
                self._kernels += 1
        return make_launch(specialization, loaded, geometry, config.num_threads)

    def _find_launch(self, key: Any, arguments: Sequence[Any], config: Config) -> Launch:
        launch = self.make_launch(arguments, config)
        is_remembered = launch.input_indices is not None and not launch.specialization.extents
        with self._lock:
            self._made += 1
            if is_remembered:
                if len(self._launches) >= MAX_LAUNCHES:
                    self._launches.clear()
                self._launches.setdefault(key, []).append(launch)
        return launch

    def _dump(self, config: Config) -> Dump:
        name = getattr(self._function, "__qualname__", "function")
        return Dump(config, name, self._misses)

    # --- counters -------------------------------------------------------------------------------------------------

    def info(self) -> CacheInfo:
        """The counters now."""
        specializations = [entry for entry in self._cache.entries() if isinstance(entry, Specialization)]
        return CacheInfo(
            hits=max(0, self._fused - self._kernels),
            misses=self._misses,
            maxsize=self.config().max_kernels,
            currsize=sum(len(entry.kernels) for entry in specializations),
            kernels=self._kernels,
            fused_calls=self._fused,
            partly_fused_calls=0,
            fallback_calls=self.fallback.count,
        )

    def clear(self) -> None:
        """Forget every specialisation and counter."""
        with self._lock:
            self._cache.clear()
            self._launches.clear()
            self.fallback.clear()
            self._prepared = None
            self._misses = self._kernels = self._fused = self._made = 0


def evaluate_inputs(specialization: Specialization, arguments: Sequence[Any]) -> tuple[list[np.ndarray], list[int]]:
    """The arrays and the computed extents of a call.

    Raises:
        CannotFuse: computing one raises, or an extent is negative.
    """
    try:
        inputs = [expression.evaluate(arguments) for expression in specialization.inputs]
        extents = [int(expression.evaluate(arguments)) for expression in specialization.extents]
    except Exception as error:  # the user's arithmetic may raise anything; the original raises it again
        raise CannotFuse(
            Diagnostic(code=Code.HOST_ERROR, message="computing a shape raises", notes=(str(error),))
        ) from error
    if any(extent < 0 for extent in extents):
        raise CannotFuse(Diagnostic(code=Code.HOST_ERROR, message="an extent is negative: NumPy raises its own error"))
    return inputs, extents


def _must_report(status: int, replay_bits: int) -> bool:
    """Whether NumPy would report what the kernel met, under the ``np.errstate`` in force."""
    if status & replay_bits:
        return True
    modes = np.geterr()
    return any(status & bit and modes[name] != "ignore" for bit, name in _REPORTED)


def _verify(result: Any, expected: Any) -> None:
    """Compare a fused result with the original's.

    Raises:
        VerificationError: they differ in structure, dtype, shape, or by more than rounding.
    """
    if isinstance(expected, tuple | list | dict):
        same = type(result) is type(expected) and len(result) == len(expected)
        if not same:
            raise VerificationError(
                f"the fused result is {type(result).__name__}, the original's {type(expected).__name__}"
            )
        keys = expected if isinstance(expected, dict) else range(len(expected))
        for key in keys:
            _verify(result[key], expected[key])
        return
    if type(result) is not type(expected):
        raise VerificationError(
            f"the fused result is a {type(result).__name__}, the original's a {type(expected).__name__}"
        )
    if isinstance(expected, np.ndarray | np.generic):
        if result.dtype != expected.dtype or result.shape != expected.shape or result.strides != expected.strides:
            raise VerificationError(
                f"the fused result is {result.dtype}{result.shape}, the original's {expected.dtype}{expected.shape}"
            )
        if not _are_close(result, expected):
            raise VerificationError("the fused result differs from the original's by more than rounding")


def _are_close(result: Any, expected: Any) -> bool:
    if expected.dtype.kind not in "fc":
        return bool(np.array_equal(result, expected))
    tolerance = 1e4 * float(np.finfo(expected.dtype).eps)
    with np.errstate(all="ignore"):
        return bool(np.allclose(result, expected, rtol=tolerance, atol=0, equal_nan=True))


_address: Callable[[Any], int] = id

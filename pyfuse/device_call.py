"""One call with device arrays: find or make its launch, allocate, start the kernel, hand out arrays of that kind."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, cast

import numpy as np

from pyfuse.backend.cuda import kernel as devices
from pyfuse.backend.cuda import launcher
from pyfuse.backend.cuda.array_facts import ArrayKind, Facts
from pyfuse.backend.cuda.kernel import CudaDevice, CudaLaunch
from pyfuse.backend.cuda.launch_shape import CudaSource, temporary_sizes
from pyfuse.backend.cuda.stand_ins import at_address, in_memory, owner_of
from pyfuse.call_geometry import CallGeometry, call_geometry
from pyfuse.call_result import built_result, check_store
from pyfuse.call_signature import exact_key, signature_key
from pyfuse.compiler import Specialization, StillBuilding, specialize
from pyfuse.config import Config
from pyfuse.debug import Dump
from pyfuse.device_arguments import DeviceArguments, DeviceArray, expressions_of, refuse_own_arrays, refuse_reads
from pyfuse.device_kernels import loaded_kernel, source_of
from pyfuse.diagnostics import Code, refuse
from pyfuse.errors import CannotFuse
from pyfuse.fallback import mistakes_as_reasons
from pyfuse.graph.nodes import is_bfloat16
from pyfuse.graph.reduction_forms import dense_strides
from pyfuse.host_values import HostExpression
from pyfuse.kernel_cache import KernelCache, Refusal
from pyfuse.known_device_launch import is_made_of_outputs, known_device_launch
from pyfuse.launch import Launch, NewArray, make_launch
from pyfuse.prepared_function import PreparedFunction
from pyfuse.records import dataclass
from pyfuse.runner import Check, does_not_fit, make_runner

MOST_FORMS = 1024  # remembered; then all are forgotten


@dataclass(frozen=True, kw_only=True, eq=False)
class DeviceLaunch:
    """A launch of one exact form on a device.

    Attributes:
        launch: addresses, scalars and kernel, as on the CPU.
        holds: whether the guarded facts hold for another call of the form; None where nothing is guarded.
        device: where the kernel is loaded.
        buffers: shape and strides in bytes of everything that the launch writes: outputs, then temporaries. A number
            stands for the output or temporary whose memory it shares.
        is_plain: whether the result is made of outputs only, and nothing is stored into arguments.
        known: the same for the launcher, where it can run such calls.
    """

    launch: Launch
    holds: Check | None
    device: CudaDevice
    buffers: tuple[Facts | int, ...]
    is_plain: bool
    known: Any


class DeviceCalls:
    """The calls of one fused function with device arrays; may be used by many threads.

    Attributes:
        misses, kernels: counters, as in ``CacheInfo``.
        table: the launches that the launcher runs.
        own_stream: as given.

    Args:
        prepared: the function.
        config: the settings in force.
        dump: what shows a compilation's stages.
        waits: whether a call waits for its kernel.
        own_stream: the handle of a stream to use instead of that of the arrays' library, or None.
    """

    def __init__(
        self,
        prepared: PreparedFunction,
        config: Callable[[], Config],
        dump: Callable[[Config], Dump],
        waits: Callable[[Config], bool],
        own_stream: int | None = None,
    ) -> None:
        self.misses = self.kernels = 0
        self._prepared = prepared
        self._config = config
        self._dump = dump
        self._waits = waits
        self._cache = KernelCache()
        self._launches: dict[Any, list[DeviceLaunch]] = {}
        self.own_stream = own_stream
        self.table = launcher.new_table()
        self._lock = threading.Lock()

    def run(self, arguments: Sequence[Any]) -> tuple[Any, int]:
        """The result, and 0; or status bits that say why there is none. A device reports no floating-point errors.

        Raises:
            CannotFuse: the call is not fused; the original runs.
        """
        answer = self.table(*arguments)
        if answer is not NotImplemented:
            return answer, 0
        found, call, given, stand_ins = self.find(arguments)
        with found.device.active():
            result, status = _started(found, call, given, stand_ins, self.own_stream)
        if found.known is not None:
            self.table.remember(found.known)
        return result, status

    def find(
        self, arguments: Sequence[Any], *, waits: bool = False
    ) -> tuple[DeviceLaunch, DeviceArguments, list[Any], list[np.ndarray]]:
        """The launch of a call, made if there is none; the arguments, seen, and with stand-ins; the stand-ins.

        Args: ``waits``: for a compiler in any case.

        Raises:
            CannotFuse: the call is not fused.
            StillBuilding: its kernel is being built.
        """
        call = DeviceArguments(arguments)
        given, stand_ins = call.with_stand_ins(at_address)
        device = devices.find_device(call.device, call.context)
        key = (id(device), *[array.kind for array in call.arrays], *exact_key(given))
        for found in self._launches.get(key, ()):
            if found.holds is None or found.holds(given):
                break
        else:
            found = self._make(call, device, arguments, given, waits)
            with self._lock:
                if len(self._launches) >= MOST_FORMS:
                    self._launches = {}
                self._launches.setdefault(key, []).append(found)
        return found, call, given, stand_ins

    def prepare(self, arguments: Sequence[Any]) -> None:
        """Have the launch of a call made. Raises CannotFuse: the call is not fused."""
        self.find(arguments, waits=True)

    def looked_at_afterwards(self, specialization: Specialization) -> list[HostExpression]:
        """What Python evaluates to put a result together, or to store it.

        Raises:
            CannotFuse: the result has a number that Python would have to wait for.
        """
        stored = [array for store in specialization.stores for array in (store.target, *store.apart)]
        return [*stored, *expressions_of(specialization.result)]

    def entries(self) -> list[Specialization]:
        """The specialisations made so far."""
        return [entry for entry in self._cache.entries() if isinstance(entry, Specialization)]

    def stages(self, arguments: Sequence[Any]) -> tuple[Specialization, CallGeometry, CudaSource]:
        """What a call would run; nothing is built, and no device is needed.

        Raises:
            CannotFuse: the call is not fused.
        """
        readable, _ = DeviceArguments(arguments).with_stand_ins(in_memory)
        specialization, geometry = self._specialized(readable)
        return specialization, geometry, source_of(geometry)

    # --- what happens once for a form -----------------------------------------------------------------------------

    def _make(
        self, call: DeviceArguments, device: CudaDevice, arguments: Sequence[Any], given: Sequence[Any], waits: bool
    ) -> DeviceLaunch:
        config = self._config()
        readable, _ = call.with_stand_ins(in_memory)
        specialization, geometry = self._specialized(readable)
        try:
            with mistakes_as_reasons():
                loaded = loaded_kernel(
                    specialization, geometry, device, config, self._dump(config),
                    waits=waits or not self._has_meanwhile(call, specialization, config), on_new=self._count_kernel,
                )  # fmt: skip
        except StillBuilding:
            raise
        except CannotFuse as refusal:
            self._cache.replace(signature_key(readable), specialization, refusal.diagnostic)
            raise
        with mistakes_as_reasons():
            launch = make_launch(specialization, loaded, geometry, 1)
            buffers = tuple(map(_buffer, (*launch.outputs, *launch.own_arrays)))
            with device.active():
                known = known_device_launch(launch, device, call, arguments, given, buffers, self.own_stream)
            return DeviceLaunch(
                launch=launch,
                holds=make_runner(launch, id, given).holds,
                device=device,
                buffers=buffers,
                is_plain=is_made_of_outputs(specialization.result) and not specialization.stores,
                known=known,
            )

    def _has_meanwhile(self, call: DeviceArguments, specialization: Specialization, config: Config) -> bool:
        """Whether the original can answer while a kernel is built.

        Its library must take NumPy's functions and mean by them what NumPy does, as none does for bfloat16; and where
        that fails after all, nothing may have been stored, since the kernel is waited for then.
        """
        answers = all(array.kind.takes_numpys_functions for array in call.arrays)
        answers = answers and not any(is_bfloat16(node.dtype) for node in specialization.graph.nodes)
        return answers and not specialization.stores and not self._waits(config)

    def _specialized(self, readable: Sequence[Any]) -> tuple[Specialization, CallGeometry]:
        config = self._config()

        def make() -> Specialization:
            with mistakes_as_reasons():
                return specialize(self._prepared, readable, self._dump(config))

        found = self._cache.find_or_make(signature_key(readable), readable, make, config.max_kernels)
        with self._lock:
            self.misses += found.is_new
        if isinstance(found.entry, Refusal):
            raise CannotFuse(found.entry.diagnostic)
        specialization = found.entry
        with mistakes_as_reasons():
            guarded = [guard.expression for guard in specialization.guards]
            own = [*specialization.inputs, *specialization.scalars, *specialization.extents]
            refuse_reads([*own, *guarded, *self.looked_at_afterwards(specialization)], readable)
            inputs = [expression.evaluate(readable) for expression in specialization.inputs]
            refuse_own_arrays(inputs)
            extents = [int(expression.evaluate(readable)) for expression in specialization.extents]
            geometry = call_geometry(specialization, inputs, extents)
            sizes = temporary_sizes(geometry.temporaries, geometry.plan)
            return specialization, replace(geometry, temporaries=sizes)

    def _count_kernel(self) -> None:
        with self._lock:
            self.kernels += 1


def _buffer(made: NewArray | int) -> Facts | int:
    if isinstance(made, int):
        return made
    strides = dense_strides(made.shape, made.order, made.dtype.itemsize)
    return Facts(-1, 0, made.shape, tuple(strides), made.dtype)


# --- what happens at each call ----------------------------------------------------------------------------------------


def _started(
    found: DeviceLaunch,
    call: DeviceArguments,
    given: Sequence[Any],
    stand_ins: list[np.ndarray],
    own_stream: int | None,
) -> tuple[Any, int]:
    """Allocate, start the kernel, store, and put the result together; the device's context is active.

    Returns:
        As ``DeviceCalls.run``: where there are status bits, nothing has been stored.
    """
    launch, first = found.launch, call.arrays[0]
    targets = _store_targets(found, call, given, stand_ins)
    made, addresses = allocated(found, first.kind, first.array)
    packed = packed_arguments(found, given, addresses)
    status = launched(found, call, packed, own_stream)
    if status:
        return None, status
    outputs = [first.kind.hand_over(array) for array in made[: len(launch.outputs)]]
    for store, target in zip(launch.specialization.stores, targets, strict=True):
        first.kind.assign(target, outputs[store.index])
    if found.is_plain:
        return built_result(launch.specialization.result, outputs, given, {}), 0
    owners = [*call.arrays]
    shown = []
    for array, address, form in zip(outputs, addresses, found.buffers, strict=False):
        assert isinstance(form, Facts)
        facts = form._replace(address=address)
        owners.append(DeviceArray(first.kind, array, facts))
        shown.append(at_address(facts))
    value = built_result(launch.specialization.result, shown, given, {})
    return _returned(value, list(zip([*stand_ins, *shown], owners, strict=True))), 0


def _store_targets(
    found: DeviceLaunch, call: DeviceArguments, given: Sequence[Any], stand_ins: Sequence[np.ndarray]
) -> list[Any]:
    """The arrays of the caller that a call stores into, or views of them.

    Raises:
        CannotFuse: the order of reads and stores matters, or the arrays are of several libraries.
    """
    targets = []
    owners = list(zip(stand_ins, call.arrays, strict=True))
    for store in found.launch.specialization.stores:
        target = store.target.evaluate(given)
        check_store(target, [array.evaluate(given) for array in store.apart])
        if any(array.kind is not call.arrays[0].kind for array in call.arrays):
            raise refuse(Code.DEVICE, "arrays of several libraries are stored into")
        targets.append(_returned(target, owners))
    return targets


def allocated(found: DeviceLaunch, kind: ArrayKind, like: Any) -> tuple[list[Any], list[int]]:
    """Arrays for everything that a launch writes, and their addresses."""
    made: list[Any] = []
    addresses: list[int] = []
    try:
        for buffer in found.buffers:
            if isinstance(buffer, int):
                made.append(made[buffer])
                addresses.append(addresses[buffer])
                continue
            array, address = kind.empty(buffer, like)
            made.append(array)
            addresses.append(address)
    except kind.memory_errors as error:
        raise refuse(Code.DEVICE, "the device has no memory left for the result", notes=(str(error),)) from error
    return made, addresses


def packed_arguments(found: DeviceLaunch, given: Sequence[Any], addresses: Sequence[int]) -> bytes:
    """The operands and numbers of a call.

    Args:
        found: its launch.
        given: the arguments, with NumPy arrays that stand for the device arrays.
        addresses: of everything that the launch writes.

    Raises:
        CannotFuse: a number does not fit its place.
    """
    launch = found.launch
    inputs = [expression.evaluate(given) for expression in launch.specialization.inputs]
    input_addresses = [array.__array_interface__["data"][0] for array in inputs]
    try:
        scalars = launch.scalars(given) if launch.specialization.scalars else ()
        return launch.pack(*input_addresses, *addresses, *scalars)
    except MemoryError:
        raise
    except Exception as error:  # Python's scalar arithmetic may raise anything; the original raises it again
        raise does_not_fit(error) from error


def launched(found: DeviceLaunch, call: DeviceArguments, packed: bytes, own_stream: int | None) -> int:
    """Start the kernel on the stream of the first array's library, or the given one; others are ordered against it.

    Returns:
        Status bits of a kernel that may report, which is waited for; else 0.
    """
    prepared, device = cast(CudaLaunch, found.launch.prepared), found.device
    start: Any = prepared.start
    streams = {array.kind.stream(device.ordinal): None for array in call.arrays}
    stream = next(iter(streams)) if own_stream is None else own_stream
    others = [other for other in streams if other != stream]
    try:
        for other in others:
            device.order(other, stream)
        with device.report_words.word() if prepared.reports else nullcontext() as word:
            start(packed, stream, 0 if word is None else ctypes.addressof(word))
            for other in others:
                device.order(stream, other)
            if word is not None or any(array.kind.is_waited_for for array in call.arrays):
                device.calls.finish(stream)
            return 0 if word is None else word.value
    except Exception as error:
        refusal = device.launch_error(error)
        if refusal is None:
            raise
        raise refusal from error


def _returned(value: Any, owners: Sequence[tuple[np.ndarray, DeviceArray]]) -> Any:
    """A result with device arrays in place of their stand-ins, and views of them in place of views."""
    if isinstance(value, tuple | list):
        return type(value)([_returned(item, owners) for item in value])
    if isinstance(value, dict):
        return {key: _returned(item, owners) for key, item in value.items()}
    if not isinstance(value, np.ndarray):
        return value
    for stand_in, owner in owners:
        if value is stand_in:
            return owner.array
    base = owner_of(value)
    for stand_in, owner in owners:
        if owner_of(stand_in) is base:
            offset = value.__array_interface__["data"][0] - owner.facts.address
            return owner.kind.view(owner.array, offset, Facts(-1, 0, value.shape, value.strides, value.dtype))
    raise AssertionError("a result is a view of no array of the call")

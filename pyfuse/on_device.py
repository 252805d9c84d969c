"""A function's calls with device arrays, as its executor sees them: nothing is imported before one is seen."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pyfuse.launch import REPLAY
from pyfuse.runner import Runner

if TYPE_CHECKING:
    from pyfuse.cache_info import CacheInfo
    from pyfuse.compiler import StillBuilding
    from pyfuse.device_call import DeviceCalls
    from pyfuse.executor import Executor
    from pyfuse.prepared_function import PreparedFunction

MOST_HOOKED = 32  # parameters of a function whose calls the dispatcher binds: MOST_ARGUMENTS of dispatcher.c
_ON_THE_CPU = frozenset({np.ndarray, bool, int, float, complex, str, type(None)})


class DeviceOptions(NamedTuple):
    """What the user asks for.

    Attributes:
        target: ``cuda``: NumPy arrays are moved to a device; None: they are computed where they are.
        stream: where kernels are started instead of the arrays' library's own stream; None: there.
    """

    target: str | None = None
    stream: Any = None


AS_THEY_LIE = DeviceOptions()


class OnDevice:
    """The calls of one executor that run on a device.

    Attributes:
        options: what the user asks for.
    """

    def __init__(self, executor: Executor, options: DeviceOptions) -> None:
        self.options = options
        self._executor = executor
        self._calls: DeviceCalls | None = None
        self._moved_calls: DeviceCalls | None = None
        self._lock = threading.Lock()

    def calls(self, arguments: Sequence[Any]) -> DeviceCalls | None:
        """What answers such calls; None where no argument is on a device."""
        if self.options.target is None and all(type(argument) in _ON_THE_CPU for argument in arguments):
            return None
        from pyfuse.backend.cuda.array_kinds import holds_device_arrays

        if holds_device_arrays(arguments):
            return self._calls or self._made()
        return (self._moved_calls or self._made_moved()) if self.moves(arguments) else None

    def moves(self, arguments: Sequence[Any]) -> bool:
        """Whether NumPy arrays of a call go to a device."""
        if self.options.target is None:
            return False
        return any(map(_holds_arrays, arguments))

    def _made(self) -> DeviceCalls:
        from pyfuse.backend.cuda.nvrtc import warm_up

        warm_up()  # while the rest is imported
        from pyfuse.device_call import DeviceCalls

        executor, prepared = self._executor, self._executor.prepared()
        with self._lock:
            if self._calls is None:
                self._calls = DeviceCalls(prepared, executor.config, executor.dump_for, executor.waits, self._stream())
                self._hook(prepared, self._calls.table)
            return self._calls

    def _made_moved(self) -> DeviceCalls:
        from pyfuse.backend.cuda.nvrtc import warm_up

        warm_up()
        from pyfuse.moved_call import MovedCalls

        executor, prepared = self._executor, self._executor.prepared()
        with self._lock:
            if self._moved_calls is None:
                self._moved_calls = MovedCalls(
                    prepared, executor.config, executor.dump_for, executor.waits, self._stream()
                )
            return self._moved_calls

    def _stream(self) -> int | None:
        from pyfuse.backend.cuda.streams import handle_of

        return handle_of(self.options.stream) if self.options.stream is not None else None

    def _hook(self, prepared: PreparedFunction, table: Any) -> None:
        """Have the dispatcher ask the launcher before it goes the Python way."""
        binder, code, own = prepared.binder, prepared.code, self._executor.table
        if own is None or binder is None or code is None:
            return
        if binder.plain_count == len(binder.names) <= MOST_HOOKED:
            own.leave_others_to(table, code, binder.names, binder.positional_only_count)

    def runner(self, arguments: Sequence[Any]) -> Runner | None:
        """What runs all calls with arguments of these types; None where no argument is on a device."""
        calls = self.calls(arguments)
        if calls is None:
            return None
        runner = Runner(holds=None, run=calls.run, replay_bits=REPLAY, launch=None)
        runner.trial.is_tried = 1  # nothing is learned from timing: such calls do not wait for the device
        return runner

    def answer_meanwhile(
        self, building: StillBuilding, arguments: Sequence[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """The original's result while a kernel is built; where an array's library has none, the kernel's."""
        try:
            return self._executor.refuse(args, kwargs, building)
        except Exception:
            if self.calls(arguments) is None:
                raise
        building.build.wait()
        return self._executor.call(args, kwargs)

    def counted(self, info: CacheInfo) -> CacheInfo:
        """An executor's counters with those of device calls."""
        for calls in (self._calls, self._moved_calls):
            if calls is not None:
                info = info._replace(
                    hits=max(0, info.hits - calls.kernels),
                    misses=info.misses + calls.misses,
                    currsize=info.currsize + sum(len(entry.kernels) for entry in calls.entries()),
                    kernels=info.kernels + calls.kernels,
                )
        return info

    def clear(self) -> None:
        """Forget all."""
        if self._calls is not None:
            self._calls.table.forget()
        self._calls = self._moved_calls = None


def _holds_arrays(value: Any) -> bool:
    if type(value) in (tuple, list):
        return any(map(_holds_arrays, value))
    if type(value) is dict:
        return any(map(_holds_arrays, value.values()))
    return type(value) is np.ndarray

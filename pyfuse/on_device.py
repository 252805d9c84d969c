"""A function's calls with device arrays, as its executor sees them: nothing is imported before one is seen."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyfuse.runner import Runner

if TYPE_CHECKING:
    from pyfuse.cache_info import CacheInfo
    from pyfuse.device_call import DeviceCalls
    from pyfuse.executor import Executor
    from pyfuse.prepared_function import PreparedFunction

MOST_HOOKED = 32  # parameters of a function whose calls the dispatcher binds: MOST_ARGUMENTS of dispatcher.c
_ON_THE_CPU = frozenset({np.ndarray, bool, int, float, complex, str, type(None)})


class OnDevice:
    """The calls with device arrays of one executor."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._calls: DeviceCalls | None = None
        self._lock = threading.Lock()

    def calls(self, arguments: Sequence[Any]) -> DeviceCalls | None:
        """What answers such calls; None where no argument is on a device."""
        if all(type(argument) in _ON_THE_CPU for argument in arguments):
            return None
        from pyfuse.backend.cuda.array_kinds import holds_device_arrays

        if not holds_device_arrays(arguments):
            return None
        from pyfuse.device_call import DeviceCalls

        executor = self._executor
        prepared = executor.prepared()
        with self._lock:
            if self._calls is None:
                self._calls = DeviceCalls(prepared, executor.config, executor.dump_for)
                self._hook(prepared, self._calls.table)
            return self._calls

    def _hook(self, prepared: PreparedFunction, table: Any) -> None:
        """Have the dispatcher ask the launcher before it goes the Python way."""
        binder, own = prepared.binder, self._executor.table
        if own is not None and binder is not None and binder.plain_count == len(binder.names) <= MOST_HOOKED:
            own.leave_others_to(table, prepared.code, binder.names, binder.positional_only_count)

    def runner(self, arguments: Sequence[Any]) -> Runner | None:
        """What runs all calls with arguments of these types; None where no argument is on a device."""
        calls = self.calls(arguments)
        if calls is None:
            return None
        runner = Runner(holds=None, run=calls.run, replay_bits=0, launch=None)
        runner.trial.is_tried = 1  # nothing is learned from timing: such calls do not wait for the device
        return runner

    def counted(self, info: CacheInfo) -> CacheInfo:
        """An executor's counters with those of device calls."""
        calls = self._calls
        if calls is None:
            return info
        return info._replace(
            hits=max(0, info.hits - calls.kernels),
            misses=info.misses + calls.misses,
            currsize=info.currsize + sum(len(entry.kernels) for entry in calls.entries()),
            kernels=info.kernels + calls.kernels,
        )

    def clear(self) -> None:
        """Forget all."""
        if self._calls is not None:
            self._calls.table.forget()
        self._calls = None

"""Kernels that are built in threads while the original answers."""

from __future__ import annotations

import _thread
import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MOST_BUILDERS = 4
LONGEST_DELAY_SECONDS = 0.05  # of a build, for the call that asked for it
PATIENCE_AT_EXIT_SECONDS = 5.0  # for what is being built when the program ends: the next process finds it


class Build(Generic[T]):
    """Something that is being built, once the call that asked for it has been answered.

    A thread that runs Python holds up all others for up to 5 ms (``sys.getswitchinterval``), which is more than most
    first calls take.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: T | None = None
        self._error: Exception | None = None
        self._process = os.getpid()
        self._over = threading.Event()
        self._may_begin = threading.Event()

    def begin(self) -> None:
        """Let it begin: its result is waited for, or whoever asked for it has nothing else to do."""
        self._may_begin.set()

    def run(self) -> None:
        """Build it, in whatever thread this is."""
        self._may_begin.wait(LONGEST_DELAY_SECONDS)
        try:
            self._made = self._make()
        except Exception as error:  # out of memory, say: it is raised where the result is asked for
            self._error = error
        finally:
            self._over.set()

    def is_lost(self) -> bool:
        """Whether it will never be over here: what goes on at a fork ends in the parent only."""
        return self._process != os.getpid() and not self._over.is_set()

    def is_pending(self) -> bool:
        """Whether there is neither a result yet, nor an error, and one will come."""
        return not self._over.is_set() and not self.is_lost()

    def wait(self, seconds: float | None = None) -> None:
        """Until it is over, or so long."""
        self.begin()
        self._over.wait(seconds)

    def result(self) -> T:
        """What was built, once it is over.

        Raises:
            Exception: as building it did.
        """
        if self._error is not None:
            raise self._error
        made: Any = self._made
        return made  # type: ignore[no-any-return]


class Builders:
    """A few threads that build one thing after the other, and end when there is nothing left to do."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """As in a new process: of a forked child, which has none of the threads."""
        self._lock = threading.Lock()
        self._waiting: deque[Build[Any]] = deque()
        self._running: set[Build[Any]] = set()  # one for each thread

    def start(self, make: Callable[[], T]) -> Build[T]:
        """Have something built. Where no thread can be started, it is built now."""
        build = Build(make)
        with self._lock:
            if len(self._running) >= min(MOST_BUILDERS, max(1, (os.cpu_count() or 1) // 2)):
                self._waiting.append(build)
                return build
            self._running.add(build)
        atexit.unregister(self.end)  # anew, so that it comes before what removes temporary folders of kernels
        atexit.register(self.end)
        try:
            # Not threading.Thread, whose start() waits for the thread: on a busy machine for a time slice (4 ms).
            _thread.start_new_thread(self._work, (build,))
        except RuntimeError:  # too many threads, or the program is ending
            build.begin()
            self._work(build)
        return build

    def _work(self, build: Build[Any]) -> None:
        while True:
            build.run()
            with self._lock:
                self._running.discard(build)
                if not self._waiting:
                    return
                build = self._waiting.popleft()
                self._running.add(build)

    def end(self) -> None:
        """Begin nothing more, and wait for what is running."""
        with self._lock:
            self._waiting.clear()
            running = list(self._running)
        end = time.monotonic() + PATIENCE_AT_EXIT_SECONDS
        for build in running:
            build.wait(max(0.0, end - time.monotonic()))


builders = Builders()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=builders.reset)

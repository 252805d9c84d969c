"""How fast this machine streams memory: copy, triad and read loops in C with as many threads as a kernel may use."""

from __future__ import annotations

import ctypes
import shlex
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from benchmarks.machine import compiler_command

ELEMENTS = 10_000_000  # float64 of each array: 80 MB
REPEATS = 9

# Stores that pass by the caches spare the read of the line that is stored to (write-allocate): 16-byte ones, which
# every x86-64 processor has. Source: McCalpin's STREAM for the loops and for what counts as bytes.
_SOURCE = """
typedef double pair __attribute__((vector_size(16)));
void copy(long n, const double *restrict a, const double *restrict b, double *restrict c)
{ (void)b; for (long i = 0; i < n; i++) c[i] = a[i]; }
void triad(long n, const double *restrict a, const double *restrict b, double *restrict c)
{ for (long i = 0; i < n; i++) c[i] = a[i] + 3.0 * b[i]; }
void read_only(long n, const double *restrict a, const double *restrict b, double *restrict c)
{ double s[32] = {0}; (void)b; long i = 0;
  for (; i + 32 <= n; i += 32) for (int k = 0; k < 32; k++) s[k] += a[i + k];
  for (int k = 1; k < 32; k++) s[0] += s[k];
  if (s[0] == 0.1) c[0] = s[0]; }
#ifdef __x86_64__
void copy_past_caches(long n, const double *restrict a, const double *restrict b, double *restrict c)
{ (void)b; for (long i = 0; i + 1 < n; i += 2) __builtin_ia32_movntpd(c + i, *(const pair *)(a + i)); }
void triad_past_caches(long n, const double *restrict a, const double *restrict b, double *restrict c)
{ for (long i = 0; i + 1 < n; i += 2)
    __builtin_ia32_movntpd(c + i, *(const pair *)(a + i) + 3.0 * *(const pair *)(b + i)); }
#endif
"""
_ARRAYS_MOVED = {"copy": 2, "copy_past_caches": 2, "triad": 3, "triad_past_caches": 3, "read_only": 1}


@dataclass(frozen=True, kw_only=True)
class Streaming:
    """The loops, ready to be called.

    Attributes:
        loops: by name; each call streams its arrays once.
        bytes_moved: by name, what a call reads and stores, without the reads of lines that are stored to.
        threads: of each loop.
    """

    loops: dict[str, Callable[[], None]]
    bytes_moved: dict[str, int]
    threads: int


def build_streaming(threads: int, elements: int = ELEMENTS) -> Streaming:
    """Compile the loops and touch their arrays.

    Raises:
        OSError: there is no C compiler, or it failed.
    """
    library = _compile()
    arrays = [_aligned(elements) for _ in range(3)]
    part = -(-elements // threads) // 64 * 64 + 64  # whole cache lines
    bounds = [(start, min(part, elements - start)) for start in range(0, elements, part)]
    pool = ThreadPoolExecutor(len(bounds))
    loops: dict[str, Callable[[], None]] = {}
    for name in _ARRAYS_MOVED:
        function = getattr(library, name, None)
        if function is not None:
            loops[name] = _loop(function, bounds, arrays, pool)
    bytes_moved = {name: _ARRAYS_MOVED[name] * elements * 8 for name in loops}
    return Streaming(loops=loops, bytes_moved=bytes_moved, threads=len(bounds))


def gigabytes_per_second(streaming: Streaming) -> dict[str, float]:
    """The median rate of each loop, the loops called in turns."""
    times: dict[str, list[int]] = {name: [] for name in streaming.loops}
    for _ in range(REPEATS):
        for name, loop in streaming.loops.items():
            start = perf_counter_ns()
            loop()
            times[name].append(perf_counter_ns() - start)
    return {name: streaming.bytes_moved[name] / statistics.median(values) for name, values in times.items()}


def fastest_triad(rates: dict[str, float]) -> str:
    """The name of the faster triad, which stands for the machine's streaming bandwidth."""
    return max((name for name in rates if name.startswith("triad")), key=rates.__getitem__)


def _loop(
    function: Any, bounds: list[tuple[int, int]], arrays: list[np.ndarray[Any, Any]], pool: ThreadPoolExecutor
) -> Callable[[], None]:
    """A call that runs each part in a thread; ctypes lets the others run meanwhile."""
    calls = [
        (ctypes.c_long(count), *(ctypes.c_void_p(array.ctypes.data + 8 * start) for array in arrays))
        for start, count in bounds
    ]

    def run() -> None:
        waiting = [pool.submit(function, *call) for call in calls[1:]]
        function(*calls[0])
        for part in waiting:
            part.result()

    run.arrays = arrays  # type: ignore[attr-defined]  # they live as long as the loop
    return run


def _aligned(elements: int) -> np.ndarray[Any, Any]:
    """Numbers that begin on a cache line."""
    space = np.ones(elements + 8)
    skipped = -(space.ctypes.data // 8) % 8
    return space[skipped : skipped + elements]


def _compile() -> ctypes.CDLL:
    """The loops as a library, whose file is removed once it is loaded."""
    command = compiler_command()
    if not command:
        raise OSError("no C compiler was found")
    folder = Path(tempfile.mkdtemp(prefix="streaming-"))
    try:
        source, library = folder / "loops.c", folder / "loops.so"
        source.write_text(_SOURCE, encoding="utf-8")
        words = [*command, "-O3", "-march=native", "-shared", "-fPIC", "-o", str(library), str(source)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"{shlex.join(command)} failed: {done.stderr.strip()[:200]}")
        return ctypes.CDLL(str(library))
    finally:
        shutil.rmtree(folder, ignore_errors=True)

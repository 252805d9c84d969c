"""Fused kernels on a CUDA device against torch.compile and cupy.fuse (run: ``python -m benchmarks.gpu``).

Arrays have 2**24 to 2**26 elements, so that memory and not the cache is measured; two sets of inputs are taken in turn.
Times are medians of intervals between events with the queue kept full; answers are checked against CuPy's in float64
before. The rate of a copy on the device is measured in the same run, and bytes are those of each input once and each
output once. Peers that are not installed are left out, and the table says so.
"""
# ruff: noqa: ARG001  the functions take NumPy, CuPy or PyTorch as ``np``, used or not

from __future__ import annotations

import argparse
import importlib
import importlib.util
import inspect
import itertools
import json
import linecache
import math
import statistics
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import pyfuse

EVENTS = 25
SIDE = 8192
CALLS = 1000
ROUNDS = 5


def multiply_add(np: Any, a: Any, b: Any, c: Any) -> Any:
    return a * b + c


def chain(np: Any, a: Any, b: Any, c: Any) -> Any:
    return np.tanh(a * b + c) * 0.5 + np.sqrt(np.abs(a)) - b * c


def black_scholes(np: Any, spot: Any, strike: Any, years: Any) -> Any:
    spread = 0.3 * np.sqrt(years)
    d1 = (np.log(spot / strike) + (0.02 + 0.5 * 0.3 * 0.3) * years) / spread
    d2 = d1 - spread
    near = 0.5 * (1.0 + np.tanh(0.7978845608 * (d1 + 0.044715 * d1 * d1 * d1)))
    far = 0.5 * (1.0 + np.tanh(0.7978845608 * (d2 + 0.044715 * d2 * d2 * d2)))
    return spot * near - strike * np.exp(-0.02 * years) * far


def affine(np: Any, x: Any, row: Any, column: Any) -> Any:
    return x * row + column


def stencil(np: Any, x: Any) -> Any:
    return (x[1:-1, 1:-1] + x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:]) * 0.2


def lstm(np: Any, i: Any, f: Any, g: Any, o: Any, c: Any) -> Any:
    state = c / (1.0 + np.exp(-f)) + np.tanh(g) / (1.0 + np.exp(-i))
    return state, np.tanh(state) / (1.0 + np.exp(-o))


def transposed(np: Any, a: Any, b: Any) -> Any:
    return a.T * b + 1.0


def sum_of_squares(np: Any, a: Any, b: Any) -> Any:
    return np.sum((a - b) * (a - b))


def softmax(np: Any, x: Any) -> Any:
    raised = np.exp(x - np.max(x, axis=1, keepdims=True))
    return raised / np.sum(raised, axis=1, keepdims=True)


def column_sums(np: Any, a: Any, b: Any) -> Any:
    return np.sum((a - b) * (a - b), axis=0)


class Case(NamedTuple):
    """A function and the shapes of its arguments."""

    function: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    is_positive: bool = False


FLAT = (SIDE * SIDE,)
SQUARE = (SIDE, SIDE)
GATES = (8192, 2048)
CASES = {
    "fma": Case(multiply_add, (FLAT,) * 3),
    "chain": Case(chain, (FLAT,) * 3),
    "black_scholes": Case(black_scholes, (FLAT,) * 3, is_positive=True),
    "affine": Case(affine, (SQUARE, (1, SIDE), (SIDE, 1))),
    "stencil": Case(stencil, (SQUARE,)),
    "lstm": Case(lstm, (GATES,) * 5),
    "transposed": Case(transposed, (SQUARE,) * 2),
    "sum_of_squares": Case(sum_of_squares, (FLAT,) * 2),
    "softmax_4096": Case(softmax, ((16384, 4096),)),
    "softmax_1024": Case(softmax, ((65536, 1024),)),
    "column_sums": Case(column_sums, (SQUARE,) * 2),
}


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of arrays only, with NumPy for ``np``: what a user would write."""
    source = textwrap.dedent(inspect.getsource(function)).replace("(np: Any, ", "(", 1)
    name = f"benchmark_{function.__name__}.py"
    namespace: dict[str, Any] = {"np": np, "Any": Any, "__name__": "benchmarks.gpu_functions"}
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), namespace)
    return namespace[function.__name__]  # type: ignore[no-any-return]


def systems(cupy: Any, torch: Any, case: Case) -> dict[str, tuple[Callable[..., Any], bool]]:
    """Each system's function, and whether it takes tensors."""
    found: dict[str, tuple[Callable[..., Any], bool]] = {"pyfuse": (pyfuse.fuse(plain(case.function)), False)}
    names = ", ".join(f"a{place}" for place in range(len(case.shapes)))  # these want arguments written out
    namespace: dict[str, Any] = {"function": case.function, "library": cupy}
    exec(f"def fused({names}):\n    return function(library, {names})\n", namespace)
    found["cupy.fuse"] = (cupy.fuse(namespace["fused"]), False)
    if torch is not None:
        importlib.import_module("torch._dynamo").reset()  # each case is compiled for itself
        namespace = {"function": case.function, "library": _TorchNames(torch)}
        exec(f"def compiled({names}):\n    return function(library, {names})\n", namespace)
        found["torch.compile"] = (torch.compile(namespace["compiled"], dynamic=False), True)
    return found


class _TorchNames:
    """PyTorch's functions under NumPy's names."""

    def __init__(self, torch: Any) -> None:
        self.exp, self.log, self.tanh, self.sqrt, self.abs = torch.exp, torch.log, torch.tanh, torch.sqrt, torch.abs
        self._torch = torch

    def max(self, x: Any, axis: int, keepdims: bool) -> Any:
        return self._torch.amax(x, axis, keepdim=keepdims)

    def sum(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        return self._torch.sum(x) if axis is None else self._torch.sum(x, axis, keepdim=keepdims)


def interval(cupy: Any, call: Callable[[int], Any]) -> float:
    """Median milliseconds of a call between events, with the queue kept full."""
    for number in range(4):
        call(number)
    cupy.cuda.Device().synchronize()
    events = [cupy.cuda.Event() for _ in range(EVENTS + 1)]
    events[0].record()
    for number in range(EVENTS):
        call(number)
        events[number + 1].record()
    events[-1].synchronize()
    times = [cupy.cuda.get_elapsed_time(a, b) for a, b in itertools.pairwise(events)]
    return statistics.median(times)


def copy_rate(cupy: Any) -> float:
    """GB/s of a copy on the device, read and written."""
    pairs = [(cupy.ones(2**28, "f4"), cupy.empty(2**28, "f4")) for _ in range(2)]
    milliseconds = interval(cupy, lambda number: cupy.copyto(pairs[number % 2][1], pairs[number % 2][0]))
    return float(2 * 4 * 2**28 / milliseconds / 1e6)


def inputs(cupy: Any, case: Case, code: str, seed: int) -> list[Any]:
    """Random arrays of a case."""
    cupy.random.seed(seed)
    made = []
    for shape in case.shapes:
        values = cupy.random.random(shape, dtype="f4" if code == "f4" else "f8") + (0.5 if case.is_positive else -0.5)
        made.append(values.astype(code))
    return made


def check(cupy: Any, result: Any, case: Case, arrays: Sequence[Any], code: str) -> None:
    """Compare with CuPy's answer in float64.

    Raises:
        AssertionError: they differ by more than rounding.
    """
    expected = case.function(cupy, *[array.astype("f8") for array in arrays])
    results = result if isinstance(result, tuple) else (result,)
    answers = expected if isinstance(expected, tuple) else (expected,)
    bound = 3e-5 if code == "f4" else 1e-12
    for mine, theirs in zip(results, answers, strict=True):
        mine = cupy.asarray(mine)
        assert mine.shape == theirs.shape, (mine.shape, theirs.shape)
        error = float(cupy.abs(mine - theirs).max() / (cupy.abs(theirs).max()))
        assert error < bound, f"wrong by {error}"


def measure(cupy: Any, torch: Any, names: Sequence[str], codes: Sequence[str], ceiling: float) -> list[dict[str, Any]]:
    """One row for each case and dtype."""
    rows = []
    for name in names:
        case = CASES[name]
        for code in codes:
            sets = [inputs(cupy, case, code, seed) for seed in range(2)]
            row: dict[str, Any] = {"case": name, "dtype": code}
            size = np.dtype(code).itemsize
            outputs = case.function(cupy, *sets[0])
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            moved = size * (sum(map(math.prod, case.shapes)) + sum(output.size for output in outputs))
            del outputs
            for system, (function, takes_tensors) in systems(cupy, torch, case).items():
                given = [[torch.from_dlpack(array) for array in arrays] for arrays in sets] if takes_tensors else sets
                row[system] = timed(cupy, case, function, given, sets, code, moved, ceiling)
                if isinstance(function, pyfuse.decorator.FusedFunction):
                    info = function.cache_info()
                    row["fused"] = info.fallback_calls == 0 and info.kernels == 1
                    if not row["fused"] and function._executor.fallback.last is not None:
                        row["reason"] = function._executor.fallback.last.message
            rows.append(row)
            print(draw(row), flush=True)
            cupy.get_default_memory_pool().free_all_blocks()
    return rows


def timed(
    cupy: Any,
    case: Case,
    function: Callable[..., Any],
    given: Sequence[Sequence[Any]],
    sets: Sequence[Sequence[Any]],
    code: str,
    moved: int,
    ceiling: float,
) -> Any:
    """Milliseconds, GB/s and the ratio to a copy, or what went wrong."""
    try:
        check(cupy, function(*given[0]), case, sets[0], code)
        milliseconds = interval(cupy, lambda number: function(*given[number % 2]))
    except Exception as error:  # a peer that cannot do it: the table says what it says
        return f"{type(error).__name__}: {str(error).splitlines()[0][:60] if str(error) else ''}"
    rate = moved / milliseconds / 1e6
    return [round(milliseconds, 4), round(rate), round(rate / ceiling, 3)]


def draw(row: dict[str, Any]) -> str:
    """One line of the table."""
    cells = [f"{row['case']:15s} {row['dtype']}"]
    for system in ("pyfuse", "torch.compile", "cupy.fuse"):
        value = row.get(system, "not installed")
        cells.append(
            f"{value[0]:8.4f} ms {value[1]:5d} {value[2]:5.3f}" if isinstance(value, list) else f"{value:24.24s}"
        )
    return " | ".join(cells) + ("" if row.get("fused") else f" | NOT FUSED: {row.get('reason')}")


def call_costs(cupy: Any, torch: Any) -> dict[str, float]:
    """Microseconds of a call on arrays of 1024 elements, back to back: the best of some rounds."""
    function = plain(multiply_add)
    arrays = [cupy.ones(1024, "f4") for _ in range(3)]
    stream = cupy.cuda.Stream(non_blocking=True)
    found: dict[str, tuple[Callable[..., Any], Sequence[Any]]] = {
        "pyfuse, CuPy arrays": (pyfuse.fuse(function, strict=True), arrays),
        "pyfuse, stream=": (pyfuse.fuse(function, strict=True, stream=stream), arrays),
        "cupy.fuse": (cupy.fuse(function), arrays),
        "CuPy": (function, arrays),
    }
    if torch is not None:
        tensors = [torch.ones(1024, device="cuda") for _ in range(3)]
        found["pyfuse, tensors"] = (pyfuse.fuse(function, strict=True), tensors)
        found["torch.compile"] = (torch.compile(lambda a, b, c: a * b + c), tensors)
        found["PyTorch"] = (function, tensors)
    with pycuda_arrays() as (plain_arrays, pooled):
        found["pyfuse, GPUArrays"] = (pyfuse.fuse(function, strict=True), plain_arrays)
        found["pyfuse, pooled GPUArrays"] = (pyfuse.fuse(function, strict=True), pooled)
        found["pycuda"] = (function, plain_arrays)
        moved = [cupy.asnumpy(array) for array in arrays]
        found["pyfuse, NumPy arrays, target='cuda'"] = (pyfuse.fuse(function, strict=True, target="cuda"), moved)
        return {name: call_cost(cupy, call, given) for name, (call, given) in found.items()}


def call_cost(cupy: Any, call: Callable[..., Any], given: Sequence[Any]) -> float:
    """Microseconds of a call, the best of some rounds."""
    for _ in range(200):
        call(*given)
    rounds = []
    for _ in range(ROUNDS):
        cupy.cuda.Device().synchronize()
        started = time.perf_counter()
        for _ in range(CALLS):
            call(*given)
        cupy.cuda.Device().synchronize()
        rounds.append((time.perf_counter() - started) / CALLS * 1e6)
    return round(min(rounds), 2)


@contextmanager
def pycuda_arrays() -> Iterator[tuple[list[Any], list[Any]]]:
    """Three arrays of pycuda's, and three of its memory pool, in the device's primary context."""
    driver = importlib.import_module("pycuda.driver")
    gpuarray, tools = importlib.import_module("pycuda.gpuarray"), importlib.import_module("pycuda.tools")
    driver.init()
    context = driver.Device(0).retain_primary_context()
    context.push()
    try:
        ones = np.ones(1024, "f4")
        pool = tools.DeviceMemoryPool()
        pooled = [gpuarray.to_gpu(ones, allocator=pool.allocate) for _ in range(3)]
        yield [gpuarray.to_gpu(ones) for _ in range(3)], pooled
    finally:
        driver.Context.pop()


def first_calls(cupy: Any) -> dict[str, float]:
    """Milliseconds of the first call of a function that was never built, and of one that the store has."""
    arrays = [cupy.ones(1024, "f4") for _ in range(3)]
    costs = {}
    for name in ("built", "from the store"):
        fused = pyfuse.fuse(plain(chain), strict=True)
        started = time.perf_counter()
        fused(*arrays)
        costs[name] = round((time.perf_counter() - started) * 1e3, 2)
    return costs


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--dtypes", nargs="*", default=["f4", "f8"], choices=["f4", "f8"])
    parser.add_argument("--no-torch", action="store_true", help="leave torch.compile out, which takes seconds a case")
    parser.add_argument("--calls", action="store_true", help="measure calls of small arrays too")
    parser.add_argument("--json", type=Path, help="write everything to a file")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("cupy") is None:
        print("CuPy is not installed: it makes the arrays and the answers", file=sys.stderr)
        return 1
    cupy = importlib.import_module("cupy")
    has_torch = not options.no_torch and importlib.util.find_spec("torch") is not None
    torch = importlib.import_module("torch") if has_torch else None
    properties = cupy.cuda.runtime.getDeviceProperties(0)
    first = first_calls(cupy)
    ceiling = copy_rate(cupy)
    print(f"{properties['name'].decode()}: a copy on the device runs at {ceiling:.0f} GB/s", flush=True)
    print("ms, GB/s, ratio to the copy", flush=True)
    rows = measure(cupy, torch, options.cases, options.dtypes, ceiling)
    costs = call_costs(cupy, torch) if options.calls else {}
    for name, microseconds in costs.items():
        print(f"{name:36s} {microseconds:8.2f} us a call")
    print(f"first call: {first}")
    if options.json is not None:
        record = {"device": properties["name"].decode(), "copy": ceiling, "rows": rows, "calls": costs, "first": first}
        options.json.write_text(json.dumps(record, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m examples``: every program plain and fused, answers checked first; times are medians of one run."""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from examples import (
    conjugate_gradient,
    fractals,
    heat,
    jacobi,
    kmeans,
    nbody,
    ocean_mixing,
    option_pricer,
    recurrent_cells,
    shallow_water,
    sharpen,
)  # fmt: skip

os.environ.setdefault("PYFUSE_WAIT", "1")  # kernels are measured, not what answers while they are built


class Example(NamedTuple):
    """A program and the arguments of its calls.

    Attributes:
        name: of the program.
        function: fused.
        arguments: of a size.
        helpers: other fused functions that it calls: plain, they are plain too.
    """

    name: str
    function: Any
    arguments: Callable[[int], tuple[Any, ...]]
    helpers: tuple[tuple[Any, str], ...] = ()


EXAMPLES = (
    Example("heat", heat.diffuse, heat.arguments),
    Example("shallow water", shallow_water.step, shallow_water.arguments),
    Example("jacobi", jacobi.solve, jacobi.arguments),
    Example("n-body", nbody.leapfrog, nbody.arguments, ((nbody, "accelerations"),)),
    Example("mandelbrot", fractals.mandelbrot, fractals.arguments),
    Example("julia", fractals.julia, fractals.julia_arguments),
    Example("lstm", recurrent_cells.lstm, recurrent_cells.arguments),
    Example("gru", recurrent_cells.gru, recurrent_cells.gru_arguments),
    Example("k-means", kmeans.lloyd, kmeans.arguments),
    Example("conjugate gradient", conjugate_gradient.solve, conjugate_gradient.arguments),
    Example("option pricer", option_pricer.asian_call, option_pricer.arguments),
    Example("sharpen", sharpen.sharpen, sharpen.arguments),
    Example("ocean mixing", ocean_mixing.mix, ocean_mixing.arguments, ((ocean_mixing, "solve_tridiagonal"),)),
)


def plain(example: Example) -> Callable[..., Any]:
    """The program without pyfuse."""

    def call(*arguments: Any) -> Any:
        fused = [getattr(module, name) for module, name in example.helpers]
        for (module, name), helper in zip(example.helpers, fused, strict=True):
            setattr(module, name, helper.__wrapped__)
        try:
            return example.function.__wrapped__(*arguments)
        finally:
            for (module, name), helper in zip(example.helpers, fused, strict=True):
                setattr(module, name, helper)

    return call


def assert_close(actual: Any, expected: Any) -> None:
    """Raise AssertionError where two results are further apart than a few roundings."""
    if isinstance(expected, tuple):
        for one, other in zip(actual, expected, strict=True):
            assert_close(one, other)
        return
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)
    assert np.asarray(actual).dtype == np.asarray(expected).dtype


def ratio(example: Example, size: int, seconds: float) -> tuple[float, float, list[float]]:
    """Median microseconds plain and fused, and the ratio of each pair of calls, taken in turn."""
    functions = (plain(example), example.function)
    original = example.arguments(size)
    for _ in range(3):
        given = [copy.deepcopy(original) for _ in functions]
        results = [function(*arguments) for function, arguments in zip(functions, given, strict=True)]
        assert_close(results[1], results[0])
        assert_close(given[1], given[0])
    times: list[list[float]] = [[], []]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for number, function in enumerate(functions):
            arguments = copy.deepcopy(original)
            begin = time.perf_counter()
            function(*arguments)
            times[number].append(time.perf_counter() - begin)
    pairs = [one / other for one, other in zip(*times, strict=True)]
    return statistics.median(times[0]) * 1e6, statistics.median(times[1]) * 1e6, pairs


def main(words: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m examples", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 10_000, 1_000_000])
    parser.add_argument("--seconds", type=float, default=1.0, help="for each program and size")
    parser.add_argument("--only", nargs="+", default=None, help="names of programs")
    options = parser.parse_args(words)
    print("| program | n | NumPy us | fused us | times faster [quartiles] |\n|---|---:|---:|---:|---:|")
    means: dict[int, list[float]] = {}
    for example in EXAMPLES:
        for size in options.sizes:
            if options.only is not None and example.name not in options.only:
                continue
            numpy_us, fused_us, pairs = ratio(example, size, options.seconds)
            low, middle, high = statistics.quantiles(pairs, n=4)
            shown = f"{middle:.2f}" if middle >= 1 else f"**{middle:.2f}**"
            print(
                f"| {example.name} | {size:,} | {numpy_us:,.1f} | {fused_us:,.1f} | {shown} [{low:.2f}, {high:.2f}] |"
            )
            means.setdefault(size, []).append(middle)
    for size, ratios in means.items():
        print(f"geometric mean at {size:,}: {statistics.geometric_mean(ratios):.2f}")
    for example in EXAMPLES:
        if options.only is None or example.name in options.only:
            info = example.function.cache_info()
            print(f"\n{example.name}: {info.fused_calls} fused, {info.partly_fused_calls} in part,"
                  f" {info.fallback_calls} plain, {example.function.fallback_reasons()}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())

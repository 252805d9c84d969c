"""Run the demonstration: every program plain and fused, compared, checked and timed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pyfuse.demo.difference import NAN_APART, Difference
from pyfuse.demo.measurement import Measurement, measure
from pyfuse.demo.programs import PROGRAMS
from pyfuse.demo.table import draw_table

DEFAULT_REPEATS = 7

_HEADER = (
    "program",
    "elements",
    "NumPy ms",
    "fused ms",
    "times faster",
    "first call ms",
    "max ULP",
    "max relative",
    "check",
    "kernels",
    "ran as NumPy because",
)
_TEXT_COLUMNS = (0, 8, 10)
_LEGEND = """\
times faster: NumPy over fused time, median over pairs of neighbouring calls
max ULP, max relative: largest difference from NumPy, in units in the last place of an element and
    as a fraction of the largest element
check: NumPy's result within the program's bound, and the published values met"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration from the command line.

    Args:
        arguments: the words after ``python -m pyfuse demo``; None takes them from the command line.

    Returns:
        The exit status: 0 when all answers are right, 1 otherwise.

    Raises:
        SystemExit: the words are not understood, or help was asked for.
    """
    parser = argparse.ArgumentParser(prog="python -m pyfuse demo", description="Real NumPy programs, plain and fused.")
    parser.add_argument("--points", type=_positive, help="elements of each result (default: each program's own)")
    parser.add_argument("--repeats", type=_positive, default=DEFAULT_REPEATS, help="timed calls (default: %(default)s)")
    options = parser.parse_args(arguments)
    return run(points=options.points, repeats=options.repeats)


def run(points: int | None = None, repeats: int = DEFAULT_REPEATS) -> int:
    """Measure every program, and print the table.

    Args:
        points: wanted number of elements of each result, at least 1; None takes each program's own.
        repeats: timed calls of each function, at least 1.

    Returns:
        0 when every fused result is NumPy's and meets the published values, 1 otherwise.
    """
    measurements = [measure(program, points or program.points, repeats) for program in PROGRAMS]
    print(draw_report(measurements))
    return 0 if all(measurement.passed for measurement in measurements) else 1


def draw_report(measurements: Sequence[Measurement]) -> str:
    """The table of all programs, its legend, and a line for each thing that is wrong."""
    table = draw_table(_HEADER, [_row(measurement) for measurement in measurements], _TEXT_COLUMNS)
    wrong = [f"wrong: {complaint}" for measurement in measurements for complaint in _complaints(measurement)]
    return "\n".join((table, "", _LEGEND, *wrong))


def _row(measurement: Measurement) -> tuple[str, ...]:
    """The cells of one program."""
    reasons = ", ".join(f"{code} ({count})" for code, count in measurement.fallback_reasons)
    return (
        measurement.program.name,
        f"{measurement.elements:,}",
        f"{measurement.numpy_ms:.2f}",
        f"{measurement.fused_ms:.2f}",
        f"{measurement.ratio:.1f}",
        f"{measurement.first_call_ms:.1f}",
        _ulp_cell(measurement.difference),
        _relative_cell(measurement.difference),
        "ok" if measurement.passed else "WRONG",
        str(measurement.kernels),
        reasons or "-",
    )


def _ulp_cell(found: Difference) -> str:
    """Largest distance in units in the last place, or what keeps it from being measured."""
    if found.mismatch:
        return "-"
    return "NaN" if found.ulp == NAN_APART else f"{found.ulp:,}"


def _relative_cell(found: Difference) -> str:
    """Largest relative difference; a plain 0 when there is none."""
    if found.mismatch:
        return "-"
    return f"{found.relative:.1e}" if found.relative else "0"


def _complaints(measurement: Measurement) -> tuple[str, ...]:
    """One sentence for each thing that is wrong with a program's result."""
    name, found = measurement.program.name, measurement.difference
    misses = tuple(f"{name}: {miss}" for miss in measurement.misses)
    if measurement.agrees_with_numpy:
        return misses
    if found.mismatch:
        return (f"{name}: {found.mismatch}", *misses)
    bound = measurement.program.max_relative
    allowed = f"{bound:g} of the largest element" if bound else "no bit"
    return (f"{name}: differs from NumPy by {found.relative:.3g}, {found.ulp} ULP; allowed is {allowed}", *misses)


def _positive(word: str) -> int:
    """A whole number above 0."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} is not above 0")
    return number

"""Collects measured errors, and writes them down when asked to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[2] / "docs" / "accuracy.md"
HEADER = """# Accuracy of transcendental functions

Largest distance from the exact result, in units in the last place (ULP) of the exact result, over ordinary arguments,
arguments spread over all magnitudes, and random bit patterns, against mpmath at 40 digits. Written by
`python -m pytest tests/accuracy --update-accuracy`; the test fails above 4 ULP. `gammaln`, `logaddexp`, `logaddexp2`,
`logit` and `xlogy` are measured in units of at least 2**-52 (float32: 2**-23) near their zeros. float16 is computed in
float32 and rounded. Everything that is not in this table is bit-identical to NumPy (`pyfuse/graph/ops.py` says which is
which).

| function | float64, max ULP | float32, max ULP | arguments of each |
|---|---|---|---|
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-accuracy", action="store_true", help="write docs/accuracy.md")


@pytest.fixture(scope="session")
def accuracy(pytestconfig: pytest.Config) -> Iterator[dict[tuple[str, str], tuple[float, int]]]:
    """Filled by the tests: (function, dtype code) to (largest error, arguments)."""
    measured: dict[tuple[str, str], tuple[float, int]] = {}
    yield measured
    if pytestconfig.getoption("--update-accuracy", default=False):
        TABLE.write_text(HEADER + "".join(_rows(measured)), encoding="utf-8")


def _rows(measured: dict[tuple[str, str], tuple[float, int]]) -> list[str]:
    rows = []
    for name in sorted({name for name, _ in measured}):
        cells = [
            f"{measured[name, code][0]:.2f}" if (name, code) in measured else "as float64" for code in ("f8", "f4")
        ]
        count = max(entry[1] for (key, _), entry in measured.items() if key == name)
        rows.append(f"| {name} | {cells[0]} | {cells[1]} | {count} |\n")
    return rows

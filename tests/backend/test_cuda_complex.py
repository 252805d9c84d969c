"""Are functions of complex numbers that a device has of its own near the correct result, and C99's at the edges?

The texts are compiled for the CPU; long doubles say what is correct.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.complex_functions import FUNCTIONS, all_at_once, errors, samples
from tests.cuda_texts import COMPILER, run_on_shim

pytestmark = pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")

# Largest errors of one part, in units in its last place; tangents are made of three functions. What is computed in
# double is nearly correct in single.
MOST_ULPS = {"c8": 1.0, "c16": 4.0}
MOST_OF_TANGENTS = 6.0


@pytest.mark.parametrize("code", ["c8", "c16"])
def test_they_are_near_the_correct_result(code: str, tmp_path: Path) -> None:
    found = errors(code, samples(code), lambda z: run_on_shim(tmp_path, all_at_once, z))
    tangents = [found.pop("tan"), found.pop("tanh")]
    assert max(found.values()) <= MOST_ULPS[code], found
    assert max(tangents) <= (MOST_ULPS if code == "c8" else {code: MOST_OF_TANGENTS})[code], tangents


EDGES = [0.0, -0.0, 1.0, -1.5, np.inf, -np.inf, np.nan, 1e-310, 1e300, -1e300, 710.0, -710.0]


def test_what_c99_says_of_the_edges_holds(tmp_path: Path) -> None:
    re, im = np.meshgrid(EDGES, EDGES)
    z = np.empty(re.size, "c16")
    z.real, z.imag = re.ravel(), im.ravel()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = all_at_once(z)
    for name, mine, theirs in zip(FUNCTIONS, run_on_shim(tmp_path, all_at_once, z), expected, strict=True):
        for part in ("real", "imag"):
            ours, libms = getattr(mine, part), getattr(theirs, part)
            is_told = ~np.isnan(libms) & (libms != 0)  # of NaN and zero, and beside NaN, C99 leaves some signs open
            wrong = np.isnan(ours) != np.isnan(libms)
            wrong |= is_told & (np.isinf(ours) != np.isinf(libms))
            wrong |= is_told & ~np.isnan(theirs) & (np.sign(ours) != np.sign(libms))
            wrong |= (libms == 0) & (np.abs(ours) > 1e-300)
            assert not wrong.any(), (name, part, z[wrong], ours[wrong], libms[wrong])


def powers(z: Any, w: Any) -> Any:
    return z**w, z**3, np.exp2(z), np.log2(z), np.log10(z)


def test_powers_and_their_like(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    z, w = rng.normal(size=(2, 500)) + 1j * rng.normal(size=(2, 500))
    for mine, exact in zip(run_on_shim(tmp_path, powers, z, w), powers(z, w), strict=True):
        assert np.abs(mine - exact).max() <= 1e-14 * np.abs(exact).max()

"""Are reads by index arrays NumPy's on a real device, and is an index out of range found by the call that has it?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.backend.test_cuda_gathers import CASES, indices, looked_up, whole
from tests.cuda_texts import same_bits
from tests.gpu.conftest import Library


@pytest.mark.parametrize("number", range(len(CASES)))
def test_what_indices_choose_is_read(number: int, cupy: Any) -> None:
    function, arguments = CASES[number]
    fused = pyfuse.fuse(function, strict=True)
    for _ in range(2):
        result = fused(*map(cupy.asarray, arguments))
        assert same_bits(cupy.asnumpy(result), np.asarray(function(*arguments)))
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (2, 0), fused.explain()


def test_every_library_reads_a_table(library: Library) -> None:
    fused = pyfuse.fuse(looked_up, strict=True)
    table, index = whole(1000, code="f4"), indices(1000, 300, 700, code="i4")
    for _ in range(2):
        result = library.to_host(fused(library.to_device(table), library.to_device(index)))
        assert same_bits(result, looked_up(table, index))
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (2, 0), fused.explain()


def test_an_index_out_of_range_is_found_in_the_call_that_has_it(cupy: Any) -> None:
    """CuPy itself wraps such an index, so the original's answer is its own."""
    fused = pyfuse.fuse(looked_up)
    table, index = whole(1000), indices(1000, 1_000_000)
    wrong = index.copy()
    wrong[777_777] = 1000
    own, mine, other = cupy.asarray(table), cupy.asarray(index), cupy.asarray(wrong)
    for number in range(20):
        fused(own, other)
        assert fused.fallback_reasons() == {"floating-point-report": number + 1}
        assert same_bits(cupy.asnumpy(fused(own, mine)), looked_up(table, index))
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (20, 20)


def test_numpys_error_is_raised_for_arrays_that_are_moved(device: None) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(looked_up, target="cuda")
    table, index = whole(40), indices(40, 1000)
    assert same_bits(fused(table, index), looked_up(table, index))
    index[7] = -41
    with pytest.raises(IndexError, match="index -41 is out of bounds for axis 0 with size 40"):
        fused(table, index)
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (1, 1)

"""Are the workloads of the side-by-side report answered rightly: by pyfuse, and by what the peers are given?"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import pyfuse
from benchmarks.agreement import assert_near
from benchmarks.operations import count_operations
from benchmarks.report_workloads import MEMORY_BOUND, REPORT_NAMES, REPORT_SIZES, own_arguments, report_cases
from benchmarks.systems.module_text import write_module
from benchmarks.systems.rebinding import rebind
from benchmarks.workloads import Case
from pyfuse.demo import black_scholes

SIZES = (10, 100)
every_case = pytest.mark.parametrize("case", report_cases(SIZES), ids=str)
TOO_LITTLE = frozenset(("accumulate_product",))  # pyfuse leaves it to NumPy


def numpy_answer(case: Case) -> tuple[tuple[Any, ...], Any]:
    """Arguments that nobody has stored into, and NumPy's result."""
    arguments = case.make_inputs()
    return arguments, case.workload.function(*own_arguments(case.workload, arguments))


@every_case
def test_pyfuse_answers_as_numpy_does(case: Case) -> None:
    arguments, expected = numpy_answer(case)
    fused = pyfuse.fuse(case.workload.function)
    assert_near(str(case), expected, fused(*own_arguments(case.workload, arguments)))
    if case.workload.name not in TOO_LITTLE:
        assert fused.cache_info().fused_calls == 1, fused.fallback_reasons()


@every_case
def test_every_workload_has_a_loop_that_is_right(case: Case) -> None:
    """The loops run as Python here: compiling them takes minutes."""
    loops = needed("benchmarks.systems.numba_peers", "numba").LOOPS
    arguments, expected = numpy_answer(case)
    with np.errstate(over="ignore"):
        actual = rebind(loops[case.workload.name], {"special": importlib.import_module("math")})(
            *own_arguments(case.workload, arguments)
        )
    assert_near(str(case), expected, actual, is_same_kind=False)


def test_a_compiled_loop_keeps_single_precision() -> None:
    numba_peers = needed("benchmarks.systems.numba_peers", "numba")
    case = Case(workload=report_cases((10,), ["weighted_sum"])[0].workload, dtype="float32", size=10)
    arguments, expected = numpy_answer(case)
    peer = next(peer for peer in numba_peers.load(1)[0] if peer.name == "numba serial loop")
    actual = peer.function_for(case)(*arguments)
    assert actual.dtype == np.float32
    assert_near("numba", expected, actual)


@every_case
def test_numexpr_is_right_or_has_no_words(case: Case) -> None:
    (peer,), _ = needed("benchmarks.systems.numexpr_peers", "numexpr").load(1)
    function = peer.function_for(case)
    if function is None:
        assert case.workload.name == "black_scholes_erf" or case.dtype == "complex64"
        return
    arguments, expected = numpy_answer(case)
    actual = function(*own_arguments(case.workload, arguments))
    if case.workload.name == "mixed_dtypes":  # single precision and 32-bit integers make single precision there
        np.testing.assert_allclose(actual, expected, rtol=1e-3)
        return
    assert_near("numexpr", expected, actual, is_same_kind=False)


def needed(module: str, system: str) -> Any:
    """The module; the test is skipped where the system is not installed."""
    pytest.importorskip(system, reason=f"{system} is not installed")
    return importlib.import_module(module)


def test_the_report_has_every_dtype_and_size() -> None:
    cases = report_cases()
    assert len(REPORT_NAMES) == len(set(REPORT_NAMES)) == 20
    assert frozenset(REPORT_NAMES) >= MEMORY_BOUND
    assert {case.size for case in cases} == set(REPORT_SIZES)
    assert {case.dtype for case in cases} == {"float64", "float32", "int32", "complex128", "complex64"}
    with pytest.raises(KeyError):
        report_cases(names=["no_such_workload"])


def test_arguments_that_are_stored_into_are_each_systems_own() -> None:
    (case, *_) = report_cases((10,), ["accumulate_product"])
    arguments = case.make_inputs()
    first, second = own_arguments(case.workload, arguments), own_arguments(case.workload, arguments)
    assert not np.shares_memory(first[0], second[0])
    assert first[1] is second[1] is arguments[1]


def test_a_rebound_function_and_its_helpers_mean_something_else() -> None:
    calls: list[str] = []

    class Namespace:
        def __getattr__(self, name: str) -> Any:
            calls.append(name)
            return getattr(np, name)

    arguments = black_scholes.make_inputs(5)
    rebound = rebind(black_scholes.prices, {"np": Namespace()})
    assert_near("rebound", black_scholes.prices(*arguments), rebound(*arguments))
    assert "where" in calls, "only the helper calls it"
    assert black_scholes.prices.__globals__["np"] is np


def test_a_module_of_its_own_answers_likewise() -> None:
    scope: dict[str, Any] = {}
    exec(write_module(black_scholes.prices), scope)
    arguments = black_scholes.make_inputs(5)
    assert_near("module", black_scholes.prices(*arguments), scope["prices"](*arguments))


def test_operations_are_counted_with_those_of_reductions() -> None:
    a = np.ones((4, 5))
    assert count_operations(lambda x: (x * x + x).sum(), [a]) == 3 * a.size
    assert count_operations(lambda x: x - x.max(axis=1, keepdims=True), [a]) == 2 * a.size

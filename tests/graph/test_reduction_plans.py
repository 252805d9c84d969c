"""Do reductions share the passes that they can share, in the loops that NumPy's order asks for?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pyfuse.backend.cpu.fold_text import FoldText
from pyfuse.backend.cpu.row_values import RowValues
from pyfuse.backend.cpu.step_text import StepText
from pyfuse.call_geometry import CallGeometry, call_geometry, evaluate_inputs, part_count
from pyfuse.graph.loop_plan import EPILOGUE, ApplyStep, LoopPlan, Nest, ReducedStep, ReductionNest, Style
from tests.stage_texts import specialization_of

Array = Any


def geometry_of(function: Callable[..., Any], *arguments: Any) -> CallGeometry:
    specialization = specialization_of(function, *arguments)
    return call_geometry(specialization, *evaluate_inputs(specialization, arguments))


def plan_of(function: Callable[..., Any], *arguments: Any) -> LoopPlan:
    return geometry_of(function, *arguments).plan


def shape_of(plan: LoopPlan) -> list[str]:
    """For each nest ``map``, or the style and number of passes."""
    return ["map" if isinstance(nest, Nest) else f"{nest.style.value} in {max_phase(nest) + 1}" for nest in plan.nests]


def max_phase(nest: ReductionNest) -> int:
    return max([value.phase for value in nest.accumulations] + list(nest.store_phases))


def reduced(nest: Nest | ReductionNest) -> list[tuple[str, int]]:
    """Operation and pass of each accumulation."""
    assert isinstance(nest, ReductionNest)
    return [(value.operation, value.phase) for value in nest.accumulations]


def row_values(geometry: CallGeometry, number: int) -> RowValues:
    """What a nest of rows keeps in memory between passes."""
    nest = geometry.plan.nests[number]
    assert isinstance(nest, ReductionNest) and nest.style is Style.ROWS
    steps = StepText(nest, geometry.layouts[number], geometry.plan.input_count)
    return RowValues(nest, steps, [FoldText(place, value, steps) for place, value in enumerate(nest.accumulations)])


def kept_operations(geometry: CallGeometry, number: int = 0) -> list[str]:
    """The operations whose values a nest of rows keeps."""
    sources = [geometry.plan.nests[number].steps[step].source for step in sorted(row_values(geometry, number).kept)]
    return [source.operation for source in sources if isinstance(source, ApplyStep)]


TABLE = np.ones((30, 50))
SHORT = np.ones((30, 5))
CUBE = np.ones((6, 30, 50))


# --- rows ---------------------------------------------------------------------------------------------------------


def softmax(x: Array) -> Array:
    raised = np.exp(x - x.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def test_softmax_is_three_passes_over_a_row() -> None:
    plan = plan_of(softmax, TABLE)
    assert shape_of(plan) == ["rows in 3"]
    assert reduced(plan.nests[0]) == [("maximum", 0), ("add", 1)]
    assert plan.nests[0].store_phases == (2,)  # type: ignore[union-attr]
    assert plan.temporaries == ()


def layer_norm(x: Array, weight: Array, bias: Array) -> Array:
    mean = x.mean(axis=-1, keepdims=True)
    centred = x - mean
    variance = (centred * centred).mean(axis=-1, keepdims=True)
    return centred / np.sqrt(variance + 1e-5) * weight + bias


def test_layer_norm_is_one_nest() -> None:
    plan = plan_of(layer_norm, TABLE, np.ones(50), np.ones(50))
    assert shape_of(plan) == ["rows in 3"]
    assert reduced(plan.nests[0]) == [("add", 0), ("add", 1)]
    assert plan.temporaries == ()


def test_standardising_by_numpys_own_mean_and_deviation_is_one_nest() -> None:
    def standardised(x: Array) -> Array:
        return (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)

    assert shape_of(plan_of(standardised, TABLE)) == ["rows in 3"]


def test_reductions_of_the_same_rows_share_a_pass() -> None:
    def mean_and_max(x: Array) -> Any:
        return x.mean(axis=1), x.max(axis=1), x.argmin(axis=1), (x * x).sum(axis=1)

    plan = plan_of(mean_and_max, TABLE)
    assert shape_of(plan) == ["rows in 1"]
    assert sorted(reduced(plan.nests[0])) == [("add", 0), ("add", 0), ("argmin", 0), ("maximum", 0)]
    assert set(plan.nests[0].store_phases) == {EPILOGUE}  # type: ignore[union-attr]


def test_sums_that_numpy_cuts_in_different_pieces_take_a_pass_each() -> None:
    def real_and_complex(x: Array) -> Any:
        return x.sum(axis=1), (x + 1j).sum(axis=1)

    plan = plan_of(real_and_complex, TABLE)
    assert shape_of(plan) == ["rows in 2"]
    assert sorted(phase for _, phase in reduced(plan.nests[0])) == [0, 1]


def test_reductions_of_other_kept_dimensions_get_nests_of_their_own() -> None:
    def both(x: Array) -> Any:
        return x.sum(axis=2), x.sum(axis=(1, 2))

    plan = plan_of(both, CUBE)
    assert shape_of(plan) == ["rows in 1", "rows in 1"]
    assert [len(nest.kept) for nest in plan.nests] == [2, 1]  # type: ignore[union-attr]


def test_a_reduction_of_results_is_a_nest_after_theirs() -> None:
    def largest_sum(x: Array) -> Any:
        return x.sum(axis=1).max()

    plan = plan_of(largest_sum, TABLE)
    assert shape_of(plan) == ["rows in 1", "parts in 1"]
    assert len([temporary for temporary in plan.temporaries if temporary.dims is not None]) == 1


def test_what_is_computed_of_results_only_comes_after_the_row() -> None:
    def norms(x: Array) -> Any:
        return np.sqrt((x * x).sum(axis=1))

    (nest,) = plan_of(norms, TABLE).nests
    assert isinstance(nest, ReductionNest) and nest.store_phases == (EPILOGUE,)
    root = nest.steps[nest.stores[0].step].source
    assert isinstance(root, ApplyStep) and root.operation == "sqrt"
    assert isinstance(nest.steps[root.operands[0]].source, ReducedStep)


def test_a_sum_of_rows_and_planes_walks_rows_within_planes() -> None:
    def across(x: Array) -> Any:
        return x.sum(axis=(0, 2))

    (nest,) = plan_of(across, CUBE).nests
    assert isinstance(nest, ReductionNest)
    assert (nest.style, len(nest.kept), len(nest.lead), len(nest.row)) == (Style.ROWS, 1, 1, 1)


# --- one result for all -------------------------------------------------------------------------------------------


def test_a_full_sum_then_a_map_is_parts_and_a_map() -> None:
    def normalised(x: Array) -> Array:
        return x / x.sum()

    plan = plan_of(normalised, TABLE)
    assert shape_of(plan) == ["parts in 1", "map"]
    assert {temporary.dims for temporary in plan.temporaries} == {(), None}


def test_full_reductions_of_one_array_share_a_pass() -> None:
    def range_and_mean(x: Array) -> Any:
        return x.max() - x.min(), x.mean()

    plan = plan_of(range_and_mean, TABLE)
    assert shape_of(plan)[0] == "parts in 1"
    assert sorted(reduced(plan.nests[0])) == [("add", 0), ("maximum", 0), ("minimum", 0)]


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.3.0",
    reason="before NumPy 2.3 rows are cut in pieces even where nothing is cast",
)
def test_a_long_row_is_cut_in_parts_and_a_short_one_is_not() -> None:
    def total(x: Array) -> Any:
        return x.sum()

    def product(x: Array) -> Any:
        return x.prod()

    assert [part_count(geometry_of(total, np.ones(size)).nests[0]) for size in (10, 32_767, 32_768, 10**6)] == [
        1, 1, 2, 32
    ]  # fmt: skip
    assert part_count(geometry_of(product, np.ones(10**6)).nests[0]) == 1


# --- columns ------------------------------------------------------------------------------------------------------


def column_sums(x: Array) -> Any:
    return x.sum(axis=0)


def row_sums(x: Array) -> Any:
    return x.sum(axis=1)


def test_the_axis_that_is_not_innermost_in_memory_goes_by_columns() -> None:
    assert shape_of(plan_of(column_sums, TABLE)) == ["columns in 1"]
    assert shape_of(plan_of(column_sums, np.asfortranarray(TABLE))) == ["rows in 1"]
    assert shape_of(plan_of(row_sums, np.asfortranarray(TABLE))) == ["columns in 1"]


def test_the_order_of_a_computed_array_decides_too() -> None:
    def of_computed(x: Array) -> Any:
        return (x * 2).sum(axis=0)

    assert shape_of(plan_of(of_computed, TABLE)) == ["columns in 1"]
    assert shape_of(plan_of(of_computed, TABLE.T)) == ["rows in 1"]


def test_rows_shorter_than_numpys_eight_sums_go_by_columns() -> None:
    assert [shape_of(plan_of(row_sums, np.ones((30, length)))) for length in (2, 7, 8)] == [
        ["columns in 1"], ["columns in 1"], ["rows in 1"]
    ]  # fmt: skip
    assert [shape_of(plan_of(row_sums, np.ones((30, length), "c16"))) for length in (3, 4)] == [
        ["columns in 1"], ["rows in 1"]
    ]  # fmt: skip
    assert shape_of(plan_of(row_sums, SHORT.astype("f2"))) == ["rows in 1"], "float16 rounds once a row"


def test_columns_are_summed_before_they_are_standardised() -> None:
    def standardised(x: Array) -> Array:
        return (x - x.mean(axis=0)) / x.std(axis=0)

    plan = plan_of(standardised, TABLE)
    assert shape_of(plan) == ["columns in 1", "columns in 1", "map"]
    assert all(0 not in (temporary.dims or ()) for temporary in plan.temporaries), "none is as large as the table"


# --- what a row keeps ---------------------------------------------------------------------------------------------


def test_a_value_that_is_dear_is_kept_for_the_next_pass() -> None:
    geometry = geometry_of(softmax, TABLE)
    assert kept_operations(geometry) == ["exp"]
    values = row_values(geometry, 0)
    (kept,) = values.kept
    assert (values.kept_now(1), values.ready(2), values.kept_now(0)) == ({kept}, {kept}, set())


def test_a_value_that_is_cheap_is_computed_again() -> None:
    def centred(x: Array) -> Array:
        moved = x - x.mean(axis=1, keepdims=True)
        return moved / np.abs(moved).max(axis=1, keepdims=True)

    geometry = geometry_of(centred, TABLE)
    assert shape_of(geometry.plan) == ["rows in 3"]
    assert kept_operations(geometry) == []


def test_a_value_that_one_pass_needs_is_not_kept() -> None:
    def mean_of_logarithms(x: Array) -> Any:
        return np.log(x).mean(axis=1), x - x.max(axis=1, keepdims=True)

    assert kept_operations(geometry_of(mean_of_logarithms, TABLE)) == []


def test_a_dear_value_that_is_the_same_for_the_whole_row_is_not_kept() -> None:
    def scaled(x: Array, by: Array) -> Array:
        moved = x * np.exp(by)
        return moved - moved.max(axis=1, keepdims=True)

    geometry = geometry_of(scaled, TABLE, np.ones((30, 1)))
    assert shape_of(geometry.plan) == ["rows in 2"]
    assert kept_operations(geometry) == []


# --- scans --------------------------------------------------------------------------------------------------------


def test_a_running_sum_is_stored_in_its_pass() -> None:
    def running(x: Array) -> Array:
        return np.cumsum(x * x, axis=1)

    plan = plan_of(running, TABLE)
    assert shape_of(plan) == ["rows in 1"]
    (scan,) = plan.nests[0].accumulations  # type: ignore[union-attr]
    assert scan.scan_store == 0 and plan.temporaries == ()


def test_what_reads_a_running_sum_is_a_nest_of_its_own() -> None:
    def shares(x: Array) -> Array:
        return np.cumsum(x, axis=0) / x.sum(axis=0)

    assert shape_of(plan_of(shares, TABLE)) == ["columns in 1", "columns in 1", "map"]


# --- pieces -------------------------------------------------------------------------------------------------------


def test_computed_pieces_are_written_straight_into_what_they_are_pieces_of() -> None:
    def joined(x: Array, y: Array) -> Array:
        return np.concatenate([x * 2, np.sqrt(y)])

    plan = plan_of(joined, np.ones(40), np.ones(70))
    assert shape_of(plan) == ["map", "map"]
    assert plan.temporaries == ()
    assert [store.output for nest in plan.nests for store in nest.stores] == [0, 0]
    assert [bool(nest.stores[0].offsets) for nest in plan.nests] == [False, True]


def test_a_row_result_is_a_piece_like_any_other() -> None:
    def with_sums(x: Array) -> Array:
        return np.concatenate([x, x.sum(axis=1, keepdims=True)], axis=1)

    plan = plan_of(with_sums, TABLE)
    assert plan.temporaries == ()
    assert {store.output for nest in plan.nests for store in nest.stores} == {0}


def test_what_reads_a_concatenation_is_a_nest_of_its_own() -> None:
    def joined(x: Array, y: Array) -> Array:
        return np.sqrt(np.concatenate([x * 2, y])) + 1

    plan = plan_of(joined, np.ones(40), np.ones(70))
    assert shape_of(plan) == ["map", "map", "map"]
    assert len(plan.temporaries) == 1
    assert [store.output for nest in plan.nests for store in nest.stores] == [1, 1, 0]


def test_slices_that_hold_all_of_a_value_are_computed_where_they_are_read() -> None:
    def differences(x: Array) -> Array:
        return np.diff(np.sqrt(x))

    plan = plan_of(differences, np.ones(40))
    assert shape_of(plan) == ["map"]
    assert (len(plan.nests[0].stores), plan.temporaries) == (1, ())
    operations = [step.source.operation for step in plan.nests[0].steps if isinstance(step.source, ApplyStep)]
    assert operations == ["sqrt", "sqrt", "subtract"]


def test_a_value_of_which_a_part_is_read_is_computed_whole_for_what_numpy_reports() -> None:
    def second_half(x: Array) -> Array:
        return np.split(np.sqrt(x), 2)[1] + 1

    specialization = specialization_of(second_half, np.ones(40))
    assert [output.is_discarded for output in specialization.graph.outputs] == [False, True]
    assert specialization.graph.nodes[specialization.graph.outputs[1].node].operation == "sqrt"  # type: ignore[attr-defined]


def test_a_value_without_reports_of_which_a_part_is_read_is_computed_in_part() -> None:
    def second_half(x: Array) -> Array:
        return np.split(-x, 2)[1] + 1

    specialization = specialization_of(second_half, np.ones(40))
    assert [output.is_discarded for output in specialization.graph.outputs] == [False]

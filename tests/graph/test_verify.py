"""Does ``verify`` notice each way in which a graph can be broken?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfuse.graph.nodes import (
    ALONG,
    INDEX,
    ONE,
    TAKE,
    Apply,
    Carried,
    Constant,
    Gather,
    Graph,
    Input,
    InputExtent,
    Loop,
    Looped,
    Node,
    Output,
    Reduce,
    Scalar,
    View,
)
from pyfuse.graph.verify import verified, verify

F8 = np.dtype("f8")
X = Input(dtype=F8, dims=(0, 1), index=0)
ROW = Input(dtype=F8, dims=(1,), index=1)
SCALE = Scalar(dtype=F8, dims=(), slot=0)


def graph(*nodes: Node, output: Output | None = None) -> Graph:
    """A graph over a table, a row and a number."""
    everything = (X, ROW, SCALE, *nodes)
    return Graph(
        nodes=everything,
        dims=((InputExtent(index=0, axis=0),), (InputExtent(index=0, axis=1), InputExtent(index=1, axis=0))),
        outputs=(output or Output(node=len(everything) - 1),),
        input_count=2,
        scalar_dtypes=(F8,),
    )


def apply(operation: str, *operands: int, dims: tuple[int, ...] = (0, 1), result: int = 0) -> Apply:
    return Apply(dtype=F8, dims=dims, operation=operation, operands=operands, result=result)


def view(operand: int, *axes: int | None, dims: tuple[int, ...]) -> View:
    return View(dtype=F8, dims=dims, operand=operand, axes=axes)


INDICES = Constant(dtype=np.dtype("i4"), dims=(0,), value=0)  # node 3 where it stands first


def gather(*axes: int, dims: tuple[int, ...], place: int = 0, kind: str = INDEX, mode: str = "raise") -> Gather:
    """Elements of the table that ``INDICES`` choose along some axes."""
    return Gather(
        dtype=F8, dims=dims, operand=0, indices=(3,) * len(axes), axes=axes, place=place, kind=kind, mode=mode
    )


SOUND = (
    graph(INDICES, gather(0, dims=(0, 1))),
    graph(INDICES, gather(1, dims=(0, 0), place=1)),
    graph(INDICES, gather(0, 1, dims=(0,))),
    graph(INDICES, gather(1, dims=(0, 0), place=1, kind=TAKE, mode="clip")),
    graph(apply("add", 0, 1)),
    graph(apply("add", 2, 2, dims=())),
    graph(apply("divmod", 0, 1, result=1)),
    graph(view(0, 1, None, 0, dims=(1, ONE, 0))),
    graph(Constant(dtype=F8, dims=(ONE,), value=1.0), view(3, dims=())),
    graph(output=Output(node=2, is_scalar=True)),
)

BROKEN = {
    "a gather by numbers that are not whole": graph(replace(INDICES, dtype=F8), gather(0, dims=(0, 1))),
    "a gather along no axis": graph(INDICES, gather(dims=(0, 1))),
    "a gather along one axis twice": graph(INDICES, gather(0, 0, dims=(0, 1))),
    "a gather along an axis that does not exist": graph(INDICES, gather(2, dims=(0, 0, 1), place=2)),
    "a gather in the wrong place": graph(INDICES, gather(1, dims=(1, 0), place=0)),
    "a gather whose indices have another extent": graph(INDICES, gather(0, dims=(1, 1))),
    "a gather in an unknown mode": graph(INDICES, gather(0, dims=(0, 1), mode="wild")),
    "a gather of another dtype": graph(INDICES, replace(gather(0, dims=(0, 1)), dtype=np.dtype("f4"))),
    "a gather along an axis by indices of another rank": graph(INDICES, gather(0, dims=(0, 1), kind=ALONG)),
    "a dtype that kernels do not hold": graph(Constant(dtype=np.dtype("g"), dims=(), value=1.0)),
    "a dtype of the other byte order": graph(Constant(dtype=np.dtype("f8").newbyteorder(), dims=(), value=1.0)),
    "a dimension that does not exist": graph(Constant(dtype=F8, dims=(2,), value=1.0)),
    "a negative dimension that is not ONE": graph(Constant(dtype=F8, dims=(-2,), value=1.0)),
    "an operand that comes later": graph(apply("negative", 3)),
    "a negative operand": graph(apply("negative", -1)),
    "an input that does not exist": graph(Input(dtype=F8, dims=(), index=2)),
    "a scalar of another dtype": graph(Scalar(dtype=np.dtype("f4"), dims=(), slot=0)),
    "a scalar with axes": graph(Scalar(dtype=F8, dims=(0,), slot=0)),
    "an operation with too few operands": graph(apply("add", 0)),
    "a result that the operation does not have": graph(apply("add", 0, 1, result=1)),
    "an operand of higher rank than the result": graph(apply("negative", 0, dims=(0,))),
    "an operand of another dimension than the result": graph(apply("negative", 1, dims=(0,))),
    "a view with an axis twice": graph(view(0, 0, 0, 1, dims=(0, 0, 1))),
    "a view that drops an axis with elements": graph(view(0, 0, dims=(0,))),
    "a view with dimensions of its own": graph(view(0, 1, 0, dims=(0, 1))),
    "a view whose new axis has elements": graph(view(1, None, 0, dims=(0, 1))),
    "an output that does not exist": graph(output=Output(node=3)),
    "a scalar output with axes": graph(output=Output(node=0, is_scalar=True)),
}


I8 = np.dtype("i8")
BOUND = Constant(dtype=I8, dims=(), value=3)


def looping(*body: Node, updates: tuple[tuple[int, int], ...] = ((4, 5),), **loop: int) -> Graph:
    """A graph with a loop: node 3 is its bound, node 4 a carried value of it, ``body`` comes behind."""
    carried = Carried(dtype=F8, dims=(0, 1), loop=0, slot=0, initial=0)
    made = Loop(start=3, stop=3, step=loop.get("step", 1), updates=updates)
    return replace(graph(BOUND, carried, *body), loops=(made,))


def after(operand: int, dims: tuple[int, ...] = (0, 1)) -> Looped:
    return Looped(dtype=F8, dims=dims, loop=0, operand=operand)


BROKEN_LOOPS = {
    "a step of zero": looping(apply("negative", 4), after(5), step=0),
    "an update of other dimensions": looping(apply("negative", 1, dims=(1,)), after(4)),
    "a body that reduces": looping(
        Reduce(dtype=F8, dims=(0,), operation="add", operand=4, axes=(1,)), after(5, (0,)), updates=((4, 4),)
    ),
    "a value that leaves the loop by itself": looping(apply("negative", 4)),
    "a result of another type": looping(apply("negative", 4), after(5, (1,))),
    "a body that goes on behind the result": looping(apply("negative", 4), after(5), apply("negative", 4), after(7)),
    "an initial value from inside": looping(
        apply("negative", 4), Carried(dtype=F8, dims=(0, 1), loop=0, slot=1, initial=5), after(5),
        updates=((4, 5), (6, 6)),
    ),
}  # fmt: skip


def test_a_sound_loop_passes() -> None:
    sound = looping(apply("negative", 4), after(5))
    assert verified(sound) is sound


@pytest.mark.parametrize("what", BROKEN_LOOPS)
def test_verify_notices_of_loops(what: str) -> None:
    with pytest.raises(AssertionError):
        verify(BROKEN_LOOPS[what])


@pytest.mark.parametrize("sound", SOUND)
def test_a_sound_graph_passes(sound: Graph) -> None:
    assert verified(sound) is sound


@pytest.mark.parametrize("what", BROKEN)
def test_verify_notices(what: str) -> None:
    with pytest.raises(AssertionError):
        verify(BROKEN[what])


def test_verify_notices_an_operation_that_is_not_in_the_table() -> None:
    with pytest.raises(KeyError):
        verify(graph(apply("no_such_operation", 0)))


def test_verify_notices_a_scalar_slot_that_does_not_exist() -> None:
    with pytest.raises((AssertionError, IndexError)):
        verify(replace(graph(), scalar_dtypes=()))


def test_the_message_names_the_node() -> None:
    with pytest.raises(AssertionError, match="node %3: Apply"):
        verify(graph(apply("add", 0)))

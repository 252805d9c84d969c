"""The body of a loop nest as steps that loops of NumPy's, or of the tile runner's own, do one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyfuse.backend.tiles.numpy_loops import UfuncLoop, cast_numbers, ufunc_loop
from pyfuse.graph.element_cost import repeated_steps
from pyfuse.graph.loop_plan import (
    ApplyStep,
    CarriedStep,
    ConstantStep,
    IndexStep,
    LoadStep,
    Nest,
    NestLoop,
    ReductionNest,
    ScalarStep,
    Step,
)
from pyfuse.records import dataclass

# What a step does; as in tile_runner.c: step_kind.
LOOP, CAST, MOVE, CHOOSE, REPLAY_IF = range(5)


@dataclass(frozen=True, kw_only=True)
class Value:
    """What a tile holds of one value.

    Attributes:
        dtype: of its elements.
        load: number of the nest's load that it is, or None.
        scalar: slot of the call's number that it is, or None.
        constant: the bytes of the number that it is, or None.
    """

    dtype: np.dtype
    load: int | None = None
    scalar: int | None = None
    constant: bytes | None = None

    @property
    def is_computed(self) -> bool:
        """Whether a step writes it."""
        return self.load is None and self.scalar is None and self.constant is None


@dataclass(frozen=True, kw_only=True)
class TileStep:
    """One thing to do to a tile.

    Attributes:
        kind: what.
        operands, results: numbers of values.
        function: what the tile runner takes for a loop: a ufunc and the number of its loop, or two numbers of a cast.
        loop: the ufunc's, if it is one.
        size: of an element that is moved or chosen, in bytes.
        offset: of the part that is moved.
    """

    kind: int
    operands: tuple[int, ...]
    results: tuple[int, ...] = ()
    function: tuple[Any, Any] | None = None
    loop: UfuncLoop | None = None
    size: int = 0
    offset: int = 0

    @property
    def may_raise(self) -> bool:
        """Whether the loop may set an exception."""
        return self.loop is not None and self.loop.may_raise


@dataclass(frozen=True, kw_only=True)
class TileLoop:
    """A loop around the last steps of a program, for each tile.

    Attributes:
        start, stop: values, of one int64.
        step: not zero.
        index: the value that holds the index, or None.
        first: number of the first step that is repeated.
        between: number of the first step that is done between one turn and the next only.
    """

    start: int
    stop: int
    step: int
    index: int | None
    first: int
    between: int


@dataclass(frozen=True, kw_only=True)
class TileProgram:
    """What is done to each tile of a nest.

    Attributes:
        values: everything that is read or written.
        steps: in order.
        stored: for each store of the nest, the value.
        loop: around the last steps, or None.
    """

    values: tuple[Value, ...]
    steps: tuple[TileStep, ...]
    stored: tuple[int, ...]
    loop: TileLoop | None = None


def tile_program(nest: Nest | ReductionNest) -> TileProgram | None:
    """The program of a nest, or None where it does more than elementwise operations that NumPy has loops for."""
    if isinstance(nest, ReductionNest) or any(load.gathered for load in nest.loads):
        return None
    writer = _Writer(nest.steps)
    if not all(writer.write(position) for position in range(len(nest.steps))):
        return None
    loop = None if nest.loop is None else writer.close_loop(nest.loop)
    return TileProgram(
        values=tuple(writer.values),
        steps=(*writer.done, *writer.repeated),
        stored=tuple(writer.value_of[store.step] for store in nest.stores),
        loop=loop,
    )


class _Writer:
    """Turns the steps of a plan into those of tiles."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self.values: list[Value] = []
        self.done: list[TileStep] = []
        self.repeated: list[TileStep] = []  # by the nest's own loop
        self._index: int | None = None
        self._carried: dict[int, tuple[int, int]] = {}  # by step of the plan: the value, and what is in it first
        self._changing = repeated_steps(steps)
        self._now = self.done
        self.value_of: list[int] = []  # of each step of the plan
        self._results: dict[tuple[str, tuple[int, ...]], tuple[int, ...]] = {}  # of operations that have several

    def write(self, position: int) -> bool:
        """Write a step; whether that can be done."""
        step = self._steps[position]
        made: int | None
        self._now = self.repeated if position in self._changing else self.done
        match step.source:
            case LoadStep(load=load):
                made = self._new(Value(dtype=step.dtype, load=load))
            case ScalarStep(slot=slot):
                made = self._new(Value(dtype=step.dtype, scalar=slot))
            case ConstantStep(value=number):
                made = self._new(Value(dtype=step.dtype, constant=np.array(number, step.dtype).tobytes()))
            case ApplyStep(operation=operation, operands=operands, result=result):
                made = self._apply(step, operation, tuple(self.value_of[operand] for operand in operands), result)
            case CarriedStep(initial=initial):
                made = self._new(Value(dtype=step.dtype))
                self._carried[position] = (made, self.value_of[initial])
            case IndexStep():
                made = self._index = self._new(Value(dtype=step.dtype)) if self._index is None else self._index
            case _:
                made = None
        if made is None or self.values[made].dtype != step.dtype:
            return False
        self.value_of.append(made)
        return True

    def close_loop(self, loop: NestLoop) -> TileLoop:
        """Write what goes from turn to turn: a value that is written over is taken before."""
        carried = tuple((*self._carried[place], self.value_of[update]) for place, update in loop.updates)
        self.done += [self._move(initial, value) for value, initial, _ in carried]
        between = len(self.done) + len(self.repeated)
        taken = {
            update: self._new(Value(dtype=self.values[update].dtype))
            for update in {value for value, _, _ in carried} & {update for _, _, update in carried}
        }
        self.repeated += [self._move(update, into) for update, into in sorted(taken.items())]
        self.repeated += [
            self._move(taken.get(update, update), value) for value, _, update in carried if value != update
        ]
        return TileLoop(
            start=self.value_of[loop.start],
            stop=self.value_of[loop.stop],
            step=loop.step,
            index=self._index,
            first=len(self.done),
            between=between,
        )

    def _move(self, source: int, target: int) -> TileStep:
        size = self.values[target].dtype.itemsize
        return TileStep(kind=MOVE, operands=(source,), results=(target,), size=size)

    def _new(self, value: Value) -> int:
        self.values.append(value)
        return len(self.values) - 1

    def _step(self, kind: int, operands: tuple[int, ...], dtype: np.dtype, **facts: Any) -> int:
        made = self._new(Value(dtype=dtype))
        self._now.append(TileStep(kind=kind, operands=operands, results=(made,), **facts))
        return made

    def _apply(self, step: Step, operation: str, operands: tuple[int, ...], result: int) -> int | None:
        """The value of an operation, or None."""
        dtypes = [self.values[operand].dtype for operand in operands]
        match operation:
            case "contiguous" | "contiguous_either":
                return operands[0]
            case "replay_if":
                self._now.append(TileStep(kind=REPLAY_IF, operands=operands[:1]))
                return operands[1]
            case "cast":
                if dtypes[0] == step.dtype:
                    return operands[0]
                numbers = cast_numbers(dtypes[0], step.dtype)
                return None if numbers is None else self._step(CAST, operands, step.dtype, function=numbers)
            case "select":
                if dtypes[0] != np.dtype(bool) or any(dtype != step.dtype for dtype in dtypes[1:]):
                    return None
                return self._step(CHOOSE, operands, step.dtype, size=step.dtype.itemsize)
            case "real" | "imag" if dtypes[0].kind == "c":
                size = step.dtype.itemsize
                offset = size if operation == "imag" else 0
                return self._step(MOVE, operands, step.dtype, size=size, offset=offset)
            case _:
                return self._call(operation, operands, dtypes, result)

    def _call(self, operation: str, operands: tuple[int, ...], dtypes: Sequence[np.dtype], result: int) -> int | None:
        """The result of a ufunc's loop."""
        known = self._results.get((operation, operands))
        if known is None:
            loop = ufunc_loop(operation, dtypes)
            if loop is None:
                return None
            known = tuple(self._new(Value(dtype=dtype)) for dtype in loop.results)
            self._results[operation, operands] = known
            self._now.append(
                TileStep(
                    kind=LOOP,
                    operands=operands,
                    results=known,
                    function=(loop.ufunc, loop.number),
                    loop=loop,
                )
            )
        return known[result]

"""The body of a long nest in pieces: loops one after the other over a tile, through which values go on to the next.

gcc's time grows with the square of a loop body's length and worse. A body of hundreds of operations does not keep its
values in registers anyway, so what a later piece needs is written to a tile on the stack, in the first-level cache.

Each piece runs over whole vectors: places behind the tile's end repeat its first element, whose floating-point flags
are there already. So a piece has no tail, which gcc would compile once or twice more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

import numpy as np

from pyfuse.backend.c_library.library import closure
from pyfuse.backend.c_text import application, c_type
from pyfuse.backend.cpu.step_text import STACK_BYTES, StepText, block
from pyfuse.graph.loop_plan import ApplyStep, LoadStep, Nest, operands_of_step
from pyfuse.records import dataclass

FEWEST_STEPS = 30  # below which a body is not looked at
LONG_BODY = 600  # C statements, those of library functions included, from which on a body is cut
LONGEST_PIECE = 60  # of them
LONGEST_TILE = 128  # elements
SHORTEST_TILE = 32
VECTOR_BYTES = 64
MOST_BYTES = 2 * STACK_BYTES  # of the tiles of a nest


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """Some of the steps, in order.

    Attributes:
        steps: what is computed.
        loads: what is read for it from arrays, for the first time.
        known: values of earlier pieces, and loads.
        handed_on: values that later pieces need, or that are stored.
    """

    steps: tuple[int, ...]
    loads: tuple[int, ...]
    known: tuple[int, ...]
    handed_on: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class CutBody:
    """C text of a body in pieces.

    Attributes:
        declarations: of the tiles, before the rows.
        lines: what computes the elements ``begin`` to before ``end``.
        length: the most elements between them.
    """

    declarations: list[str]
    lines: list[str]
    length: int


def cut_body(nest: Nest, steps: StepText, inner: Sequence[int]) -> CutBody | None:
    """The body of a nest in pieces, or None where it is not long, or holds more values than fit.

    Args:
        nest: whose body.
        steps: its text.
        inner: the steps that change in the innermost loop.
    """
    if not is_long(nest):
        return None
    pieces = _pieces(nest, inner)
    whole = VECTOR_BYTES // min(part_sizes(nest), default=1)  # elements: a multiple of what gcc puts into a vector
    tiles = _Slots(steps, pieces, {store.step for store in nest.stores}, whole)
    length = tiles.length()
    if length is None:
        return None
    lines = [f"const pf_i8 count = end - begin, padded = (count + {whole - 1}) & -{whole};", "pf_i8 size;"]
    for piece in pieces:
        lines += _loaded(piece, steps, tiles)
        lines += _computed(piece, steps, tiles)
    lines += _loop("i", "begin", "end", [_stored(place, steps, tiles, nest) for place in range(len(nest.stores))])
    return CutBody(declarations=tiles.declarations(length), lines=lines, length=length)


def is_long(nest: Nest) -> bool:
    """Whether the body of a nest is to be cut; not with reads at computed places, nor with a loop of its own."""
    if nest.loop is not None or any(load.gathered for load in nest.loads):
        return False
    if len(nest.steps) < FEWEST_STEPS:
        return False
    return weight_of(nest) >= LONG_BODY


def weight_of(nest: Nest) -> int:
    """Roughly how many C statements the body of a nest is."""
    return sum(_weight(nest, place) for place, step in enumerate(nest.steps) if step.varies_along)


def part_sizes(nest: Nest) -> list[int]:
    """Bytes of what a nest computes with in vectors: not of booleans, which are as wide as the widest of them."""
    return [
        step.dtype.itemsize // (2 if step.dtype.kind == "c" else 1)
        for step in nest.steps
        if step.varies_along and step.dtype.kind != "b"
    ]


def _weight(nest: Nest, place: int) -> int:
    """Roughly how many C statements a step is."""
    step = nest.steps[place]
    if not isinstance(step.source, ApplyStep):
        return 0
    dtypes = [nest.steps[operand].dtype for operand in step.source.operands]
    expression = application(step.source.operation, ["x"] * len(dtypes), dtypes, step.dtype)
    return 1 + sum(map(_statements, expression.calls))


@cache
def _statements(name: str) -> int:
    """Roughly how many C statements a library function is, with all that it needs."""
    return sum(function.text.count(";") for function in closure([name]))


def _pieces(nest: Nest, inner: Sequence[int]) -> list[_Piece]:
    moving = set(inner)
    stored = {store.step for store in nest.stores}
    order = [place for place in inner if isinstance(nest.steps[place].source, ApplyStep)]
    groups, weight = list[list[int]](), LONGEST_PIECE + 1
    for place in order:
        weight += _weight(nest, place)
        if weight > LONGEST_PIECE:
            groups.append([])
            weight = _weight(nest, place)
        groups[-1].append(place)
    needs = [
        {operand for place in group for operand in operands_of_step(nest.steps[place]) if operand in moving}
        - set(group)
        for group in groups
    ]
    pieces, loaded = [], set[int]()
    later = [stored.union(*needs[number + 1 :]) for number in range(len(groups))]
    for number, group in enumerate(groups):
        wanted = needs[number] | (stored if number == len(groups) - 1 else set())
        loads = {place for place in wanted if isinstance(nest.steps[place].source, LoadStep)} - loaded
        loaded |= loads
        pieces.append(
            _Piece(
                steps=tuple(group),
                loads=tuple(sorted(loads)),
                known=tuple(sorted(needs[number])),
                handed_on=tuple(sorted(later[number] & set(group))),
            )
        )
    return pieces


class _Slots:
    """Which tile holds which value: one is used again when no later piece needs what it held.

    Attributes:
        names: of the tile of each value that goes from piece to piece.
        whole: elements that go together.
    """

    def __init__(self, steps: StepText, pieces: Sequence[_Piece], stored: Collection[int], whole: int) -> None:
        self.whole = whole
        self.names: dict[int, str] = {}
        self._types: dict[str, str] = {}
        self._bytes = 0
        last = {place: number for number, piece in enumerate(pieces) for place in piece.known if place not in stored}
        free: dict[str, list[str]] = {}
        held: list[int] = []
        for number, piece in enumerate(pieces):
            for place in (*piece.loads, *piece.handed_on):
                dtype = steps.step(place).dtype
                names = free.setdefault(c_type(dtype), [])
                self.names[place] = names.pop() if names else self._new(dtype)
                held.append(place)
            for place in [place for place in held if last.get(place, len(pieces)) <= number]:
                held.remove(place)
                free[c_type(steps.step(place).dtype)].append(self.names[place])

    def _new(self, dtype: np.dtype) -> str:
        name = f"v{len(self._types)}"
        self._types[name] = c_type(dtype)
        self._bytes += max(dtype.itemsize, 8)
        return name

    def length(self) -> int | None:
        """Elements of each tile; None where there are too many tiles."""
        length = LONGEST_TILE
        while length > max(SHORTEST_TILE, self.whole) and length * self._bytes > STACK_BYTES:
            length //= 2
        return length if length * self._bytes <= MOST_BYTES else None

    def declarations(self, length: int) -> list[str]:
        """Of the tiles."""
        return [f"{kind} {name}[{length}] __attribute__((aligned(64)));" for name, kind in self._types.items()]


def _loaded(piece: _Piece, steps: StepText, tiles: _Slots) -> list[str]:
    """What a piece reads from arrays, into tiles."""
    if not piece.loads:
        return []
    copies = []
    for place in piece.loads:
        copies += [*steps.declaration(place), f"{tiles.names[place]}[i - begin] = {steps.names[place]};"]
    repeats = [f"{tiles.names[place]}[j] = {tiles.names[place]}[0];" for place in piece.loads]
    repeats.append('__asm__("");  // not worth a vector')
    return [
        *_loop("i", "begin", "end", copies),
        *block("for (pf_i8 j = count; j < padded; ++j)", repeats),
    ]


def _computed(piece: _Piece, steps: StepText, tiles: _Slots) -> list[str]:
    """The loop of a piece."""
    lines = []
    for place in piece.known:
        kind = c_type(steps.step(place).dtype)
        lines.append(f"const {kind} {steps.names[place]} = {tiles.names[place]}[j];")
    with steps.scope():
        for place in piece.steps:
            lines += steps.declaration(place)
        lines += [f"{tiles.names[place]}[j] = {steps.names[place]};" for place in piece.handed_on]
    # gcc must see at each loop anew that its length is whole vectors. It forgets what it knows of a variable that all
    # loops share (in PRE), and compiles tails.
    return ["size = padded;", '__asm__("" : "+r"(size));', f"size &= -{tiles.whole};", *_loop("j", "0", "size", lines)]


def _stored(place: int, steps: StepText, tiles: _Slots, nest: Nest) -> str:
    """The assignment to an element of a result."""
    step = nest.stores[place].step
    value = f"{tiles.names[step]}[i - begin]" if step in tiles.names else steps.names[step]
    return f"{steps.element(place)} = {value};"


def _loop(index: str, first: str, last: str, lines: Sequence[str]) -> list[str]:
    return ["#pragma GCC ivdep", *block(f"for (pf_i8 {index} = {first}; {index} < {last}; ++{index})", lines)]

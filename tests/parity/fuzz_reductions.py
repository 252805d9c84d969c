"""Random functions of maps, reductions, scans, views and joins: the fused function must do all that the original does.

    python -m tests.parity.fuzz_reductions --examples 1000 --seed 7

An example is one function of several statements, each a stage on what came before, called again with other extents, so
that kernels are used again. A statement that is refused is taken out and counted; what is left mostly fuses.
"""

# ruff: noqa: E501 - tables of names
from __future__ import annotations

import argparse
import math
import random
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import pyfuse
from pyfuse.errors import FuseError
from tests.parity.fuzz import ALLOWED, FUNCTIONS, Tally, Writer, compare, random_array
from tests.parity.special_values import ALL, special
from tests.parity.text import function_from

REASONS = ALLOWED | {"empty-reduction"}
# Around the 8 sums of NumPy's pairwise blocks, the 128 elements of a block, and the tiles and stretches of kernels.
EXTENTS = (1, 2, 2, 3, 3, 4, 5, 5, 7, 8, 9, 16, 17, 17, 33, 127, 128, 130, 136, 512, 513, 1000, 1024, 1030)
MOST_ELEMENTS = 20_000
MANY_ELEMENTS = 300_000  # enough for several threads
GROWTH = 4  # of what a statement makes, over what the call gives
LONG = (8_192, 8_193, 9_000, 14_001, 16_384, 16_400, 20_000)  # of an axis: beyond the 8192 elements of NumPy's buffers
NUMBERS = ("0", "1", "2", "-1", "3", "0.5", "2.0", "-0.0", "1e-3", "np.float32(0.1)", "np.int8(3)", "True", "np.inf", "-7", "1j")  # fmt: skip
OPERATORS = ("+", "-", "*", "/", "+", "-", "*", "<", "<=", "==", "!=", ">", "&", "|", "^", "//", "%")
UNARY = ("negative", "absolute", "square", "sqrt", "sign", "floor", "rint", "isnan", "isfinite", "isinf",
         "logical_not", "positive", "conjugate", "invert")  # fmt: skip
BINARY = ("maximum", "minimum", "fmax", "fmin", "logical_and", "logical_or", "bitwise_and", "floor_divide",
          "add", "subtract", "multiply", "divide")  # fmt: skip
METHODS = ("sum", "sum", "prod", "mean", "mean", "min", "max", "any", "all", "argmin", "argmax", "var", "std")
CALLS = ("sum", "prod", "mean", "min", "max", "any", "all", "argmin", "argmax", "var", "std", "ptp", "count_nonzero",
         "nansum", "nanprod", "nanmean", "nanmin", "nanmax", "nanvar", "nanstd", "nanargmin", "nanargmax", "average")  # fmt: skip
UFUNCS = ("add", "add", "multiply", "maximum", "minimum", "fmax", "fmin", "logical_or", "logical_and", "logical_xor",
          "bitwise_or", "bitwise_and", "bitwise_xor", "subtract", "divide", "remainder", "gcd")  # fmt: skip
WITH_DTYPE = ("sum", "prod", "mean", "var", "std", "nansum", "nanprod", "nanmean")
WITH_INITIAL = ("sum", "prod", "min", "max", "nansum", "nanprod", "nanmin", "nanmax")
INDEX = ("argmin", "argmax", "nanargmin", "nanargmax")
# How often a stage is a map, a reduction, a scan, a broadcast of a reduction's result, a view, a join.
PROFILES = ((22, 34, 10, 16, 8, 10), (22, 34, 10, 16, 8, 10), (5, 80, 5, 5, 5, 0), (15, 20, 0, 55, 5, 5), (15, 20, 40, 5, 10, 10), (15, 25, 5, 5, 15, 35))  # fmt: skip
MORE_CALLS = 2  # of each shape, with other values
ROUNDS = 12  # of taking out refused statements


@dataclass(kw_only=True)
class StageTally(Tally):
    """What became of the examples, and of their statements."""

    statements: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class StageWriter(Writer):
    """Writes functions whose statements are stages; each is tried on the arguments of every call."""

    def __init__(self, chance: random.Random, names: list[str], calls: list[list[Any]]) -> None:
        super().__init__(chance, names, calls[0], is_exact=True)
        self._weights = chance.choice(PROFILES)
        self._places = [
            {"np": np, **{name: copy(value) for name, value in zip(names, arguments, strict=True)}}
            for arguments in calls
        ]
        self._values = self._places[0]
        self._names = [name for name in names if name != "k"]
        self._numbers = NUMBERS + ("k",) * 6 if "k" in names else NUMBERS
        self._update_share = chance.choice((0.05, 0.05, 0.25))

    def statements(self, count: int) -> list[str]:
        """Lines that assign ``t0``, ``t1``, ...; functions whose last bits may differ come last, as ``f0``, ..."""
        lines: list[str] = []
        made: list[str] = []
        for _ in range(count * 6):
            if len(made) >= count:
                break
            name = f"t{len(made)}"
            if made and self._chance.random() < self._update_share:
                self._add(lines, self.update(self._chance.choice(made)))
            elif self._add(lines, f"{name} = {self.stage()}"):
                made.append(name)
                self._names += [name, name] if self._is_array(name) else [name]
        for number in range(self._chance.choice((0, 0, 0, 0, 0, 0, 1, 2))):
            self._add(lines, f"f{number} = np.{self._chance.choice(FUNCTIONS)}({self.expression(1)})")
        return lines

    def _add(self, lines: list[str], line: str) -> bool:
        """Add a statement that all calls can run; one that raises is kept now and then only."""
        target = line.split()[0]
        is_update = target in self._values
        if is_update and any(np.may_share_memory(self._values[target], self._values[name]) for name in "xyz" if name in self._values):  # fmt: skip
            return False
        for place in self._places:
            before = place.get(target)
            try:
                with np.errstate(all="ignore"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    exec(line, place)
            except Exception:
                if self._chance.random() > 0.002:
                    return False
                place.setdefault(target, np.zeros(1))
            is_needlessly_empty = not np.size(place[target]) and self._chance.random() < 0.9
            most = GROWTH * max(MOST_ELEMENTS, *(place[name].size for name in "xyz" if name in place))
            if is_needlessly_empty or not _is_kept(place[target], most):
                place.pop(target)
                if is_update:
                    place[target] = before
                return False
        lines.append(line)
        return True

    def _is_array(self, text: str) -> bool:
        return isinstance(self._value(text), np.ndarray)

    def _value(self, text: str) -> Any:
        """Of an expression in the first call; None if it raises."""
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return eval(text, self._values)
        except Exception:
            return None

    # --- stages -------------------------------------------------------------------------------------------------------

    def stage(self) -> str:
        """Text of one stage, on names or on a map of them."""
        makers: tuple[Callable[[], str], ...] = (
            lambda: self.expression(self._chance.randint(1, 2)),
            self.reduction,
            self.scan,
            self.broadcast_back,
            self.view,
            self.joined,
        )
        return self._chance.choices(makers, self._weights)[0]()

    def update(self, name: str) -> str:
        """Text of a statement that changes an array in place, or gives a number's name another one."""
        operator = self._chance.choice("+-*/")
        kept = f"axis={self.axis(np.ndim(self._values[name]))}, keepdims=True"
        forms = (
            f"{name} {operator}= {self.leaf()}",
            f"{name} {operator}= {self.leaf()}",
            f"{name} {operator}= {name}.mean({kept})",
            f"{name} {operator}= {name}.max({kept})",
            f"{name} {operator}= {self._chance.choice(self._names)}.sum(axis=0)",
            f"{name} = np.add({name}, {self.leaf()}, out={name})",
            f"{name} = np.multiply({name}, {name}.sum(), out={name})",
        )
        return self._chance.choice(forms)

    def leaf(self) -> str:
        return self._chance.choice(self._numbers) if self._chance.random() < 0.2 else self._chance.choice(self._names)

    def expression(self, depth: int) -> str:
        """Text of an elementwise expression."""
        if depth == 0:
            return self.leaf()
        one = self.expression(depth - 1)
        draw = self._chance.random()
        if draw < 0.5:
            return f"({one} {self._chance.choice(OPERATORS)} {self.expression(self._chance.randint(0, depth - 1))})"
        if draw < 0.65:
            return f"np.{self._chance.choice(UNARY)}({one})"
        if draw < 0.8:
            return f"np.{self._chance.choice(BINARY)}({one}, {self.expression(depth - 1)})"
        array = self._chance.choice(self._names)
        cast = self._chance.choice(("f4", "f8", "i4", "i8", "f2", "?", "u1"))
        forms = (
            f"np.where({self.leaf()} > 0, {one}, {self.leaf()})",
            f"np.clip({array}, -1, 2)",
            f"np.asarray({array}).astype('{cast}')",
            f"abs({one})",
            f"{array} ** 2",
            f"{array}.real",
            f"np.nan_to_num({array})",
            f"np.zeros_like({array})",
            f"{array}.copy()",
        )
        return self._chance.choice(forms)

    def operand(self, least_rank: int = 1) -> tuple[str, np.ndarray]:
        """Text and value of an array: a name, or a map of names."""
        for _ in range(8):
            text = self._chance.choice(self._names) if self._chance.random() < 0.65 else self.expression(1)
            value = self._value(text)
            if isinstance(value, np.ndarray) and value.ndim >= least_rank:
                return text if text.isidentifier() else f"({text})", value
        return "x", self._values["x"]

    def axis(self, rank: int, *, is_one: bool = False) -> str:
        """Text of an axis argument's value."""
        draw = self._chance.random()
        if draw < 0.25 or not rank:
            return "None"
        if draw < 0.27:
            return str(rank + 1)
        if draw < 0.8 or is_one:
            return str(self._chance.randrange(-rank, rank))
        count = self._chance.randint(1, rank)
        axes = [
            axis - rank if self._chance.random() < 0.2 else axis for axis in self._chance.sample(range(rank), count)
        ]
        return f"({', '.join(map(str, axes))},)"

    def place(self, rank: int) -> int:
        return self._chance.randrange(rank) if rank else 0

    def reduction(self) -> str:
        """Text of a reduction: a method, a function or ``ufunc.reduce``."""
        text, value = self.operand()
        draw = self._chance.random()
        if draw < 0.25:
            name = self._chance.choice(UFUNCS)
            options = self.options(value, name, has_dtype=True, has_initial=True)
            return f"np.{name}.reduce({text}{options})"
        if draw < 0.6:
            name = self._chance.choice(METHODS)
            options = self.options(value, name, has_dtype=name in WITH_DTYPE, has_initial=name in WITH_INITIAL)
            return f"{text}.{name}({options.removeprefix(', ')})"
        name = self._chance.choice(CALLS)
        options = self.options(value, name, has_dtype=name in WITH_DTYPE, has_initial=name in WITH_INITIAL)
        return f"np.{name}({text}{options})"

    def options(self, value: np.ndarray, name: str, *, has_dtype: bool, has_initial: bool) -> str:
        """Text of the keywords of a reduction."""
        chance = self._chance
        options = []
        if chance.random() < 0.85:
            options.append(f"axis={self.axis(value.ndim, is_one=name in INDEX)}")
        if chance.random() < 0.25:
            options.append(f"keepdims={chance.choice(('True', 'True', 'False'))}")
        if has_dtype and chance.random() < 0.15:
            wanted = {"f": ("f4", "f8"), "c": ("c16", "c8")}.get(value.dtype.kind, ("f8", "f4", "i8", "i4", "u1"))
            options.append(f"dtype={chance.choice((chance.choice(wanted), chance.choice(ALL)))!r}")
        if has_initial and chance.random() < 0.15:
            options.append(
                f"initial={chance.choice(('0', '1', '5', '2.5', 'np.inf', '-3', 'True', self._numbers[-1]))}"
            )
        if has_initial and chance.random() < 0.08:
            options.append(f"where={chance.choice(self._names)} > 0")
        if name in ("var", "std", "nanvar", "nanstd") and chance.random() < 0.4:
            options.append(f"ddof={chance.choice(('1', '1', '2', '0.5'))}")
        return "".join(f", {option}" for option in options)

    def scan(self) -> str:
        """Text of a running sum, a difference or the like."""
        text, value = self.operand()
        axis = self.place(value.ndim) - (value.ndim if self._chance.random() < 0.3 else 0)
        ufunc = self._chance.choice(UFUNCS[:13])
        forms = (
            f"np.cumsum({text}, axis={axis})",
            f"{text}.cumsum({axis})",
            f"{text}.cumsum()",
            f"np.cumprod({text}, axis={axis})",
            f"np.cumsum({text}, axis={axis}, dtype={self._chance.choice(('f4', 'f8', 'i8'))!r})",
            f"np.{ufunc}.accumulate({text}, axis={axis})",
            f"np.{ufunc}.accumulate({text})",
            f"np.diff({text}, axis={axis})",
            f"np.diff({text}, n=2, axis={axis})",
            f"np.nancumsum({text}, axis={axis})",
            f"np.gradient({text}, axis={axis})",
            f"np.cumulative_sum({text}, axis={axis})",
            f"np.cumprod({text}, axis={axis})",
            f"np.nancumprod({text}, axis={axis})",
            f"np.trace({text})",
            f"np.linalg.norm({text})",
            f"np.linalg.norm({text}, axis={axis})",
            f"np.{self._chance.choice(('dot', 'inner'))}({text}, {text})"
            if value.dtype.kind in "iu"
            else f"{text}.trace()",
            f"np.sum({text}, axis=0, out=np.zeros({value.shape[1:]}, np.sum({text}, axis=0).dtype))",
        )
        return self._chance.choice(forms)

    def broadcast_back(self) -> str:
        """Text of an array with something of its own reduction."""
        text, value = self.operand()
        axis, operator = self.place(value.ndim), self._chance.choice("+-*/-/")
        name = self._chance.choice(("sum", "mean", "max", "min", "std", "var", "prod", "any", "argmax"))
        index = ", ".join("None" if place == axis else ":" for place in range(max(value.ndim, 1)))
        other = self._chance.choice(self._names)
        kept = f"axis={self.axis(value.ndim)}, keepdims=True"
        forms = (
            f"{text} {operator} {text}.{name}(axis={axis}, keepdims=True)",
            f"{text} {operator} {text}.{name}({'' if name == 'argmax' else kept})",
            f"{text} {operator} {text}.{name}(axis={axis})[{index}]",
            f"{text} {operator} np.expand_dims(np.{name}({text}, axis={axis}), {axis})",
            f"{text} {operator} {text}.{name}()",
            f"{text} {operator} {text}.{name}(axis=0)",
            f"({text} - {text}.mean(axis={axis}, keepdims=True)) / {text}.std(axis={axis}, keepdims=True)",
            f"np.where({text} > {text}.mean(axis={axis}, keepdims=True), {text}, {self.leaf()})",
            f"({text} {operator} {other}).{name}(axis={axis}, keepdims=True) * {text}",
            f"np.abs({text} - np.add.reduce({text}, axis={axis}, keepdims=True)).max(axis={axis})",
            f"({text} * {text}).sum(axis={axis}) {operator} {text}.{name}(axis={axis})",
        )
        return self._chance.choice(forms)

    def view(self) -> str:
        """Text of another way to see an array."""
        text, value = self.operand()
        rank = value.ndim
        index = ", ".join(self._chance.choice((":", ":", "1:", "::2", "::-1", "1:-1", ":3", "None, :", "-1", "0:1")) for _ in range(rank))  # fmt: skip
        forms = (
            f"{text}[{index or '...'}]",
            f"{text}[{index or '...'}]",
            f"{text}[1:]",
            f"{text}[::2]",
            f"{text}[::-1]",
            f"{text}[..., ::-1]",
            f"{text}.T",
            f"{text}[None]",
            f"{text}[..., None]",
            f"np.swapaxes({text}, 0, -1)",
            f"np.moveaxis({text}, {self.place(rank)}, 0)",
            f"{text}.reshape(-1)",
            f"{text}.ravel()",
            f"np.squeeze({text})",
            f"np.flip({text}, axis={self.place(rank)})",
        )
        return self._chance.choice(forms)

    def joined(self) -> str:
        """Text of arrays that are put together, repeated or cut."""
        text, value = self.operand()
        axis = self.place(value.ndim)
        count = self._chance.randint(1, 3)
        other = self._chance.choice(
            (f"{text} * 2", f"np.abs({text})", f"{text}[::-1]", self._chance.choice(self._names))
        )
        part = self._chance.choice((f"np.array_split({text}, {count}, axis={axis})[-1]", f"np.split({text}, [1, 3], axis={axis})[1]"))  # fmt: skip
        forms = (
            f"np.concatenate([{text}, {other}], axis={axis})",
            f"np.concatenate(({text}, {other}, {text}))",
            f"np.stack([{text}, {other}], axis={axis})",
            f"np.hstack([{text}, {other}])",
            f"np.vstack([{text}, {other}])",
            f"np.tile({text}, {count})",
            f"np.repeat({text}, {count}, axis={axis})",
            f"np.roll({text}, {self._chance.randint(-3, 3)}, axis={axis})",
            f"np.roll({text}, {self._chance.randint(-3, 3)})",
            f"{part} * 2" if self._chance.random() < 0.8 else part,
            f"{part}.sum(axis={axis})",
            f"np.concatenate([{part}, {other}], axis={axis})",
            f"np.append({text}, {other})",
            f"np.concatenate([{text}.sum(axis={axis}, keepdims=True), {text}], axis={axis})",
            f"np.stack([{text}.min(axis={axis}), {text}.max(axis={axis})])",
        )
        return self._chance.choice(forms)


def _is_kept(value: Any, most: int) -> bool:
    return isinstance(value, np.ndarray | np.generic | int) and np.size(value) <= most and np.ndim(value) <= 5


# --- arguments --------------------------------------------------------------------------------------------------------


def random_extents(chance: random.Random, rank: int, ones: list[bool] | None, most: int = MOST_ELEMENTS) -> list[int]:
    """Extents of at most ``most`` elements; ``ones`` says which are one."""
    extents = [1] * rank
    places = list(range(rank))
    chance.shuffle(places)
    is_long = chance.random() < 0.12
    for number, place in enumerate(places):
        if ones is not None and ones[place]:
            continue
        room = most // math.prod(extents)
        fitting = [extent for extent in EXTENTS if extent <= room and (ones is None or extent > 1)] or [min(2, room)]
        extents[place] = chance.choice(fitting)
        if is_long and not number:
            extents[place] = chance.choice(LONG)
    if rank and chance.random() < 0.01:
        extents[chance.choice([place for place in places if extents[place] > 1] or [0])] = 0
    return extents


def random_calls(chance: random.Random, names: list[str]) -> list[list[Any]]:
    """The arguments of two calls, now and then of a large third: of the same ranks and, mostly, dtypes and layouts.

    A number may come behind the arrays: its name is added.
    """
    rank = chance.choices((0, 1, 2, 3, 4), (3, 30, 37, 20, 10))[0]
    first = random_extents(chance, rank, None)
    ones_of_all = [extent == 1 for extent in first]
    shapes = [first, random_extents(chance, rank, ones_of_all)]
    if rank > 1 and chance.random() < 0.08:
        shapes.append(random_extents(chance, rank, ones_of_all, MANY_ELEMENTS))
    common = chance.choice(("f8", "f8", "f4", "f2", *ALL))
    calls: list[list[Any]] = [[] for _ in shapes]
    for number in range(len(names)):
        dtype = common if chance.random() < 0.6 else chance.choice(ALL)
        start = chance.randint(0, rank) if number and chance.random() < 0.2 else 0
        ones = [bool(number) and chance.random() < 0.12 for _ in range(rank)]
        layout = chance.getrandbits(32)
        is_same = number == 1 and chance.random() < 0.06
        for arguments, extents in zip(calls, shapes, strict=True):
            if is_same:
                arguments.append(arguments[0][::-1] if rank and chance.random() < 0.5 else arguments[0])
                continue
            if arguments is calls[1] and chance.random() < 0.15:
                dtype, layout = chance.choice((dtype, chance.choice(ALL))), chance.getrandbits(32)
            shape = tuple(1 if ones[axis] else extents[axis] for axis in range(start, rank))
            arguments.append(laid_out(random.Random(layout), random_values(chance, shape, dtype)))
    if chance.random() < 0.2:
        names.append("k")
        kind = chance.choice((float, float, int, bool, np.float32, np.float64, np.int8, complex))
        for arguments in calls:
            arguments.append(random_number(chance, kind))
    return calls


def random_number(chance: random.Random, kind: type) -> Any:
    """A Python or NumPy number of a kind."""
    if kind in (int, np.int8):
        return kind(chance.randint(-9, 9))
    return kind(chance.choice((0.0, 0.1, -2.5, 1e3, 3.0, float("inf"), -0.0)))


def with_other_values(chance: random.Random, arguments: list[Any]) -> list[Any]:
    """Arguments of the same dtypes, shapes, strides and alignment."""
    others: list[Any] = []
    for array in arguments:
        if not isinstance(array, np.ndarray):
            others.append(random_number(chance, type(array)))
            continue
        if not array.flags.writeable or any(np.may_share_memory(array, other) for other in arguments if other is not array and isinstance(other, np.ndarray)):  # fmt: skip
            others.append(array)
            continue
        memory = np.empty(_reach(array) + 16, "u1")
        lowest = array.__array_interface__["data"][0] - _behind(array)
        shift = (lowest - memory.__array_interface__["data"][0]) % 16
        other = np.ndarray(array.shape, array.dtype, memory, shift + _behind(array), array.strides)
        other[...] = random_values(chance, array.shape, array.dtype.str[1:])
        others.append(other)
    return others


def _reach(array: np.ndarray) -> int:
    """Bytes from an array's first element in memory to behind its last."""
    spans = [abs(stride) * (extent - 1) for stride, extent in zip(array.strides, array.shape, strict=True)]
    return (sum(spans) if array.size else 0) + array.itemsize


def _behind(array: np.ndarray) -> int:
    """Bytes from an array's first element in memory to its element of all zero indices."""
    if not array.size:
        return 0
    return sum(-stride * (extent - 1) for stride, extent in zip(array.strides, array.shape, strict=True) if stride < 0)


def random_values(chance: random.Random, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Ordinary values, of widely differing size, few different ones, special ones, or a few special ones."""
    numbers = np.random.default_rng(chance.getrandbits(32))
    kind = np.dtype(dtype).kind
    manner = chance.choices(("wide", "plain", "few", "special", "mixed", "positive"), (30, 25, 10, 8, 12, 15))[0]
    if manner == "special":
        return numbers.choice(special(dtype), shape)
    if kind in "b":
        return numbers.random(shape) < chance.choice((0.5, 0.5, 0.02, 0.98))
    if kind in "iu":
        limits = np.iinfo(dtype)
        low, high = {"few": (0, 3), "wide": (limits.min, limits.max)}.get(manner, (0 if kind == "u" else -50, 100))
        return numbers.integers(low, high, shape, dtype=dtype)
    span = 1.0 if dtype == "f2" else 5.0

    def reals() -> np.ndarray:
        if manner == "few":
            return numbers.integers(-2, 3, shape).astype("f8")
        scale = 10.0 ** numbers.uniform(-span, span, shape) if manner != "plain" else 3.0
        values = numbers.normal(size=shape) * scale
        return np.abs(values) + 0.01 if manner == "positive" else values

    with np.errstate(all="ignore"):
        values = np.asarray(reals() + 1j * reals() if kind == "c" else reals()).astype(dtype)
        if manner == "mixed" and values.size:
            values.flat[numbers.integers(0, values.size, 2)] = numbers.choice(special(dtype), 2)
    return values


def laid_out(chance: random.Random, values: np.ndarray) -> np.ndarray:
    """The values in a random memory layout, which the chance decides whatever the extents."""
    draw = chance.random()
    if draw < 0.5 or not values.ndim:
        return values
    if draw < 0.65:
        return np.asfortranarray(values)
    if draw < 0.9:
        array = random_array(chance, values.shape, values.dtype.str)
        array[...] = values
        return array
    if draw < 0.95:
        axis = chance.randrange(values.ndim)
        row = values[tuple(slice(0, 1) if place == axis else slice(None) for place in range(values.ndim))]
        return np.broadcast_to(row, values.shape)
    raw = np.empty(values.nbytes + 1, "u1")[1:]
    array = np.ndarray(values.shape, values.dtype, raw)
    array[...] = values
    return array


# --- one example ------------------------------------------------------------------------------------------------------


def function_text(names: list[str], lines: list[str], dropped: frozenset[str] = frozenset()) -> str:
    """The function of these statements, which returns what they assign but for what is dropped."""
    made = list(dict.fromkeys(line.split()[0] for line in lines))
    results = [name for name in made if name not in dropped] or made or names
    body = "".join(f"    {line}\n" for line in [*lines, f"return {', '.join(results)},"])
    return f"def f({', '.join(names)}):\n{body}"


def draw(seed: int, tally: StageTally) -> tuple[str, list[list[Any]]]:
    """The text of a function, mostly without statements that are refused, and the arguments of its calls."""
    chance = random.Random(seed)
    names = ["x", "y", "z"][: chance.choice((1, 2, 2, 3))]
    calls = random_calls(chance, names)
    lines: list[str] = []
    dropped: frozenset[str] = frozenset()
    is_kept_whole = chance.random() < 0.05
    for _ in range(4):
        lines = StageWriter(chance, names, calls).statements(chance.randint(3, 8))
        tally.statements += len(lines)
        used = {name for line in lines for name in re.findall(r"\bt\d+\b", line.split("=", 1)[1])}
        dropped = frozenset(name for name in sorted(used) if chance.random() < 0.5)
        lines = lines if is_kept_whole else without_refused(names, lines, dropped, calls, tally)
        if is_kept_whole or next(refusals(function_text(names, lines, dropped), calls), None) is None:
            break
    again = [with_other_values(chance, arguments) for arguments in calls[:2] * MORE_CALLS]
    return function_text(names, lines, dropped), [*calls, *again]


def without_refused(
    names: list[str], lines: list[str], dropped: frozenset[str], calls: list[list[Any]], tally: StageTally
) -> list[str]:
    """The statements without those that are refused for the arguments of a call, and what depends on them."""
    for _ in range(ROUNDS):
        text = function_text(names, lines, dropped)
        refusal = next(refusals(text, calls), None)
        if refusal is None or len(lines) <= 1:
            break
        number, message = refusal
        if number is None:
            number = next(
                (
                    place
                    for place in reversed(range(len(lines)))
                    if next(refusals(function_text(names, _without(lines, place), dropped), calls), None) != refusal
                ),
                len(lines) - 1,
            )
        tally.refused[message] += 1
        lines = _without(lines, number)
    return lines


def refusals(text: str, calls: list[list[Any]]) -> Iterator[tuple[int | None, str]]:
    """Statement (None if not known) and message of each call's refusal, if we are to blame; nothing is compiled."""
    fused = pyfuse.fuse(function_from(text))
    for arguments in calls:
        try:
            fused.source(*arguments)
        except FuseError as error:
            reason = error.diagnostic
            if reason.code.value in REASONS or reason.code.value == "internal-error":
                continue
            line = reason.span.line - 2 if reason.span is not None else None
            is_statement = line is not None and 0 <= line < text.count("\n") - 2
            yield (line if is_statement else None), f"{reason.message} [{reason.code.value}]"
        except Exception:  # shown by the call
            continue


def _without(lines: list[str], number: int) -> list[str]:
    """The statements but one and those that need what it makes."""
    gone = {lines[number].split()[0]}
    kept = [line for line in lines[:number] if line.split()[0] not in gone or line.split()[1] == "="]
    for line in lines[number + 1 :]:
        if gone & set(re.findall(r"\b\w+\b", line)):
            gone.add(line.split()[0])
        else:
            kept.append(line)
    return kept


def check(seed: int, tally: StageTally, report: Callable[[str], None] = print) -> None:
    """Run one example; differences are added to the tally."""
    text, calls = draw(seed, tally)
    compare(f"seed {seed}", text, calls, tally, report, REASONS)


def run(first: int, count: int, report: Callable[[str], None] = print) -> StageTally:
    """Run examples ``first`` to ``first + count``."""
    tally = StageTally()
    for seed in range(first, first + count):
        check(seed, tally, report)
    return tally


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the first example")
    options = parser.parse_args()
    begin = time.perf_counter()
    tally = run(options.seed, options.examples)
    minutes = (time.perf_counter() - begin) / 60
    print(
        f"{tally.examples} examples, {tally.calls} calls, {tally.fused / max(tally.calls, 1):.0%} fused,"
        f" {tally.results} results compared, {len(tally.failures)} differ, {tally.examples / minutes:.0f} examples a minute"
    )
    print(f"calls: {dict(tally.reasons.most_common())}")
    print(f"statements: {tally.statements}, refused {tally.refused.total()}:")
    for message, count in tally.refused.most_common(30):
        print(f"{count:6} {message}")
    print("calls that fell back for other reasons:")
    for message, count in tally.messages.most_common(30):
        print(f"{count:6} {message}")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""Random functions on random arrays: the fused function must do all that the original does.

    python -m tests.parity.fuzz --examples 1000 --seed 7

prints each difference with what is needed to see it again. Every example packs several expressions into one function, so
that a kernel serves many of them; a refused expression is taken out and counted.
"""

# ruff: noqa: E501 - tables of names
from __future__ import annotations

import argparse
import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import pyfuse
from tests.parity.outcome import Outcome, assert_same_outcome, observe
from tests.parity.special_values import ALL, special
from tests.parity.text import function_from

ULP = 4  # of functions; they stand outermost only, because what follows one may magnify its last bits
EXACT_UNARY = ("negative", "absolute", "square", "sqrt", "sign", "floor", "ceil", "trunc", "rint", "isnan", "isfinite",
               "signbit", "logical_not", "positive", "conjugate", "reciprocal", "isinf", "invert", "spacing")  # fmt: skip
EXACT_BINARY = ("maximum", "minimum", "copysign", "floor_divide", "remainder", "fmod", "logical_and",
                "logical_xor", "bitwise_and", "left_shift", "right_shift", "heaviside", "nextafter", "gcd")  # fmt: skip
FUNCTIONS = ("exp", "log", "sin", "cos", "tanh", "arctan", "log1p", "expm1", "cbrt", "exp2")
OPERATORS = ("+", "-", "*", "/", "//", "%", "&", "|", "^", "<", "<=", "==", "!=", ">", ">=", "<<")
NUMBERS = ("0", "1", "2", "-1", "3", "0.5", "2.0", "-0.0", "1e-3", "1e300", "np.float32(0.1)", "np.int8(3)", "1j", "True",
           "np.inf", "np.nan", "np.pi", "255", "-7")  # fmt: skip
CASTS = tuple(code for code in ALL if code not in ("c8", "c16"))
# Reasons for which the original may run: it reports or raises something, or a known limit is met.
ALLOWED = frozenset(["floating-point-report", "numpy-raises", "shape-mismatch", "scalar-range", "scalar-error"])


@dataclass(kw_only=True)
class Tally:
    """What became of the examples."""

    examples: int = 0
    calls: int = 0
    fused: int = 0
    results: int = 0  # arrays and numbers that fused calls gave, each compared with the original's
    reasons: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


class Writer:
    """Writes random expressions; ``is_exact`` leaves out functions whose last bits may differ."""

    def __init__(self, chance: random.Random, names: list[str], arguments: list[Any], *, is_exact: bool) -> None:
        self._chance = chance
        self._names = list(names)
        self._is_exact = is_exact
        self._values = {"np": np, **{name: copy(value) for name, value in zip(names, arguments, strict=True)}}

    def body(self, statements: int) -> str:
        """Assignments, some of them augmented, and a result of all that was assigned."""
        lines: list[str] = []
        made: list[str] = []
        for number in range(statements):
            if made and self._chance.random() < 0.15:
                target = self._chance.choice(made)
                self._add(lines, f"{target} {self._chance.choice('+-*')}= {self.leaf()}")
                continue
            name = f"t{number}"
            if self._add(lines, f"{name} = {self.expression(self._chance.randint(1, 3))}"):
                made.append(name)
                self._names.append(name)
        for number in range(0 if self._is_exact else 2):
            name = f"f{number}"
            function, inner = self._chance.choice(FUNCTIONS), self.expression(self._chance.randint(0, 2))
            if self._add(lines, f"{name} = np.{function}({inner})"):
                made.append(name)
        results = "".join(f"{name}, " for name in made or self._names[:1])
        return "\n".join("    " + line for line in [*lines, f"return {results.strip()}"])

    def _add(self, lines: list[str], line: str) -> bool:
        """Add a statement; one that raises is kept now and then only."""
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(line, self._values)
        except Exception:
            if self._chance.random() > 0.02:
                return False
        lines.append(line)
        return True

    def leaf(self) -> str:
        return self._chance.choice(NUMBERS) if self._chance.random() < 0.2 else self._chance.choice(self._names)

    def expression(self, depth: int) -> str:
        """Text of an expression."""
        if depth == 0:
            return self.leaf()
        one = self.expression(depth - 1)
        draw = self._chance.random()
        if draw < 0.45:
            return f"({one} {self._chance.choice(OPERATORS)} {self.expression(self._chance.randint(0, depth - 1))})"
        if draw < 0.57:
            return f"np.{self._chance.choice(EXACT_UNARY)}({one})"
        if draw < 0.7:
            return f"np.{self._chance.choice(EXACT_BINARY)}({one}, {self.expression(depth - 1)})"
        return self._form(one, depth)

    def _form(self, one: str, depth: int) -> str:
        other = self.expression(self._chance.randint(0, depth - 1))
        array = self._chance.choice(self._names)
        forms = (
            f"np.where({self.expression(depth - 1)}, {one}, {other})",
            f"np.clip({array}, {self.leaf()}, {self.leaf()})",
            f"np.asarray({array}).astype('{self._chance.choice(CASTS)}')",
            f"{array}.T",
            f"-{one}",
            f"abs({one})",
            f"np.round({array}, {self._chance.randint(0, 2)})",
            f"{array}[None]",
            f"{array}[..., None]",
            f"np.zeros_like({array})",
            f"np.full_like({array}, {self._chance.choice(NUMBERS)})",
            f"{array}.copy()",
            f"{array}.real",
            f"np.isclose({one}, {other})",
            f"np.nan_to_num({array})",
            f"np.select([{array} > 0], [{other}], {self.leaf()})",
            f"{array}[({other} > 0) * 1]",
            f"{array}[..., ({other} > 0) * -2]",
            f"np.take({array}, {other} > 0, axis={self._chance.randint(-1, 1)})",
            f"np.add({array}, {self.leaf()}, out=np.zeros_like({array}), where={array} > 0)",
        )
        return self._chance.choice(forms)


def random_array(chance: random.Random, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """An array of special and ordinary values, in a random layout."""
    numbers = np.random.default_rng(chance.getrandbits(32))
    order = list(range(len(shape)))
    chance.shuffle(order)
    steps = [chance.choice((1, 1, 1, 2, -1)) for _ in shape]
    sizes = [shape[axis] * abs(steps[axis]) for axis in order]
    values = _values(chance, numbers, int(np.prod(sizes)), dtype).reshape(sizes)
    array = values.transpose(np.argsort(order)) if shape else values
    array = array[tuple(slice(None, None, step) for step in steps)]
    assert array.shape == shape
    return array


def _values(chance: random.Random, numbers: np.random.Generator, count: int, dtype: str) -> np.ndarray:
    if chance.random() < 0.35:
        return numbers.choice(special(dtype), count)
    with np.errstate(all="ignore"):
        if np.dtype(dtype).kind == "c":
            return (numbers.normal(size=count) + 1j * numbers.normal(size=count)).astype(dtype)
        if np.dtype(dtype).kind == "f":
            return (numbers.normal(size=count) * 3).astype(dtype)
        return numbers.integers(0, 2 if dtype == "?" else 100, count).astype(dtype)


def random_shapes(chance: random.Random, count: int) -> list[tuple[int, ...]]:
    """Shapes that broadcast, mostly."""
    full = [chance.choice((1, 2, 3, 5, 17)) for _ in range(chance.randint(0, 3))]
    if chance.random() < 0.05 and full:
        full[chance.randrange(len(full))] = 0
    shapes = []
    for _ in range(count):
        kept = full[chance.randint(0, len(full)) :] if chance.random() < 0.3 else full
        shapes.append(tuple(1 if chance.random() < 0.15 else extent for extent in kept))
    return shapes


def draw(seed: int) -> tuple[str, list[list[Any]]]:
    """The text of a function and the arguments of several calls."""
    chance = random.Random(seed)
    names = ["x", "y", "z"][: chance.randint(1, 3)]
    calls = []
    dtypes = [chance.choice(ALL) for _ in names]
    for number in range(2):
        if number:
            dtypes = [dtype if chance.random() < 0.7 else chance.choice(ALL) for dtype in dtypes]
        calls.append([random_array(chance, shape, dtype) for shape, dtype in
                      zip(random_shapes(chance, len(names)), dtypes, strict=True)])  # fmt: skip
    writer = Writer(chance, names, calls[0], is_exact=chance.random() < 0.6)
    return f"def f({', '.join(names)}):\n{writer.body(chance.randint(1, 5))}\n", calls


def _is_exact(text: str) -> bool:
    return not any(f"np.{name}(" in text for name in FUNCTIONS)


def check(seed: int, tally: Tally, report: Callable[[str], None] = print) -> None:
    """Run one example; differences are added to the tally."""
    text, calls = draw(seed)
    compare(f"seed {seed}", text, calls, tally, report)


def compare(
    name: str,
    text: str,
    calls: list[list[Any]],
    tally: Tally,
    report: Callable[[str], None],
    allowed: frozenset[str] = ALLOWED,
) -> None:
    """Run a function and its fused self on the arguments of each call, under two settings of ``np.errstate``.

    Args:
        name: of the example, for messages.
        text: of the function.
        calls: the arguments of each.
        tally: gets counts and differences.
        report: gets each difference.
        allowed: reasons for which the original may run; others are counted by their message.
    """
    fused = pyfuse.fuse(function_from(text))
    tally.examples += 1
    for number, arguments in enumerate(calls):
        for modes in ({"all": "ignore"}, {"all": "warn"}):
            tally.calls += 1
            before = fused.fallback_reasons()
            copies = [np.copy(argument) for argument in arguments]
            expected = observe(fused.__wrapped__, arguments, modes)
            if not all(
                np.array_equal(argument, old, equal_nan=True) for argument, old in zip(arguments, copies, strict=True)
            ):
                return  # it stores into its arguments: the second call would see others
            actual = observe(fused, arguments, modes)
            reason = next(
                (code for code, count in fused.fallback_reasons().items() if count != before.get(code, 0)), ""
            )
            tally.reasons[reason or "fused"] += 1
            if reason and reason not in allowed and not expected.error:
                tally.messages[_last_message(fused)] += 1
            tally.fused += not reason
            try:
                assert_same_outcome(actual, expected, 0 if _is_exact(text) else ULP)
                assert_same_outcome(_exact_part(actual, text), _exact_part(expected, text))
                tally.results += 0 if reason else _count(expected.result)
                assert not reason or reason in allowed or expected.error or not _is_refused(reason), reason
            except AssertionError as difference:
                shown = ", ".join(_shown(argument) for argument in arguments)
                message = f"{name}, call {number} ({modes['all']}), {shown}:\n{text}  {difference}\n"
                tally.failures.append(message)
                report(message)
                return


def _shown(argument: Any) -> str:
    if not isinstance(argument, np.ndarray):
        return repr(argument)
    return f"{argument.dtype}{argument.shape}{argument.strides}"


def _exact_part(outcome: Outcome, text: str) -> Outcome:
    """An outcome without the results that are functions (``f0``, ``f1``): what is left has NumPy's bits."""
    if outcome.error:
        return outcome
    names = text.rsplit("return ", 1)[1].split(",")
    kept = tuple(item for name, item in zip(names, outcome.result, strict=False) if not name.strip().startswith("f"))
    return replace(outcome, result=kept)


def _count(value: Any) -> int:
    return sum(_count(item) for item in value) if isinstance(value, tuple | list) else 1


def _last_message(fused: Any) -> str:
    """What the last fallback said, in one line."""
    lines = [line for line in fused.explain().splitlines() if line.startswith("pyfuse: ")]
    return lines[-1] if lines else ""


def _is_refused(reason: str) -> bool:
    """Whether a reason is a mistake of ours, not a limit that is known."""
    return reason in ("internal-error", "compiler-failed", "load-failed", "no-compiler", "no-source", "unknown-name")


def run(first: int, count: int, report: Callable[[str], None] = print) -> Tally:
    """Run examples ``first`` to ``first + count``."""
    tally = Tally()
    for seed in range(first, first + count):
        check(seed, tally, report)
    return tally


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the first example")
    options = parser.parse_args()
    tally = run(options.seed, options.examples)
    print(f"{tally.examples} examples, {tally.calls} calls, {len(tally.failures)} differ: {dict(tally.reasons)}")
    for message, count in tally.messages.most_common(20):
        print(f"{count:6} {message}")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())

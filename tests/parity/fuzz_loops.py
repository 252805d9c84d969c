"""Random functions with a loop over a range whose body is mostly elementwise, fused against plain.

    python -m tests.parity.fuzz_loops --examples 1000 --seed 0

What differs is reported as by ``fuzz_programs``. The numbers of turns vary from call to call.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.parity.fuzz_programs import Tally, check_program, command_line, run_checks

BINARY = ("{} + {}", "{} - {}", "{} * {}", "np.maximum({}, {})", "{} / ({} + 2.5)", "np.minimum({}, {})")
UNARY = ("-{}", "abs({})", "np.sqrt(np.abs({}))", "{} * 0.5", "1 - {}", "np.square({})", "{}.copy()", "np.floor({})")
MASKS = ("{} > 0", "np.abs({}) < 2", "{} <= 1.5", "np.isfinite({})")
RANGES = (
    "range(n)",
    "range(n)",
    "range(n)",
    "range(1, n)",
    "range(n, 0, -1)",
    "range(0, n, 2)",
    "range(m, n)",
    "range(6)",
)
TURNS = (0, 1, 2, 3, 5, 11)  # gcc takes minutes for some loops of complex numbers that are unrolled


class Writer:
    """Writes one function of arrays ``x`` and ``y``, turns ``n`` and ``m``, and a number ``p``."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._arrays = {"x", "y"}
        self._numbers = {"p", "0.5", "2"}

    def body(self) -> str:
        """The function's body."""
        lines = []
        for name in self._chance.sample(("a", "b", "c"), self._chance.randint(1, 3)):
            lines.append(f"{name} = {self._start()}")
            self._arrays.add(name)
        for name in self._chance.sample(("t", "k"), self._chance.randint(0, 2)):
            lines.append(f"{name} = {self._chance.choice(('0', '0.0', '1.5', 'p', 'm'))}")
            self._numbers.add(name)
        lines += self._loop()
        if self._chance.random() < 0.2:
            lines += self._loop()
        if self._chance.random() < 0.4:
            lines.append(f"a = {self._expression()}")
            self._arrays.add("a")
        names = sorted(self._arrays | (self._numbers & {"t", "k"}))
        lines.append(f"return {', '.join(self._chance.sample(names, self._chance.randint(1, min(4, len(names)))))}")
        return "\n".join(f"    {line}" for line in lines)

    def _start(self) -> str:
        choices = (
            "x.copy()",
            "x * 1.5",
            "np.zeros_like(x)",
            "np.ones(x.shape)",
            "np.zeros(x.shape, int)",
            "x",
            "y",
            "0.5",
        )
        return self._chance.choice((*choices, "x + y", "x[:1] * 2"))

    def _loop(self) -> list[str]:
        index = self._chance.choice(("i", "j"))
        lines = [f"for {index} in {self._chance.choice(RANGES)}:"]
        if self._chance.random() < 0.5:
            self._numbers.add(index)
        lines += [f"    {line}" for _ in range(self._chance.randint(1, 5)) for line in self._statement() or ["pass"]]
        self._numbers.discard(index)
        if self._chance.random() < 0.15:
            lines += ["else:", f"    b = {self._expression()}"]
            self._arrays.add("b")
        return lines

    def _array(self) -> str:
        return self._chance.choice(sorted(self._arrays))

    def _operand(self) -> str:
        if self._chance.random() < 0.3:
            return self._chance.choice(sorted(self._numbers))
        return self._array() + (
            self._chance.choice(("[::-1]", "[:1]", ".T", ".real")) if self._chance.random() < 0.06 else ""
        )

    def _mask(self) -> str:
        return self._chance.choice(MASKS).format(self._array())

    def _expression(self) -> str:
        text = self._array()
        for _ in range(self._chance.randint(1, 3)):
            roll = self._chance.random()
            if roll < 0.3:
                text = f"({self._chance.choice(UNARY).format(text)})"
            elif roll < 0.45:
                text = f"np.where({self._mask()}, {text}, {self._operand()})"
            else:
                operands = (text, self._operand())
                text = f"({self._chance.choice(BINARY).format(*operands[:: self._chance.choice((1, -1))])})"
        return text

    def _target(self) -> str:
        name = self._chance.choice(("a", "b", "c", "d", "x"))
        self._arrays.add(name)
        return name

    def _statement(self) -> list[str]:
        roll = self._chance.random()
        if roll < 0.5:
            text = self._expression()
            return [f"{self._target()} = {text}"]
        if roll < 0.62:
            return [f"{self._array()} {self._chance.choice(('+=', '-=', '*='))} {self._operand()}"]
        if roll < 0.74:
            return [f"{self._array()}[{self._mask()}] {self._chance.choice(('=', '+=', '*='))} {self._value()}"]
        if roll < 0.82:
            first, second = self._array(), self._expression()
            return [f"{self._target()}, {self._target()} = {first}, {second}"]
        if roll < 0.9:
            return [f"{self._chance.choice(('t', 'k'))} = {self._number()}"] if {"t", "k"} <= self._numbers else []
        if roll < 0.94:
            return [f"{self._target()} = {self._array()}"]
        if roll < 0.97:
            return [f"if {self._chance.choice(('p > 0.5', 'm > 1'))}:", f"    {self._target()} = {self._expression()}"]
        return [self._chance.choice(("if m > 2: continue", "if i == 3: break", "x[0] = 1.0", "a = a - a.sum()"))]

    def _value(self) -> str:
        return self._chance.choice(sorted(self._numbers))

    def _number(self) -> str:
        left, right = (self._chance.choice(sorted(self._numbers)) for _ in range(2))
        return self._chance.choice(("{} + {}", "{} - {}", "{} * {}", "{} / ({} + 3)", "-{}", "{} + 1")).format(
            left, right
        )


def draw(seed: int) -> tuple[str, list[Callable[[], list[Any]]]]:
    """The text of a function, and makers of the arguments of several calls."""
    chance = random.Random(seed)
    text = f"def f(x, y, n, m, p):\n{Writer(chance).body()}\n"
    kind, shape = chance.choice(("f8", "f8", "f4", "c16", "i8", "i4")), chance.choice(((37,), (5, 7), (1, 6), (70,)))
    form = chance.choice(("plain", "plain", "plain", "fortran", "strided", "row", "same", "shifted"))
    turns = chance.sample(TURNS[: 4 if kind == "c16" else len(TURNS)], 4)
    return text, [_maker(seed, kind, shape, form, count, chance.randint(0, 3)) for count in turns]


def _maker(seed: int, kind: str, shape: tuple[int, ...], form: str, turns: int, other: int) -> Callable[[], list[Any]]:
    def make() -> list[Any]:
        numbers = np.random.default_rng(seed)
        x, y = ((numbers.normal(size=shape) * 2).astype(kind) for _ in range(2))
        if form == "fortran":
            y = np.asfortranarray(y)
        if form == "strided":
            x = np.repeat(x, 2, axis=-1)[..., ::2]
        if form == "same":
            y = x
        if form == "shifted" and len(x) > 1:
            x, y = x[1:], x[:-1]
        if form == "row":
            y = y[..., :1]
        return [x, y, turns, other, 0.75]

    return make


def check(seed: int, tally: Tally, report: Callable[[str], None] = print) -> None:
    """Run one function, every call twice; differences are added to the tally."""
    text, makers = draw(seed)
    check_program(seed, text, makers, tally, report)


def run(first: int, count: int, report: Callable[[str], None] = print) -> Tally:
    """Run functions ``first`` to ``first + count``."""
    return run_checks(check, first, count, report)


if __name__ == "__main__":
    sys.exit(command_line(__doc__, check, "functions"))

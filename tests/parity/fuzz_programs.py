"""Random small programs, fused against plain: loops, branches, exceptions, stores, aliases, and calls that do not fuse.

    python -m tests.parity.fuzz_programs --examples 1000 --seed 0

A difference in values, arguments as the call leaves them, memory shared, exceptions, warnings or what was printed is
reported with the program.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np

import pyfuse
from pyfuse import direct_stores, in_place
from pyfuse.frontend import stores
from tests.parity.outcome import Outcome, assert_same, observe
from tests.parity.text import function_from

ARRAYS = ("a", "b", "c", "t", "u", "v")
UNARY = ("-{}", "abs({})", "np.sqrt(np.abs({}))", "np.floor({})", "{} * 2", "1 - {}", "np.square({})", "{}.copy()")
BINARY = ("{} + {}", "{} - {}", "{} * {}", "np.maximum({}, {})", "np.where({} > 0, {}, 1.0)", "{} / ({} + 2.5)")
GATHERS = ("[picks]", "[picks[::-1]]", "[np.clip({}.astype(int), 0, 2)]", "[np.floor({}).astype(int) % 11]")
SLICES = ("[1:]", "[:-1]", "[::-1]", "[::2]", "[1:-1]", "[...]", "[:3]")
INTERNAL = frozenset({"internal-error", "compiler-failed", "load-failed", "no-compiler", "no-source"})


class Opaque:
    """A callable that pyfuse knows nothing of: gives back what it is given."""

    def __call__(self, value: Any) -> Any:
        return value


class Spoil:
    """A callable that changes an array in place."""

    def __call__(self, array: np.ndarray) -> None:
        array += 1


class Mixes:
    """A callable that changes an array in place and gives another."""

    def __call__(self, array: np.ndarray) -> np.ndarray:
        array -= 0.5
        return array * 0.25


class Fails:
    """A callable that raises for every second number."""

    def __call__(self, number: int) -> None:
        if number % 2:
            raise ValueError(f"{number} is odd")


class Swallows:
    """A context manager that swallows ValueError."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> bool:
        return kind is ValueError


# Inside of every array of these programs.
PICKS = np.array([0, 2, -1, 1, 1, 0, -3, 2, 5, -2, 0, 7])
NAMES = {
    "opaque": Opaque(), "spoil": Spoil(), "mixes": Mixes(), "fails": Fails(), "swallows": Swallows(), "picks": PICKS
}  # fmt: skip


@dataclass
class Tally:
    """Counts of a run.

    Attributes:
        examples: programs.
        calls: of them.
        ways: how calls were answered: fused, in part, by the original.
        kernels: loaded.
        failures: texts of differences.
    """

    examples: int = 0
    calls: int = 0
    ways: Counter[str] = field(default_factory=Counter)
    kernels: int = 0
    failures: list[str] = field(default_factory=list)


class Writer:
    """Writes one program."""

    def __init__(self, chance: random.Random, parameters: Sequence[str]) -> None:
        self._chance = chance
        self._arrays = set(parameters)
        self._loops = 0

    def body(self) -> str:
        """The function's body."""
        lines = [f"    {line}" for line in self._block(self._chance.randint(2, 7), depth=0, in_loop=False)]
        names = sorted(self._arrays)
        count = self._chance.randint(1, min(4, len(names)))
        lines.append(f"    return {', '.join(self._chance.sample(names, count))}")
        return "\n".join(lines)

    def _block(self, count: int, depth: int, *, in_loop: bool) -> list[str]:
        lines: list[str] = []
        for _ in range(count):
            lines += self._statement(depth, in_loop=in_loop)
        return lines

    def _nested(self, depth: int, *, in_loop: bool) -> list[str]:
        lines = self._block(self._chance.randint(1, 3), depth + 1, in_loop=in_loop)
        return [f"    {line}" for line in lines or ["pass"]]

    def _array(self) -> str:
        if self._chance.random() < 0.02:
            return self._chance.choice(ARRAYS)  # perhaps without a value
        return self._chance.choice(sorted(self._arrays))

    def _operand(self) -> str:
        roll = self._chance.random()
        if roll < 0.12:
            return self._array() + self._chance.choice(SLICES)
        if roll < 0.24:
            return self._chance.choice(("p", "n", "0.5", "2", "k"))
        return self._array() + (self._gather() if roll < 0.32 else "")

    def _gather(self) -> str:
        """An index of whole numbers; what is no array, is short or holds NaN may make it a mistake."""
        return self._chance.choice(GATHERS).format(self._array())

    def _expression(self) -> str:
        text = self._array()
        for _ in range(self._chance.randint(1, 3)):
            if self._chance.random() < 0.35:
                text = f"({self._chance.choice(UNARY).format(text)})"
            else:
                operands = (text, self._operand())
                if self._chance.random() < 0.4:
                    operands = operands[::-1]
                text = f"({self._chance.choice(BINARY).format(*operands)})"
        if self._chance.random() < 0.15:
            text = f"({text} - {self._array()}.sum())"
        if self._chance.random() < 0.12:  # a part that does not fuse
            part = self._chance.choice(("opaque({})", "mixes({})", "opaque({} * 2 + 1)", "np.sort({})")).format(
                self._array()
            )
            operands = (text, part) if self._chance.random() < 0.5 else (part, text)
            text = f"({self._chance.choice(BINARY).format(*operands)})"
        return text

    def _target(self) -> str:
        name = self._chance.choice(ARRAYS)
        self._arrays.add(name)
        return name

    def _statement(self, depth: int, *, in_loop: bool) -> list[str]:
        simple = [
            (10, self._assign), (3, self._augmented), (2, self._store), (3, self._opaque), (1, self._print),
            (1, self._spoil), (1, self._alias), (1, self._fails), (1, self._number), (1, self._delete),
            (1, self._early), (1, self._unpack),
        ]  # fmt: skip
        compound = [
            (2, self._if), (2, self._for), (1, self._while), (1, self._try), (1, self._with), (1, self._match),
            (1, self._closure),
        ]  # fmt: skip
        choices: list[tuple[int, Callable[..., list[str]]]] = [*simple, *(compound if depth < 2 else [])]
        (write,) = self._chance.choices([write for _, write in choices], [weight for weight, _ in choices])
        if in_loop and self._chance.random() < 0.06:
            test = self._chance.choice(("k > 2", "n > 2", f"{self._array()}.sum() > 0"))
            return [f"if {test}:", f"    {self._chance.choice(('break', 'continue'))}"]
        return write(depth, in_loop=in_loop) if write in [entry for _, entry in compound] else write()

    # --- simple statements ----------------------------------------------------------------------------------------

    def _assign(self) -> list[str]:
        text = self._expression()
        return [f"{self._target()} = {text}"]

    def _unpack(self) -> list[str]:
        first, second = self._expression(), self._expression()
        return [f"{self._target()}, {self._target()} = {first}, {second}"]

    def _augmented(self) -> list[str]:
        return [f"{self._array()} {self._chance.choice(('+=', '-=', '*='))} {self._operand()}"]

    def _store(self) -> list[str]:
        mask = f"[{self._array()} {self._chance.choice(('> 0', '< 1', '== 2'))}]"
        target = self._array() + self._chance.choice((*SLICES, "[0]", mask, "[picks]"))
        operator = self._chance.choice(("=", "+=", "*="))
        value = self._chance.choice((self._operand(), self._array() + self._chance.choice(SLICES), "p"))
        return [f"{target} {operator} {value}"]

    def _opaque(self) -> list[str]:
        text = self._chance.choice((self._array(), self._expression()))
        return [f"{self._target()} = opaque({text})"]

    def _print(self) -> list[str]:
        return [f"print({self._array()}.sum(), f'{{n}}')"]

    def _spoil(self) -> list[str]:
        return [f"spoil({self._array()})"]

    def _alias(self) -> list[str]:
        return [f"{self._target()} = {self._array()}{self._chance.choice(('', *SLICES))}"]

    def _fails(self) -> list[str]:
        return [f"fails({self._chance.choice(('n', 'k', '2'))})"]

    def _number(self) -> list[str]:
        return [self._chance.choice(("k = k + 1", "p = p * 0.5", "k += n", f"p = float({self._array()}.sum())"))]

    def _delete(self) -> list[str]:
        return [f"del {self._chance.choice(ARRAYS)}"] if self._chance.random() < 0.3 else []

    def _early(self) -> list[str]:
        return [f"if {self._chance.choice(('n == 1', 'k > 4'))}:", f"    return {self._expression()}"]

    # --- compound statements --------------------------------------------------------------------------------------

    def _if(self, depth: int, *, in_loop: bool) -> list[str]:
        test = self._chance.choice(
            ("n > 1", "k % 2", f"{self._array()}.sum() > 0", f"np.any({self._array()} > 1)", "p")
        )
        lines = [f"if {test}:", *self._nested(depth, in_loop=in_loop)]
        if self._chance.random() < 0.5:
            lines += ["else:", *self._nested(depth, in_loop=in_loop)]
        return lines

    def _for(self, depth: int, *, in_loop: bool) -> list[str]:
        over = self._chance.choice(("range(n)", "range(3)", "(1.5, 2.0)", "range(k, 3)"))
        name = self._chance.choice(("k", "p"))
        lines = [f"for {name} in {over}:", *self._nested(depth, in_loop=True)]
        if self._chance.random() < 0.15:
            lines += ["else:", *self._nested(depth, in_loop=in_loop)]
        return lines

    def _while(self, depth: int, *, in_loop: bool) -> list[str]:  # noqa: ARG002
        self._loops += 1
        counter = f"w{self._loops}"
        test = self._chance.choice(("", f" and {self._array()}.sum() < 1e6"))
        return [
            f"{counter} = 0",
            f"while {counter} < 3{test}:",
            f"    {counter} += 1",
            *self._nested(depth, in_loop=True),
        ]

    def _try(self, depth: int, *, in_loop: bool) -> list[str]:
        lines = ["try:", *self._nested(depth, in_loop=in_loop)]
        if self._chance.random() < 0.8:
            lines += ["except ValueError as error:", *self._nested(depth, in_loop=in_loop)]
            if self._chance.random() < 0.3:
                lines += ["else:", *self._nested(depth, in_loop=in_loop)]
            if self._chance.random() < 0.7:
                return lines
        return [*lines, "finally:", *self._nested(depth, in_loop=in_loop)]

    def _with(self, depth: int, *, in_loop: bool) -> list[str]:
        manager = self._chance.choice(("swallows", "np.errstate(all='ignore')"))
        return [f"with {manager}:", *self._nested(depth, in_loop=in_loop)]

    def _match(self, depth: int, *, in_loop: bool) -> list[str]:
        first, second = self._nested(depth, in_loop=in_loop), self._nested(depth, in_loop=in_loop)
        return ["match n:", "    case 2:", *(f"    {line}" for line in first), "    case _:",
                *(f"    {line}" for line in second)]  # fmt: skip

    def _closure(self, depth: int, *, in_loop: bool) -> list[str]:  # noqa: ARG002
        name = self._array()
        text = self._expression()
        return [
            f"inner = lambda: {name} * 2",
            *self._assign(),
            f"{self._target()} = {text}",
            f"{self._target()} = inner()",
        ]


def draw(seed: int) -> tuple[str, list[Callable[[], list[Any]]]]:
    """The text of a program, and makers of the arguments of several calls."""
    chance = random.Random(seed)
    text = f"def f(x, y, n, p):\n    k = 0\n{Writer(chance, ('x', 'y')).body()}\n"
    forms = [(chance.choice(("f8", "f8", "f4", "i8")), chance.choice(ALIASES), chance.randint(0, 3)) for _ in range(2)]
    makers = [_maker(seed + number, *form) for number, form in enumerate([*forms, forms[0]])]
    return text, makers


def _maker(seed: int, dtype: str, alias: str, count: int) -> Callable[[], list[Any]]:
    def make() -> list[Any]:
        numbers = np.random.default_rng(seed)
        x = (numbers.normal(size=12) * 3).astype(dtype)
        y: Any = (numbers.normal(size=12) * 3).astype(dtype)
        if alias == "same":
            y = x
        elif alias == "reversed":
            y = x[::-1]
        elif alias == "shifted":
            x, y = x[1:], x[:-1]
        elif alias == "number":
            y = 1.5
        return [x, y, count, 0.75]

    return make


ALIASES = ("", "", "", "same", "reversed", "shifted", "number")


def check(seed: int, tally: Tally, report: Callable[[str], None] = print) -> None:
    """Run one program, every call twice; differences are added to the tally."""
    text, makers = draw(seed)
    least = 0 if seed % 4 < 2 else 1 << 60
    with (
        patch.object(stores, "OPERATIONS_A_STORE", 3 * (seed % 2)),
        patch.object(direct_stores, "LEAST_BYTES", least),
        patch.object(in_place, "LEAST_BYTES", least),
        patch.object(in_place, "LEAST_KEPT_BYTES", least),
    ):
        check_program(seed, text, makers, tally, report)


def check_program(
    seed: int, text: str, makers: Sequence[Callable[[], list[Any]]], tally: Tally, report: Callable[[str], None]
) -> None:
    fused = pyfuse.fuse(function_from(text, **NAMES))
    tally.examples += 1
    for number, make in enumerate([maker for maker in makers for _ in range(2)]):
        before = fused.cache_info()
        modes = {"all": "warn"} if number % 3 == 2 else {"all": "ignore"}
        expected, actual = observe(fused.__wrapped__, make(), modes), observe(fused, make(), modes)
        after = fused.cache_info()
        tally.calls += 1
        for way in ("fused", "partly_fused", "fallback"):
            tally.ways[way] += getattr(after, f"{way}_calls") - getattr(before, f"{way}_calls")
        try:
            assert_same_effects(actual, expected)
            reasons = set(_all_reasons(fused))
            assert not reasons & INTERNAL, f"{reasons & INTERNAL}: {fused.explain()}"
        except AssertionError as difference:
            message = f"seed {seed}, call {number} ({modes['all']}):\n{text}  {difference}\n"
            tally.failures.append(message)
            report(message)
            break
    tally.kernels += fused.cache_info().kernels


def _all_reasons(fused: Any) -> list[str]:
    pending, found = [fused._executor], []
    while pending:
        executor = pending.pop()
        found += executor.fallback.reasons()
        pending += executor.drivers.regions()
    return found


CheckOne = Callable[[int, Tally, Callable[[str], None]], None]


def assert_same_effects(actual: Outcome, expected: Outcome) -> None:
    """Raise AssertionError unless two calls on equal arguments of their own did the same."""
    assert actual.error == expected.error, f"raised {actual.error}, the original {expected.error}"
    assert actual.warned == expected.warned, f"warned {actual.warned}, the original {expected.warned}"
    assert actual.printed == expected.printed, f"printed {actual.printed!r}, the original {expected.printed!r}"
    assert_same(actual.arguments, expected.arguments, place="arguments")
    assert_same(actual.result, expected.result)
    assert _sharing(actual) == _sharing(expected), "identity or memory is shared in one of them only"


def _sharing(outcome: Outcome) -> list[list[tuple[bool, bool]]]:
    items = outcome.result if isinstance(outcome.result, tuple) else (outcome.result,)
    arrays = [item for item in (*items, *outcome.arguments) if isinstance(item, np.ndarray)]
    return [[(one is other, np.shares_memory(one, other)) for other in arrays] for one in arrays]


def run_checks(check_one: CheckOne, first: int, count: int, report: Callable[[str], None] = print) -> Tally:
    """Check what the seeds ``first`` to ``first + count`` draw."""
    tally = Tally()
    for seed in range(first, first + count):
        check_one(seed, tally, report)
    return tally


def command_line(description: str | None, check_one: CheckOne, what: str) -> int:
    """The command line of a fuzzer.

    Args:
        description: its module's.
        check_one: runs what a seed draws.
        what: that is, in the plural.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the first example")
    options = parser.parse_args()
    begin = time.perf_counter()
    tally = run_checks(check_one, options.seed, options.examples)
    minutes = (time.perf_counter() - begin) / 60
    print(
        f"{tally.examples} {what}, {tally.calls} calls: {dict(tally.ways)}; {tally.kernels} kernels,"
        f" {len(tally.failures)} differ, {tally.examples / minutes:.0f} {what} a minute"
    )
    return 1 if tally.failures else 0


def run(first: int, count: int, report: Callable[[str], None] = print) -> Tally:
    """Run programs ``first`` to ``first + count``."""
    return run_checks(check, first, count, report)


if __name__ == "__main__":
    sys.exit(command_line(__doc__, check, "programs"))

"""Does the caret stand under what the user wrote, and does the drawing say what, where, why and what to do?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from pyfuse.diagnostics import Code, Diagnostic, with_span
from pyfuse.source import Span
from tests.diagnostics.users_file import define, refusal, underlined

X = np.ones(4)


class Refused(NamedTuple):
    """A user's file, a call, and what the caret must stand under."""

    text: str
    underlined: str
    arguments: tuple[Any, ...] = (X,)


CASES = {
    "a with statement": Refused(
        "def f(x):\n    y = x + 1\n    with np.errstate(all='ignore'):\n        y = np.log(y)\n    return y\n",
        "with np.errstate(all='ignore'):",
    ),
    "a condition on elements": Refused(
        "def f(x):\n    if x > 0:\n        return x\n    return -x\n",
        "x > 0",
    ),
    "an unknown call": Refused("def f(x):\n    return x + np.bincount(x, x) * 2\n", "np.bincount(x, x)"),
    "an unknown attribute": Refused("def f(x):\n    return 2 * x.ctypes + x\n", "x.ctypes"),
    "an unknown name": Refused("def f(x):\n    return x + undefined_name\n", "undefined_name"),
    "a store through an index": Refused("def f(x):\n    x[[0, 1]] = 1.0\n    return x\n", "x[[0, 1]]"),
    "a dtype that stays with NumPy": Refused(
        "def f(x):\n    return x + 1\n", "def f(x):", (np.ones(4, np.longdouble),)
    ),
    "an f-string": Refused("def f(x):\n    name = f'{x}'\n    return x\n", "f'{x}'"),
    "a set": Refused("def f(x):\n    return x * max({1, 2})\n", "{1, 2}"),
    "tabs": Refused("def f(x):\n\tif True:\n\t\ty = x + np.bincount(x, x)\n\treturn y\n", "np.bincount(x, x)"),
    "letters of several bytes": Refused(
        "def f(größe):\n    λ = 'äöü'; y = größe + np.bincount(größe, größe)\n    return y\n",
        "np.bincount(größe, größe)",
    ),
    "a lambda": Refused("f = lambda x: x + np.bincount(x, x)\n", "np.bincount(x, x)"),
    "a lambda inside a call": Refused(
        "def same(g, flag):\n    return g\n\nf = same(\n    lambda x: x + np.bincount(x, x),\n    flag=True,\n)\n",
        "np.bincount(x, x)",
    ),
    "a method": Refused(
        "class Model:\n    def step(self, x):\n        return x + np.bincount(x, x)\n\nf = Model().step.__func__\n",
        "np.bincount(x, x)",
        (None, X),
    ),
    "a function inside a function": Refused(
        "def make():\n    def inner(x):\n        return (x\n                + np.bincount(x, x))\n    return inner\n"
        "f = make()\n",
        "np.bincount(x, x)",
    ),
    "an expression over several lines": Refused(
        "def f(x):\n    return np.bincount(\n        x,\n        x,\n    ) + x\n", "np.bincount("
    ),
    "a long line": Refused(
        f"def f(x):\n    return x{' + x' * 60} + np.bincount(x, x){' + x' * 60}\n", "np.bincount(x, x)"
    ),
    "a helper's line": Refused(
        "def helper(y):\n    return np.bincount(y, y)\n\ndef f(x):\n    return x + helper(x)\n", "np.bincount(y, y)"
    ),
    "a decorated function": Refused(
        "def plain(g):\n    return g\n\n@plain\n@plain\ndef f(x):\n    return x + np.bincount(x, x)\n",
        "np.bincount(x, x)",
    ),
    "a generator": Refused("def f(x):\n    yield x\n", "yield x"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_caret_stands_under(name: str) -> None:
    case = CASES[name]
    diagnostic = refusal(define(case.text), *case.arguments)
    assert underlined(diagnostic) == case.underlined


@pytest.mark.parametrize("name", CASES)
def test_the_line_number_is_that_of_the_file_for(name: str) -> None:
    case = CASES[name]
    diagnostic = refusal(define(case.text), *case.arguments)
    assert diagnostic.span is not None
    assert case.underlined in case.text.splitlines()[diagnostic.span.line - 1]


def test_drawings_read_as_pinned(golden: Callable[[str, str], None]) -> None:
    drawings = [f"=== {name}\n{refusal(define(case.text), *case.arguments).draw()}\n" for name, case in CASES.items()]
    golden("diagnostics_of_refused_constructs", "\n".join(drawings))


def test_carets_line_up_below_tabs() -> None:
    """Whatever stands before the caret is as wide, on any terminal, as what stands before the expression."""
    drawn = refusal(define(CASES["tabs"].text), X).draw().splitlines()
    line = next(line for line in drawn if "np.bincount" in line)
    carets = next(line for line in drawn if "^" in line)
    before, before_carets = line[: line.index("np.bincount")], carets[: carets.index("^")]
    assert len(before.expandtabs(8)) == len(before_carets.expandtabs(8))


def test_a_refusal_inside_numpys_own_code_points_at_the_users_call() -> None:
    diagnostic = refusal(define("def f(x):\n    return x + np.linalg.cond(x)\n"), X)
    assert diagnostic.span is not None
    assert diagnostic.span.filename == "model.py"
    assert underlined(diagnostic) == "np.linalg.cond(x)"


def test_a_diagnostic_without_a_place_is_drawn_without_one() -> None:
    drawn = Diagnostic(code=Code.DISABLED, message="nothing fuses", notes=("a fact",), hints=("do this",)).draw()
    assert drawn == "pyfuse: nothing fuses [disabled]\n  note: a fact\n  hint: do this"


def test_the_gutter_is_as_wide_as_the_line_number() -> None:
    span = Span(filename="model.py", line=1234, column=4, width=3, text="y = abc + 1")
    drawn = Diagnostic(code=Code.UNKNOWN_NAME, message="no 'abc'", span=span, label="here").draw()
    assert drawn.splitlines() == [
        "pyfuse: no 'abc' [unknown-name]",
        "  model.py:1234",
        "    1234 | y = abc + 1",
        "         |     ^^^ here",
    ]


def test_a_place_is_given_only_to_a_diagnostic_that_has_none() -> None:
    first = Span(filename="model.py", line=1, column=0, width=1, text="x")
    second = Span(filename="model.py", line=2, column=0, width=1, text="y")
    bare = Diagnostic(code=Code.DISABLED, message="nothing fuses")
    assert with_span(with_span(bare, first), second).span is first


def test_every_code_is_a_word_of_the_users_language() -> None:
    for code in Code:
        assert code.value == code.value.lower() and " " not in code.value and "_" not in code.value

"""Is every construct of Python either fused with Python's meaning or refused in the user's words, and never skipped?"""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

import numpy as np
import pytest

from pyfuse.call_geometry import evaluate_inputs
from pyfuse.diagnostics import Code, Diagnostic
from pyfuse.errors import CannotFuse
from pyfuse.frontend.build_graph import OutputRecipe
from pyfuse.frontend.parse import UNSUPPORTED, parse_function, unsupported
from pyfuse.graph.evaluate import evaluate
from tests.diagnostics.users_file import define, refusal
from tests.stage_texts import specialization_of

X = np.array([1.0, -2.0, 3.5])

# A body for each construct that is fused. Every one would answer something else if the construct were skipped.
FUSED: dict[str, str] = {
    "Assign": "y = x + 1; return y",
    "AnnAssign": "y: object = x + 1; return y",
    "AugAssign": "y = x + 1; y *= 3; return y",
    "Return": "return x + 1",
    "If": "y = x\n if flag: y = x * 2\n return y + 1",
    "For": "y = x + 1\n for i in range(3): y = y * x\n return y",
    "While": "i = 0\n y = x + 1\n while i < 3:\n  y = y * x; i += 1\n return y",
    "Break": "y = x + 1\n for i in range(3):\n  if i == 1: break\n  y = y * 2\n return y",
    "Continue": "y = x + 1\n for i in range(3):\n  if i == 1: continue\n  y = y * 2\n return y",
    "Pass": "pass; return x + 1",
    "Assert": "assert flag, 'no'; return x + 1",
    "Expr": "items = []; items.append(x); return items[0] + 1",
    "FunctionDef": "def double(v): return v * 2\n return double(x) + 1",
    "Delete": "y = x + 1; z = y; del y; return z",
    "Import": "import math; return x * math.pi",
    "ImportFrom": "from math import pi; return x * pi",
    "Constant": "return x * 2.5",
    "Name": "y = x; return y + y",
    "BinOp": "return x - 3",
    "UnaryOp": "return -x",
    "Compare": "return x < 2",
    "BoolOp": "return x * (0 or 3)",
    "IfExp": "return (x if flag else -x) + 1",
    "NamedExpr": "return (y := x + 1) * y",
    "Tuple": "pair = (x, x * 2); return pair[0] + pair[1]",
    "List": "pair = [x, x * 2]; return pair[0] + pair[1]",
    "Dict": "named = {'a': x, 'b': x * 2}; return named['a'] + named['b']",
    "Attribute": "return x.T + 1",
    "Subscript": "return x[None, :] + 1",
    "Slice": "return x[:] + 1",
    "Lambda": "return (lambda v: v * 3)(x)",
    "ListComp": "return [x * i for i in range(3) if i][1]",
    "GeneratorExp": "return sum(x * i for i in range(3))",
    "DictComp": "return {i: x * i for i in range(3)}[2]",
    "Call": "return np.sqrt(abs(x))",
    "Starred": "items = [x, x]; return np.add(*items)",
}


class Refused(NamedTuple):
    """A body with a construct that is refused, and the construct that the refusal names, if it is another."""

    body: str
    named: str = ""


REFUSED: dict[str, Refused] = {
    "ClassDef": Refused("class A: pass\n return x + 1"),
    "Delete": Refused("del x[0]; return x + 1"),
    "Global": Refused("global g; g = x; return x + 1"),
    "Nonlocal": Refused("m = 0\n def g():\n  nonlocal m; m = 1\n g(); return x + 1"),
    "Match": Refused("match flag:\n  case True: return x + 1\n return x"),
    "Raise": Refused("raise ValueError"),
    "Try": Refused("try: y = x + 1\n finally: pass\n return y"),
    "TryStar": Refused("try: y = x + 1\n except* ValueError: pass\n return y"),
    "With": Refused("with np.errstate(): return x + 1"),
    "JoinedStr": Refused("name = f'{flag}'; return x + 1"),
    "FormattedValue": Refused("name = f'{flag}'; return x + 1", "JoinedStr"),
    "Set": Refused("return x * len({1, 2})"),
    "SetComp": Refused("return x * len({i for i in range(2)})"),
    "GeneratorExp": Refused("kept = (i for i in [1, 2]); return x * 2"),
    "Yield": Refused("def g(): yield x\n g(); return x + 1"),
    "YieldFrom": Refused("def g(): yield from [x]\n g(); return x + 1"),
    "AsyncFunctionDef": Refused("async def g(): pass\n return x + 1"),
    "AsyncFor": Refused("async def g():\n  async for i in x: pass\n return x + 1", "AsyncFunctionDef"),
    "AsyncWith": Refused("async def g():\n  async with x: pass\n return x + 1", "AsyncFunctionDef"),
    "Await": Refused("async def g(): await x\n return x + 1", "AsyncFunctionDef"),
    "TypeAlias": Refused("type Number = int\n return x + 1"),
}

CLASSES = {kind.__name__: kind for kind in (*ast.stmt.__subclasses__(), *ast.expr.__subclasses__())}
NOT_IN_THIS_PYTHON = {"TryStar", "TypeAlias", "TemplateStr", "Interpolation"} - CLASSES.keys()


def text_of(body: str) -> str:
    """A function of ``x`` and ``flag`` with this body."""
    return f"def f(x, flag):\n {body}\n"


def names_in(text: str) -> set[str]:
    """The syntax classes that a text uses."""
    return {type(node).__name__ for node in ast.walk(ast.parse(text))}


def test_every_statement_and_expression_of_this_python_is_accounted_for() -> None:
    assert CLASSES.keys() == (FUSED.keys() | REFUSED.keys()) - NOT_IN_THIS_PYTHON


@pytest.mark.parametrize("name", FUSED)
def test_a_fused_construct_means_what_python_means(name: str) -> None:
    original = define(text_of(FUSED[name]))
    assert name in names_in(text_of(FUSED[name]))
    specialization = specialization_of(original, X, True)
    assert isinstance(specialization.result, OutputRecipe)
    inputs, extents = evaluate_inputs(specialization, (X, True))
    scalars = [expression.evaluate((X, True)) for expression in specialization.scalars]
    made = evaluate(specialization.graph, inputs, scalars, extents)[specialization.result.index]
    expected = original(X, True)
    assert made.dtype == expected.dtype
    assert made.tolist() == expected.tolist()


@pytest.mark.parametrize("name", sorted(REFUSED.keys() - NOT_IN_THIS_PYTHON))
def test_a_refused_construct_is_named_in_the_users_words(name: str) -> None:
    text = text_of(REFUSED[name].body)
    assert name in names_in(text)
    diagnostic = refusal(define(text), X, True)
    kind = CLASSES[REFUSED[name].named or name]
    assert diagnostic.code is Code.UNSUPPORTED_SYNTAX
    assert diagnostic.span is not None
    if kind in UNSUPPORTED:
        entry = UNSUPPORTED[kind]
        assert diagnostic.message == f"{entry.word} is not fused"
        assert diagnostic.hints == ((entry.hint,) if entry.hint else ())


def test_every_entry_of_the_table_has_a_function_that_reaches_it() -> None:
    reached = {CLASSES[case.named or name] for name, case in REFUSED.items() if name not in NOT_IN_THIS_PYTHON}
    assert {kind.__name__ for kind in UNSUPPORTED.keys() - reached} == NEVER_REACHED


# Constructs that only stand inside others, which are refused first. Their entries in the table are never shown.
NEVER_REACHED = {"AsyncFor", "AsyncWith", "Await", "Starred"}


def test_a_construct_that_no_table_knows_is_refused_by_name() -> None:
    diagnostic = unsupported(ast.Slice(), None).diagnostic
    assert diagnostic.message == "this construct (Slice) is not fused"


def test_a_coroutine_is_refused_as_one() -> None:
    diagnostic = _refused_before_any_call(define("async def f(x):\n    return x\n"))
    assert diagnostic.message == "coroutines are not fused"


def test_a_function_with_nonlocal_names_is_refused_for_them() -> None:
    inner = (
        "def outer():\n    n = 0\n    def f(x):\n        nonlocal n\n        return x + n\n    return f\nf = outer()\n"
    )
    assert refusal(define(inner), X).message == "'nonlocal' is not fused"


def _refused_before_any_call(defined: Any) -> Diagnostic:
    with pytest.raises(CannotFuse) as refused:
        parse_function(defined)
    return refused.value.diagnostic

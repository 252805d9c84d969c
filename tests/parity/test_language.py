"""Python inside fused functions: every construct that fuses, with the original's result and identity of objects."""

# ruff: noqa: E501 - programs on one line
from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.parity.outcome import assert_falls_back, assert_fused, assert_same_outcome, observe
from tests.parity.text import function_from

X = np.array([[1.5, -2.0, 0.0], [3.25, -0.5, 8.0]])
Y = np.array([[0.5, 4.0, -1.0], [2.0, 2.5, 1.0]])
INTEGERS = np.array([[7, -3, 2], [1, 5, -8]], "i4")

# name: a body; x and y are float64 arrays, i an int32 array, all of shape (2, 3).
BODIES: dict[str, str] = {
    "chained assignment": "a = b = x + 1\nreturn a, b, a * b",
    "tuple assignment": "a, b = x, y\na, b = b, a\nreturn a - b",
    "nested tuple assignment": "(a, (b, c)), d = (x, (y, x * 2)), 3\nreturn a + b + c + d",
    "starred assignment": "a, *b, c = x, y, i, 4.0\nreturn a + b[0] + b[1] + c",
    "list target": "[a, b] = [x, y]\nreturn a * b",
    "annotated assignment": "a: np.ndarray = x + y\nb: int\nreturn a * 2",
    "walrus": "return (a := x + y) * a, a",
    "augmented add": "c = x + y\nd = c\nc += 1\nreturn d, c, d * 2",
    "augmented keeps earlier readers": "c = x + y\nd = c * 2\ne = c\nc *= 3\nreturn d, e, c",
    "augmented all": (
        "a = x + 10\na += y\na -= 1\na *= x\na /= 3\na //= 0.25\na %= 7\na **= 2\nb = i + 0\nb <<= 1\nb >>= 1\nb &= 15\nb |= 1\n"
        "b ^= 3\nreturn a, b"
    ),
    "augmented rebinding of a number": "n = 2\nn += 3\nn *= 1.5\nreturn x * n",
    "augmented list": "a = [x]\na += [y]\nreturn a[0] + a[1]",
    "augmented broadcast": "a = x + y\na += x[0:2][..., None][..., 0] if False else 2\nreturn a",
    "augmented dtype is kept": "a = x.astype('f4')\na += y\na *= 1.1\nreturn a",
    "arithmetic": "return x + y, x - y, x * y, x / y, x // y, x % y, x ** 3, -x, +x, abs(x)",
    "integer arithmetic": "return i + 1, i - i, i * i, i / 2, i // 3, i % 3, i ** 2, -i, +i, ~i, i << 2, i >> 1, i & 6, i | 1, i ^ 5",
    "reflected": "return 1 + x, 1 - x, 2 * x, 1 / (x + 9), 7 // (x + 9), 7 % (x + 9), 2.0 ** x, 3 - i, 7 % (i * i + 1), 1 << (i & 3)",
    "comparisons": "return x < y, x <= y, x > y, x >= y, x == y, x != y, x < 1, 1 < x, i == 2",
    "chained comparison of known values": "n = x.ndim\nreturn x * 2 if 0 < n <= 2 < 3 else x",
    "logic": "return (x > 0) & (y > 0) | ~(i > 2), (x > 0) ^ (i > 1)",
    "conditional expression": "return x + 1 if x.ndim == 2 else y",
    "boolean operators": "n = 0 or 3\nk = x.ndim and 5\nreturn x * n + k if not n == 4 and k else y",
    "is and in": "a = None\nreturn x + 1 if a is None and 'f' in ('f', 'g') and 3 not in [1, 2] and x is not y else y",
    "tuple result": "return x + 1, y",
    "list result": "return [x + 1, y * 2]",
    "dict result": "return {'a': x + 1, 'b': [y * 2, None], 3: (x - y,)}",
    "mixed result": "return x + 1, None, 3, 2.5, 'word', x.shape, x.dtype, True, (), x",
    "the same array twice": "a = x + y\nreturn a, a, [a, {'k': a}]",
    "equal arrays are two objects": "return x + y, x + y",
    "an argument comes back": "return x, x + 1, y",
    "the same list twice": "a = [x + 1]\nreturn a, a",
    "views are new objects": "b = np.zeros(3)\nreturn b, b.T, x.T.T, x[:], x[...], x.transpose(0, 1), (x + 1)[:], b",
    "transpose": "return x.T + 1, (x + 1).T, x.T, (x * 2).T.T",
    "views of one result": "a = x + 1\nb = a.T\na *= 2\nreturn b, a, b + 1",
    "early return": "if x.ndim > 1:\n    return x + 1\nreturn y",
    "else branch": "if x.ndim == 1:\n    a = x\nelif x.dtype == np.float32:\n    a = y\nelse:\n    a = x * y\nreturn a + 1",
    "assert": "assert x.ndim == 2 and x.shape == y.shape, 'shapes'\nassert x.dtype.kind == 'f'\nreturn x - y",
    "facts": "return x * x.shape[0] + x.shape[-1] * x.ndim + x.size + len(x) + x.dtype.itemsize + x.itemsize + x.nbytes",
    "shape unpacked": "rows, columns = x.shape\nreturn x / rows + columns",
    "shape arithmetic": "n = x.shape[0] * x.shape[1] - 1\nreturn x / n, n",
    "dtype decides": "return np.zeros(x.shape, x.dtype) + x, x.astype(y.dtype), np.full(x.shape, 1, dtype=i.dtype)",
    "real and imag": "c = x + 1j * y\nreturn c.real, c.imag, c.real * c.imag, x.real, c.conj(), np.abs(c)",
    "methods": "return x.astype('f4'), x.clip(0, 1), x.round(1), x.copy(), x.transpose() + 1, x.conj() * 2, x.swapaxes(0, 1) - 1",
    "new axes": "return x[:, None] + y[None], x[..., np.newaxis] * 2, x[None, :, :] + 0, x[:] + 1, x[...] - 1",
    "transposes": "return np.transpose(x) + 1, np.swapaxes(x, 0, 1) * 2, np.moveaxis(x, 0, -1) - 1, np.expand_dims(x, 0) + y",
    "for over a range": "a = x\nfor k in range(3):\n    a = a * y + k\nreturn a",
    "for over a tuple": "a = x\nfor k, w in ((1, 0.5), (2, 0.25)):\n    a = a + w * y ** k\nreturn a",
    "for over arrays": "total = 0\nfor part in (x, y, i):\n    total = total + part\nreturn total",
    "for with break and else": (
        "a = x\nfor k in range(5):\n    if k == 1:\n        continue\n    if k == 3:\n        break\n    a = a + k\nelse:\n"
        "    a = y\nfor k in [1]:\n    a = a * 2\nelse:\n    a = a + 0.5\nreturn a"
    ),
    "return from a loop": "for k in range(5):\n    if k == 2:\n        return x * k\nreturn y",
    "enumerate and zip": "a = 0\nfor k, (u, v) in enumerate(zip([x, y], [y, x]), start=1):\n    a = a + k * u - v\nreturn a",
    "while": "n = 3\na = x\nwhile n:\n    a = a + n\n    n -= 1\nreturn a",
    "list comprehension": "parts = [x ** k for k in range(1, 4) if k != 2]\nreturn parts, sum(parts)",
    "nested comprehension": "return [[x * j + k for j in range(2)] for k in (1, 2)]",
    "dict comprehension": "return {k: x * k for k in range(2)}",
    "generator in sum": "return sum(x * k for k in range(4)), sum([y, y], x)",
    "comprehension scope": "k = 5\na = [x * k for k in range(2)]\nreturn a[1] + k",
    "lambda": "f = lambda v, k=2: v * k\nreturn f(x), f(y, 3)",
    "local function": "def half(v, by=0.5):\n    return v * by\nreturn half(x) + half(y, by=0.25)",
    "local function sees later names": "def shifted(v):\n    return v + offset\noffset = 3\nreturn shifted(x)",
    "recursion": "def power(v, n):\n    return v if n == 1 else v * power(v, n - 1)\nreturn power(x, 5)",
    "dictionary of parts": "d = {'a': x}\nd['b'] = y * 2\nd['a'] = d['a'] + 1\nreturn d['a'] * d['b'], sorted(d) == ['a', 'b']",
    "list methods": "a = []\na.append(x)\na.extend([y, i])\nb = a.pop()\nreturn a[0] + a[1] * b, len(a)",
    "dict methods": "d = dict(a=x, b=y)\nt = 0\nfor k, v in d.items():\n    t = t + v\nreturn t, d.get('c', 1) + x, list(d.keys())",
    "unpacked call": "a = (x, y)\nk = {'decimals': 1}\nreturn np.maximum(*a), np.round(x, **k)",
    "merged containers": "return [*(x + 1, y), *[i]], {**{'a': x * 2}, 'b': 1}, (1,) + (x - 1,)",
    "slices of lists": "a = [x, y, i]\nreturn a[0] + a[-1], a[1:][0] * 2",
    "builtins": "return pow(x, 2), divmod(i, 3), abs(i), max(2, 3) * x, min(x.shape) + x, float(3) * x, int(2.5) + i, round(2.6) * x",
    "isinstance": "return x + 1 if isinstance(x, np.ndarray) and not isinstance(x, (int, float)) else y",
    "hasattr of a module": "return x + (1 if callable(np.sin) else 2)",
    "math": "return x * math.pi + math.sqrt(2) - math.floor(2.5), x * math.inf",
    "numpy constants": "return x * np.pi + np.e - np.euler_gamma, np.where(x > 0, np.inf, np.nan), x + np.float32(0.1)",
    "numbers": "return x + 1, x + 1.5, x + 1e-300, x * 1j, i + True, i * 2.0, i + np.int8(3), x.astype('f4') + np.float64(1)",
    "large numbers": "return x * 10**20, x + 0x7fffffff, i.astype('i8') + 2**40, x * -0.0, x / 1e308",
    "string keys": "mode = 'fast'\nreturn x + 1 if mode == 'fast' else y",
    "docstring and pass": "'''Says what it does.'''\npass\n...\nreturn x + y",
    "del": "a = x + 1\nb = a\ndel a\nreturn b",
    "import inside": "import numpy\nfrom numpy import sin as s\nreturn numpy.cos(x) + s(y)",
    "unused value": "a = x / 3\nb = np.exp(y)\nreturn x + 1",
    "nothing returned for a branch": "if x.ndim == 3:\n    return None\nreturn x * 2",
    "None among results": "return None, x + 1",
    "numpy scalars of 0-d": "s = np.float64(2.0)\nreturn x * s, s * 2 + x",
    "iterators are spent": "z = zip([x], [y])\na = list(z)\nreturn a, list(z), [u + v for u, v in a]",
    "a list multiplied in place": "a = [x + 1]\nb = a\na *= 2\nreturn b, len(b)",
    "identity of arguments": "return x + 1 if x is y else x + 2, x is x, x is not y",
    "any and all of known": "return x + 1 if all([x.ndim == 2, True]) and any([False, y.ndim == 2]) else y",
}


def _function(body: str, **names: Any) -> Callable[..., Any]:
    lines = "\n".join("    " + line for line in body.split("\n"))
    return function_from(f"def f(x, y, i):\n{lines}\n", math=math, **names)


@pytest.mark.parametrize("name", BODIES)
def test_construct_fuses(name: str) -> None:
    fused = pyfuse.fuse(_function(BODIES[name]))
    assert_fused(fused, X, Y, INTEGERS, ulp=4, calls=2)
    assert fused.cache_info().kernels == 1


RAISING = {
    "failed assert": "assert x.ndim == 3, 'rank'\nreturn x + 1",
    "too many to unpack": "a, b = x + 1, y, i\nreturn a",
    "index of a list": "return [x + 1][3]",
    "missing key": "return {'a': x + 1}['b']",
    "unbound name": "return x + nonsense",
    "unbound local": "a = x + b\nb = 1\nreturn a",
    "division by zero in Python": "return x * (1 / (x.ndim - 2))",
    "in-place cast": "i2 = i + 0\ni2 += x\nreturn i2",
    "in-place growth": "a = x[None][0] + 0 if False else np.zeros(3)\na += x\nreturn a",
    "truth of an array": "if x > 0:\n    return x\nreturn y",
    "chained comparison of arrays": "return 0 < x < 1",
    "not of an array": "return not x",
    "raise": "raise ValueError('no')",
    "wrong call of a helper": "def g(a):\n    return a\nreturn g(x, y)",
    "wrong keyword": "return np.sin(x, nonsense=1)",
    "unhashable key": "return {[1]: x}",
    "matmul of mismatched shapes": "return x @ y",
}


@pytest.mark.parametrize("name", RAISING)
def test_what_raises_raises_the_same(name: str) -> None:
    fused = pyfuse.fuse(_function(RAISING[name]))
    expected = observe(fused.__wrapped__, (X, Y, INTEGERS))
    assert expected.error is not None
    for _ in range(2):
        assert_same_outcome(observe(fused, (X, Y, INTEGERS)), expected)
    assert fused.cache_info().fused_calls == 0


def test_of_two_numbers_that_raise_the_first_in_the_function_is_heard_of() -> None:
    fused = pyfuse.fuse(function_from("def f(x, p, q):\n    a = 1 / p\n    b = 1 % q\n    return x * 2, b, a"))
    assert_fused(fused, X, 3, 2)
    expected = observe(fused.__wrapped__, (X, 0, 0))
    assert expected.error == (ZeroDivisionError, "division by zero")
    assert_same_outcome(observe(fused, (X, 0, 0)), expected)
    assert fused.fallback_reasons() == {"scalar-error": 1}


# Constructs that run as ordinary Python, with the reason.
NOT_FUSED = {
    "try": ("try:\n    a = x + 1\nexcept ValueError:\n    a = y\nreturn a", "unsupported-syntax"),
    "with": ("with np.errstate(all='ignore'):\n    a = x / y\nreturn a", "unsupported-syntax"),
    "f-string": ("s = f'{x.ndim}'\nreturn x + 1", "unsupported-syntax"),
    "match": ("match x.ndim:\n    case 2:\n        return x + 1\nreturn y", "unsupported-syntax"),
    "class": ("class A:\n    pass\nreturn x + 1", "unsupported-syntax"),
    "set": ("a = {1, 2}\nreturn x + 1", "unsupported-syntax"),
    "loop over an array": ("a = 0\nfor row in x:\n    a = a + row\nreturn a", "unsupported-syntax"),
    "matmul": ("return x @ y.T", "unsupported-operation"),
    "element store": ("a = x + 1\na[0] = 5\nreturn a", "argument-store"),
    "store into a view": ("a = x + 1\nb = a.T\nb += 1\nreturn a", "argument-store"),
    "selection": ("return (x + 1)[[True, False]] + 1", "unsupported-operation"),
    "mask": ("return x[x > 0]", "unsupported-operation"),
    "median": ("return x - np.median(x)", "unknown-call"),
    "a generator that is kept": ("g = (x * k for k in range(3))\nreturn sum(g)", "unsupported-syntax"),
    "print": ("print('hello')\nreturn x + 1", "unknown-call"),
    "uninitialised": ("return np.sqrt(x, where=x > 0, out=None)[:0]", "uninitialised-elements"),
}


@pytest.mark.parametrize("name", NOT_FUSED)
def test_construct_that_is_not_fused_says_why(name: str) -> None:
    body, reason = NOT_FUSED[name]
    assert_falls_back(pyfuse.fuse(_function(body)), X, Y, INTEGERS, reason=reason)


def test_a_view_of_a_dict_and_an_iterator_come_back_as_such() -> None:
    fused = pyfuse.fuse(_function("d = {'a': x + 1}\nreturn d.values(), zip(d, [y])"))
    values, pairs = fused(X, Y, INTEGERS)
    assert type(values) is type({}.values()) and type(pairs) is zip
    assert fused.fallback_reasons() == {"unsupported-value": 1}


def test_a_store_into_an_argument_reaches_the_caller() -> None:
    fused = pyfuse.fuse(_function("x += 1\nreturn x * 2"))
    given = [X.copy(), X.copy()]
    results = [fused(given[0], Y, INTEGERS), fused.__wrapped__(given[1], Y, INTEGERS)]
    assert np.array_equal(*given) and np.array_equal(*results)
    assert (fused.cache_info().fused_calls, fused.fallback_reasons()) == (1, {})


# --- what functions see: globals, closures, defaults, helpers, attributes ---------------------------------------------

MODULE = """
FACTOR = 2.0
TABLE = (1.0, 2.0, 3.0)
OPTIONS = {"scale": 4.0, "names": ["a", "b"]}

def inner(v, by=3.0, *, plus=1):
    return v * by + plus

def outer(v, *rest, **named):
    total = inner(v, **named)
    for part in rest:
        total = total + inner(part, 2.0)
    return total

class Settings:
    gain = 2.5
    def __init__(self):
        self.offset = 1.0
    def scaled(self, v):
        return v * self.gain + self.offset

settings = Settings()

def f(x):
    a = x * FACTOR + TABLE[1] - OPTIONS["scale"]
    b = outer(x, a, plus=5)
    return a, b, outer(x), settings.scaled(x) + settings.offset, module.LEVEL + x
"""


def _module() -> tuple[Callable[..., Any], dict[str, Any]]:
    module = types.ModuleType("some_module")
    module.LEVEL = 7.0  # type: ignore[attr-defined]
    function = function_from(MODULE, module=module)
    return function, function.__globals__  # type: ignore[attr-defined]


def test_globals_helpers_attributes_and_containers_are_read() -> None:
    function, _ = _module()
    assert_fused(pyfuse.fuse(function), X, calls=2)


def _rebind(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda names: names.__setitem__(name, value)


REBINDINGS: dict[str, Callable[[dict[str, Any]], None]] = {
    "a global number": _rebind("FACTOR", 3.0),
    "a global of another type": _rebind("FACTOR", 3),
    "minus zero for zero": _rebind("FACTOR", -0.0),
    "a global to an array": _rebind("FACTOR", np.array([1.0, 2.0, 3.0])),
    "a global tuple": _rebind("TABLE", (1.0, 5.0, 3.0)),
    "an entry of a global dict": lambda names: names["OPTIONS"].update(scale=9.0),
    "an attribute of an object": lambda names: setattr(names["settings"], "offset", 8.0),
    "an attribute of a class": lambda names: setattr(names["Settings"], "gain", 8.0),
    "an instance attribute that hides one of the class": lambda names: setattr(names["settings"], "gain", 9.0),
    "a method": lambda names: setattr(names["Settings"], "scaled", lambda _, v: v - 1),
    "an object": lambda names: names.__setitem__("settings", type("Other", (names["Settings"],), {"gain": 0.5})()),
    "an attribute of a module": lambda names: setattr(names["module"], "LEVEL", 1.0),
    "a helper": _rebind("inner", lambda v, by=1.0, *, plus=1: v - by - plus),
    "a helper's defaults": lambda names: setattr(names["inner"], "__defaults__", (10.0,)),
    "a helper's keyword defaults": lambda names: setattr(names["inner"], "__kwdefaults__", {"plus": 100}),
    "a helper's code": lambda names: setattr(names["inner"], "__code__", _OTHER_INNER.__code__),
    "a builtin hidden by a global": _rebind("print", 3),
}


def _other_inner(v: Any, by: float = 3.0, *, plus: int = 1) -> Any:
    return v / by - plus


_OTHER_INNER = _other_inner


@pytest.mark.parametrize("name", REBINDINGS)
def test_rebinding_is_never_missed(name: str) -> None:
    function, names = _module()
    fused = pyfuse.fuse(function)
    assert_fused(fused, X, calls=2)
    REBINDINGS[name](names)
    assert_fused(fused, X, calls=2)


def test_rebinding_back_finds_the_first_kernel_again() -> None:
    function, names = _module()
    fused = pyfuse.fuse(function)
    assert_fused(fused, X)
    for value in (3.0, 2.0, 3.0):
        names["FACTOR"] = value
        assert_fused(fused, X)
    assert fused.cache_info().kernels == 2


def test_closures_and_defaults_are_read_and_guarded() -> None:
    def make(offset: float) -> tuple[Callable[..., Any], Callable[[float], None]]:
        def change(value: float) -> None:
            nonlocal offset
            offset = value

        def shifted(x: Any, scale: float = 2.0) -> Any:
            return x * scale + offset

        return shifted, change

    function, change = make(1.0)
    fused = pyfuse.fuse(function)
    assert_fused(fused, X)
    change(5.0)
    assert_fused(fused, X)
    function.__defaults__ = (4.0,)
    assert_fused(fused, X)
    assert_fused(fused, X, 3.0)
    assert_fused(pyfuse.fuse(lambda x: x * 2), X)


def test_a_fused_function_calls_another() -> None:
    inner = pyfuse.fuse(function_from("def g(v, k=2):\n    return v * k"))
    outer = pyfuse.fuse(function_from("def f(x):\n    return g(x) + g(x, 3)", g=inner))
    assert_fused(outer, X)
    assert inner.cache_info().fused_calls == 2  # by the original, when it was observed


@pytest.mark.parametrize(
    "arguments",
    [(X, 2), (X, 2.5), (X, 2j), (X, True), (X, np.float32(1.5)), (X, np.int8(3)), (X, np.float64(0.1)), (X, 10**19)],
    ids=lambda arguments: type(arguments[1]).__name__,
)
def test_numbers_as_arguments_have_numpys_types(arguments: tuple[Any, ...]) -> None:
    fused = pyfuse.fuse(
        function_from(
            "def f(x, k):\n    return x * k, k + x.astype('f4'), k * 2 + x, x.astype('c8') - k, x > k.real, k"
        )
    )
    assert_fused(fused, *arguments, calls=2)


def test_containers_as_arguments() -> None:
    fused = pyfuse.fuse(
        function_from("def f(p, q, *rest, k=1, **named):\n    return p[0] * q['w'] + rest[0] * k + named['z'], q, p[1]")
    )
    original = fused.__wrapped__
    result = fused([X, 3.0], {"w": Y}, INTEGERS, k=4, z=Y)
    expected = original([X, 3.0], {"w": Y}, INTEGERS, k=4, z=Y)
    assert np.array_equal(result[0], expected[0]) and result[2] == 3.0
    assert fused.cache_info().fused_calls == 1


def test_the_very_container_of_an_argument_comes_back() -> None:
    fused = pyfuse.fuse(function_from("def f(x, q):\n    return x + 1, q"))
    given = [X, 3]
    assert fused.__wrapped__(X, given)[1] is given
    assert fused(X, given)[1] is given


def test_the_same_array_given_twice_is_one_object() -> None:
    fused = pyfuse.fuse(function_from("def f(x, y):\n    return x * 2 if x is y else x * 3"))
    other = X.copy()
    for arguments in ((X, X), (X, other), (X, X), (other, X)):
        assert_fused(fused, *arguments)
    assert fused.cache_info().kernels == 2


def test_a_list_argument_that_the_function_changes_is_changed() -> None:
    fused = pyfuse.fuse(function_from("def f(x, q):\n    q.append(x + 1)\n    return x * 2"))
    given: list[Any] = []
    fused(X, given)
    assert len(given) == 1


def test_a_list_of_a_closure_that_the_function_changes_is_changed() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.append(3)
        return x * 2

    pyfuse.fuse(f)(X)
    assert seen == [3]


@pytest.mark.parametrize("index", ["..., 1", "..., -1", "0, ..., 1"])
def test_an_index_with_an_ellipsis_gives_an_array_without_axes(index: str) -> None:
    fused = pyfuse.fuse(function_from(f"def f(x):\n    t = x * 2 + 1\n    return t[{index}], t\n"))
    x = np.arange(4.0) if index.startswith(".") else np.arange(8.0).reshape(2, 4)
    assert_same_outcome(observe(fused, (x,)), observe(fused.__wrapped__, (x,)))
    assert fused.cache_info().fused_calls == 1, fused.fallback_reasons()


def test_a_fact_that_warns_is_reported_once() -> None:
    """What a specialisation relies on is looked at where nothing is reported: the original reports it."""
    fused = pyfuse.fuse(
        function_from("import numpy as np\ndef f(x):\n    t = np.sqrt(x - 2)\n    return t, np.clip(t, t, t)\n")
    )
    for number in (5, -1, 5, -1, -2):
        for _ in range(2):
            given = (np.int8(number),)
            assert_same_outcome(
                observe(fused, given, {"all": "warn"}), observe(fused.__wrapped__, given, {"all": "warn"})
            )


def test_rounding_whole_numbers() -> None:
    for text in ("np.round(x, 0)", "np.round(x * 2)", "x.round(2)"):
        fused = pyfuse.fuse(function_from(f"import numpy as np\ndef f(x):\n    return {text}\n"))
        for x in (np.array(5, "u2"), np.arange(5), np.arange(12, dtype="i2").reshape(3, 4).T):
            assert_same_outcome(observe(fused, (x,)), observe(fused.__wrapped__, (x,)))

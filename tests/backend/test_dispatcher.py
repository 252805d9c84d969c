"""Does the compiled dispatcher answer the calls that it knows, exactly as Python does, and leave it all others?"""

from __future__ import annotations

import gc
import os
import pickle
import re
import sys
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse import executor
from pyfuse.backend.cpu import dispatch
from tests.fresh_process import FUSED_PROGRAM, run_program
from tests.parity.outcome import assert_same, assert_same_outcome, observe

NATIVE = Path(dispatch.__file__).parent / "native"
needs_extension = pytest.mark.skipif(dispatch.extension is None, reason=f"the call extension is {dispatch.state}")
pytestmark = pytest.mark.usefixtures("c_compiler")

A = np.linspace(-2.0, 2.0, 12)
B = np.linspace(1.0, 3.0, 12)
GRID = np.linspace(0.5, 2.0, 24).reshape(2, 3, 4)


def answered(fused: Any) -> int:
    """How many calls the extension has answered."""
    table = fused._executor.table
    return table.fused if table is not None else 0


def assert_known(fused: Any, *args: Any, **kwargs: Any) -> Any:
    """The extension answers the call, as Python and the original do; the result."""
    expected, python = fused.__wrapped__(*args, **kwargs), fused._executor.call(args, kwargs)
    before, calls = answered(fused), fused.cache_info().fused_calls
    result = fused(*args, **kwargs)
    assert answered(fused) == before + 1, f"it went the Python way: {fused.fallback_reasons()}"
    assert fused.cache_info().fused_calls == calls + 1
    assert_same(result, expected)
    assert_same(result, python)
    if isinstance(result, np.ndarray):
        assert str(result.flags) == str(python.flags)
        assert type(result.base) is type(python.base)
    return result


def assert_unknown(fused: Any, *args: Any, **kwargs: Any) -> None:
    """The extension does not answer the call, and the outcome is the original's."""
    before = answered(fused)
    expected = observe(lambda: fused.__wrapped__(*args, **kwargs), ())
    assert_same_outcome(observe(lambda: fused(*args, **kwargs), ()), expected)
    assert answered(fused) == before


def multiply_add(a: Any, b: Any, c: Any) -> Any:
    return a * b + c


def scaled(a: Any, by: Any = 2.0, shift: Any = 1.0) -> Any:
    return a * by + shift


def unaligned(array: np.ndarray) -> np.ndarray:
    memory = np.zeros(array.nbytes + 1, "u1")
    moved = memory[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def read_only(array: np.ndarray) -> np.ndarray:
    copied = array.copy()
    copied.flags.writeable = False
    return copied


FORMS: dict[str, np.ndarray] = {
    "contiguous": A,
    "every second": np.linspace(0.0, 1.0, 24)[::2],
    "backwards": A[::-1],
    "C order": GRID,
    "Fortran order": np.asfortranarray(GRID),
    "another order": GRID.transpose(1, 0, 2),
    "third order": np.ascontiguousarray(GRID.transpose(2, 0, 1)).transpose(1, 2, 0),
    "extents of one": GRID[:, :1],
    "broadcast": np.broadcast_to(B[:4], (3, 4)),
    "no dimension": np.array(2.5),
    "empty": np.zeros((0, 3)),
    "empty rows": np.zeros((3, 0)),
    "unaligned": unaligned(A),
    "read-only": read_only(A),
    **{code: (np.arange(12) % 5).astype(code) for code in "?bBhHiIlLqQefdFD"},
}


@needs_extension
@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_array_is_known_after_one_call(name: str) -> None:
    array = FORMS[name]
    assert_known(pyfuse.fuse(lambda a, b: a * b + a), array, array)
    assert_known(pyfuse.fuse(lambda a: (a + a, a * a)), array)


DIFFERENT: dict[str, Any] = {
    "dtype": A.astype("f4"),
    "kind of integer": np.arange(12),
    "byte order": A.astype(">f8" if sys.byteorder == "little" else "<f8"),
    "rank": A.reshape(1, 12),
    "shape": np.linspace(0.0, 1.0, 13),
    "extent of one": A[:1],
    "stride": np.linspace(0.0, 1.0, 24)[::2],
    "alignment": unaligned(A),
    "subclass": np.ma.masked_array(A),
    "subclass of floats": np.float64(2.0),
    "float": 2.0,
    "int": 2,
    "bool": True,
    "complex": 2.0j,
    "NumPy scalar": np.float32(2.0),
    "list": list(A),
    "None": None,
    "text": "text",
}


@needs_extension
@pytest.mark.parametrize("name", DIFFERENT)
def test_every_difference_is_noticed(name: str) -> None:
    fused = pyfuse.fuse(lambda a, b: a + b)
    assert_known(fused, A, B)
    assert_unknown(fused, A, DIFFERENT[name])
    assert_unknown(fused, DIFFERENT[name], 1.5)
    assert_known(fused, A, B)


@needs_extension
@pytest.mark.parametrize(("known", "other"), [(2.0, 2), (2, 2.0), (2, True), (2.0, np.float64(2.0)), (np.int64(2), 2)])
def test_numbers_of_other_types_are_told_apart(known: Any, other: Any) -> None:
    fused = pyfuse.fuse(scaled)
    assert_known(fused, A, known)
    assert_unknown(fused, A, other)


@needs_extension
def test_a_dtype_that_is_equal_but_another_object_is_known() -> None:
    fused = pyfuse.fuse(multiply_add)
    assert_known(fused, A, B, A)
    sent = pickle.loads(pickle.dumps(A, 2))
    assert_known(fused, sent, B, sent)
    assert sent.dtype is not A.dtype
    assert_unknown(fused, A.astype(A.dtype.newbyteorder()), B, A)


NUMBERS = [
    0, 1, -1, 127, 128, 255, 256, -129, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, True, False, 0.0, -0.0, 2.5, 1e39,
    7e4, 1e308, float("nan"), float("inf"), np.float64(1.5), np.float32(1e30), np.float16(3.0), np.int8(-3),
    np.uint8(200), np.int64(2**40), np.uint64(2**63), np.bool_(True), np.longlong(5), 1.5 + 2j, np.complex64(1j),
]  # fmt: skip


@pytest.mark.parametrize("code", ["?", "i1", "i8", "u8", "f2", "f4", "f8"])
def test_numbers_are_packed_as_python_packs_them(code: str) -> None:
    """Each outcome three times: the first call makes the launch, later ones may be the extension's."""
    array = np.array([0, 1, 1, 0, 1]).astype(code)
    fused = pyfuse.fuse(lambda a, p: a + p)
    for number in NUMBERS:
        expected = observe(fused.__wrapped__, (array, number))
        for _ in range(3):
            assert_same_outcome(observe(fused, (array, number)), expected)


@needs_extension
@pytest.mark.parametrize("number", [3, 2.5, True, np.float64(0.1), np.float32(0.1), np.int16(-7), np.bool_(True)])
def test_numbers_of_plain_types_are_known(number: Any) -> None:
    assert_known(pyfuse.fuse(scaled), A, number, number)


def test_a_number_that_does_not_fit_is_numpys_business() -> None:
    fused = pyfuse.fuse(scaled)
    small = np.arange(5, dtype="u1")
    for by in (3, 255, 256, -1, 4):
        assert_same_outcome(observe(fused, (small, by, 1)), observe(scaled, (small, by, 1)))
    assert fused.fallback_reasons() == {"scalar-range": 2}
    assert fused.cache_info().fused_calls == 3


def deviation(x: Any) -> Any:
    return (x - x.mean()) / x.std()


@needs_extension
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sum(),
        lambda x: x.max(),
        lambda x: x.mean(),
        lambda x: x.var(ddof=1),
        lambda x: np.sum(x, axis=0),
        lambda x: (x.sum(), x.min(), x * 2.0),
        lambda x: [x + 1.0, x - 1.0],
        lambda x: np.cumsum(x * 2.0, axis=-1),
        deviation,
    ],
)
@pytest.mark.parametrize("shape", [(10,), (4, 5), (3, 700), (40_000,)])
def test_reductions_are_known_with_their_temporaries(function: Callable[..., Any], shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(3).standard_normal(shape)
    fused = pyfuse.fuse(function)
    python, _ = fused(x), fused(x)
    before = answered(fused)
    result = fused(x)
    assert answered(fused) == before + 1, fused.fallback_reasons()
    assert_same(result, python)


@needs_extension
def test_one_result_in_several_places_is_one_object() -> None:
    fused = pyfuse.fuse(lambda a: (b := a + 1.0, b, b.sum(), b))
    result = assert_known(fused, A)
    assert result[0] is result[1] is result[3]
    assert type(assert_known(pyfuse.fuse(lambda a: [a + 1.0]), A)) is list


@needs_extension
@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((A,), {}), ((A, 3.0), {}), ((A,), {"by": 3.0}), ((A,), {"shift": 5.0}), ((), {"shift": 1.0, "a": A, "by": 2.5})],
)
def test_defaults_and_keywords_are_bound(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    assert_known(pyfuse.fuse(scaled), *args, **kwargs)


@needs_extension
def test_a_keyword_of_the_same_name_but_another_object_is_left_to_python() -> None:
    fused = pyfuse.fuse(scaled)
    assert_known(fused, A, by=3.0)
    assert_unknown(fused, A, **{"".join(["b", "y"]): 3.0})


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((A, 1.0, 2.0, 3.0), {}),
        ((A,), {"a": A}),
        ((A,), {"unknown": 1.0}),
        ((), {"by": 2.0}),
        ((A, 1), {"by": 2}),
    ],
)
def test_a_call_that_does_not_fit_raises_pythons_error(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    fused = pyfuse.fuse(scaled)
    fused(A)
    assert_unknown(fused, *args, **kwargs)


def test_positional_only_parameters_take_no_keyword() -> None:
    fused = pyfuse.fuse(lambda a, b=1.0, /, c=2.0: a * b + c)
    for args, kwargs in (((A,), {"c": 3.0}), ((A, 2.0), {}), ((A,), {"b": 2.0})):
        for _ in range(2):
            expected = observe(lambda args=args, kwargs=kwargs: fused.__wrapped__(*args, **kwargs), ())
            assert_same_outcome(observe(lambda args=args, kwargs=kwargs: fused(*args, **kwargs), ()), expected)


@needs_extension
def test_changed_defaults_and_code_are_seen() -> None:
    def shifted(a: Any, by: Any = 1.0) -> Any:
        return a + by

    def lowered(a: Any, by: Any = 1.0) -> Any:
        return a - by

    fused = pyfuse.fuse(shifted)
    assert_known(fused, A)
    shifted.__defaults__ = (4.0,)
    assert_known(fused, A)
    shifted.__defaults__ = None
    assert_unknown(fused, A)
    shifted.__defaults__ = (4.0,)
    shifted.__code__ = lowered.__code__
    assert (fused(A) == A - 4.0).all()
    assert answered(fused) == 0, "all was forgotten"
    assert (assert_known(fused, A) == A - 4.0).all()


FACTOR = 2.5


@needs_extension
def test_globals_and_cells_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    shift = 1.0

    @pyfuse.fuse
    def guarded(a: Any) -> Any:
        return np.abs(a) * FACTOR + shift

    assert_known(guarded, A)
    monkeypatch.setitem(globals(), "FACTOR", float("2.5"))  # equal, another object
    assert_known(guarded, A)
    monkeypatch.setitem(globals(), "FACTOR", 3.5)
    assert_unknown(guarded, A)
    assert_known(guarded, A)
    shift = 7.0
    assert_unknown(guarded, A)
    assert_known(guarded, A)
    shift = 1.0
    monkeypatch.setitem(globals(), "FACTOR", 2.5)
    assert_known(guarded, A)
    assert guarded.cache_info().misses == 3


@needs_extension
def test_a_global_that_hides_a_builtin_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    fused = pyfuse.fuse(function_with_a_builtin)
    assert_known(fused, A)
    monkeypatch.setitem(globals(), "float", lambda _: 9.0)
    assert_unknown(fused, A)


def function_with_a_builtin(a: Any) -> Any:
    return a + float(2)


@needs_extension
def test_forms_of_a_pinned_value_are_told_apart() -> None:
    @pyfuse.fuse
    def repeated(a: Any, count: int) -> Any:
        total = a
        for _ in range(count):
            total = total + a
        return total

    for count in (1, 2, 3):
        assert_known(repeated, A, count)
    for count in (1, 3, 2, 1):
        assert_known(repeated, A, count)


@needs_extension
def test_numbers_that_python_computes() -> None:
    fused = pyfuse.fuse(lambda a, p, q: a * (p + q) - p / q)
    assert_known(fused, A, 1.5, 2.5)
    assert_known(fused, A, 1.5, -0.25)
    assert_unknown(fused, A, 1.5, 0.0)
    assert fused.fallback_reasons() == {"scalar-range": 1}
    mixed = pyfuse.fuse(lambda a, p, q: a * (p + q))
    assert_known(mixed, A, np.float64(1.5), 2.5)
    assert_unknown(mixed, A, np.float64(1e308), 1e308)


class Layer:
    """A method, an attribute that is a number, and one that is an array."""

    def __init__(self) -> None:
        self.weights = B

    @pyfuse.fuse
    def plain(self, a: Any) -> Any:
        return a * 2.0

    @pyfuse.fuse
    def weighted(self, a: Any) -> Any:
        return a * self.weights


@needs_extension
def test_methods_bind_and_attributes_are_looked_at() -> None:
    layer = Layer()
    Layer.plain.cache_clear()
    Layer.weighted.cache_clear()
    for _ in range(3):
        assert (layer.plain(A) == A * 2.0).all()
        assert (layer.weighted(A) == A * B).all()
    assert (answered(Layer.plain), answered(Layer.weighted)) == (2, 2)
    layer.weights = B * 2.0
    assert (layer.weighted(A) == A * (B * 2.0)).all()
    assert answered(Layer.weighted) == 3
    for weights in (np.linspace(0.0, 1.0, 24)[::2], B.astype("f4"), B[:1]):
        layer.weights = weights
        assert (layer.weighted(A) == A * weights).all()
    assert answered(Layer.weighted) == 3
    layer.weights = B[:5]
    with pytest.raises(ValueError, match="broadcast"):
        layer.weighted(A)
    del layer.weights
    with pytest.raises(AttributeError, match="weights"):
        layer.weighted(A)
    assert answered(Layer.weighted) == 3


@needs_extension
@pytest.mark.parametrize(
    "function",
    [
        lambda a: a[1:] - a[:-1],
        lambda a: {"sum": a + 1.0, "given": a},
        lambda a: (a + 1.0, a, (a.sum(), 3)),
        lambda a: (a + 1.0)[::-1],
        lambda a: a[:, None] + np.zeros(a.size),
        lambda a: a.sum(keepdims=True),
    ],
)
def test_views_and_other_results_are_computed_by_python(function: Callable[..., Any]) -> None:
    assert_known(pyfuse.fuse(function), A)


@needs_extension
def test_a_view_that_cannot_be_had_is_pythons_business() -> None:
    fused = pyfuse.fuse(lambda a, n: a[n:] + a[:1])
    assert_known(fused, A, 2)
    assert_known(fused, A, 11)
    assert_unknown(fused, A, 3)
    assert_unknown(fused, A, 2.0)


@needs_extension
@pytest.mark.parametrize("function", [lambda a, p, q: (a * 2.0, p / q), lambda a, p, q: a * (p / q)])
def test_what_cannot_be_computed_is_the_originals_error(function: Callable[..., Any]) -> None:
    fused = pyfuse.fuse(function)
    assert_known(fused, A, 1.0, 4.0)
    python = pyfuse.fuse(function)
    python(A, 1.0, 4.0)
    for count in (1, 2):
        for call in (lambda: fused(A, 1.0, 0.0), lambda: python._executor.call((A, 1.0, 0.0), {})):
            with pytest.raises(ZeroDivisionError):
                call()
        assert fused.fallback_reasons() == python.fallback_reasons()
        assert fused.cache_info().fallback_calls == count
    assert fused._executor.fallback.last == python._executor.fallback.last
    assert_known(fused, A, 1.0, 5.0)


@needs_extension
@pytest.mark.parametrize(
    "function",
    [
        lambda a, *rest: a + rest[0],
        lambda a, *, b=2.0: a + b,
        lambda a, p=2j: a * p,
        lambda a, pair=(1.0, 2.0): a * pair[0] + pair[1],
    ],
)
def test_what_is_left_to_python(function: Callable[..., Any]) -> None:
    fused = pyfuse.fuse(function)
    args = (A, B) if function.__code__.co_flags & 4 else (A,)
    for _ in range(3):
        assert_unknown(fused, *args)
    assert fused.cache_info().fused_calls == 3, fused.fallback_reasons()


MODES = ["ignore", "warn", "raise", "call", "print"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["divide", "over", "under", "invalid"])
def test_errors_are_reported_under_every_mode(name: str, mode: str) -> None:
    bad = {"divide": (1.0, 0.0), "over": (1e300, 1e-300), "under": (1e-300, 1e300), "invalid": (0.0, 0.0)}[name]
    x, y = (np.array([1.0, number, 2.0]) for number in bad)
    fused = pyfuse.fuse(lambda x, y: x / y)
    fused(np.ones(3), np.ones(3))
    modes = {"all": "ignore", name: mode}
    expected = observe(fused.__wrapped__, (x, y), modes)
    for count in (1, 2):
        assert_same_outcome(observe(fused, (x, y), modes), expected)
        reasons = {} if mode == "ignore" else {"floating-point-report": count}
        assert fused.fallback_reasons() == reasons
    assert fused.cache_info().fused_calls == (3 if mode == "ignore" else 1)
    assert answered(fused) == (2 if mode == "ignore" and dispatch.extension is not None else 0)


def test_an_invalid_cast_is_numpys_whatever_the_mode() -> None:
    fused = pyfuse.fuse(lambda x: x.astype("i4"))
    good, bad = np.ones(3), np.array([1.0, np.nan, 1e30])
    for x in (good, bad, good, bad):
        assert_same_outcome(observe(fused, (x,)), observe(fused.__wrapped__, (x,)))
    assert fused.fallback_reasons() == {"floating-point-report": 2}


def test_settings_are_read_at_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    fused = pyfuse.fuse(multiply_add)
    for _ in range(3):
        fused(A, B, A)
    monkeypatch.setenv("PYFUSE_DISABLE", "1")
    assert (fused(A, B, A) == A * B + A).all()
    assert fused.fallback_reasons() == {"disabled": 1}
    monkeypatch.delenv("PYFUSE_DISABLE")
    fused(A, B, A)
    with pyfuse.config.set(disable=True):
        fused(A, B, A)
        with pyfuse.config.set(disable=False):
            fused(A, B, A)
    assert fused.fallback_reasons() == {"disabled": 2}
    assert fused.cache_info().fused_calls == 5


@needs_extension
def test_another_thread_limit_is_another_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    fused = pyfuse.fuse(multiply_add)
    for limit in (1, 2, 3):
        with pyfuse.config.set(num_threads=limit):
            assert_known(fused, A, B, A)
    assert len(fused._executor.table) == 3
    monkeypatch.setenv("PYFUSE_NUM_THREADS", "2")
    before = answered(fused)
    fused(A, B, A)
    assert answered(fused) == before + 1


def test_verify_goes_the_python_way(monkeypatch: pytest.MonkeyPatch) -> None:
    fused = pyfuse.fuse(multiply_add)
    fused(A, B, A)
    fused(A, B, A)
    before, verified = answered(fused), []
    monkeypatch.setattr(executor, "verify", lambda *results: verified.append(results))
    with pyfuse.config.set(verify=True):
        fused(A, B, A)
    monkeypatch.setenv("PYFUSE_VERIFY", "1")
    fused(A, B, A)
    assert len(verified) == 2
    assert answered(fused) == before


@needs_extension
def test_counters_and_clearing() -> None:
    fused = pyfuse.fuse(multiply_add)
    for _ in range(5):
        fused(A, B, A)
    info = fused.cache_info()
    assert (info.hits, info.misses, info.kernels, info.fused_calls, info.fallback_calls) == (4, 1, 1, 5, 0)
    assert answered(fused) == 4
    fused.cache_clear()
    assert (len(fused._executor.table), answered(fused), fused.cache_info().fused_calls) == (0, 0, 0)
    assert_unknown(fused, A, B, A)
    assert fused.cache_info().kernels == 1


@needs_extension
def test_what_is_evicted_is_forgotten_here_too() -> None:
    fused = pyfuse.fuse(scaled)
    with pyfuse.config.set(max_kernels=1):
        for by in (1, 1.0, 1):
            assert_known(fused, A, by)
            assert len(fused._executor.table) == 1


@needs_extension
def test_many_forms_are_answered_and_the_number_remembered_is_bounded() -> None:
    fused = pyfuse.fuse(lambda a: a + 1.0)
    arrays = [np.arange(float(size)) for size in range(2, 102)]
    for _ in range(3):
        for array in arrays:
            assert (fused(array) == array + 1.0).all()
    assert len(fused._executor.table) == 64
    assert fused.cache_info().fused_calls == 300
    before = answered(fused)
    for array in arrays[-64:] * 3:
        fused(array)
    assert answered(fused) == before + 3 * 64


@needs_extension
def test_random_calls_are_answered_as_by_the_original() -> None:
    random = Random(5)
    functions = [pyfuse.fuse(multiply_add), pyfuse.fuse(lambda a, b, c: (a - b, np.maximum(b, c))), pyfuse.fuse(scaled)]
    kinds: list[Any] = [*FORMS.values(), 2.0, 3, True, np.float32(0.5), np.int8(3)]
    calls = [tuple(random.choice(kinds) for _ in range(3)) for _ in range(120)]
    for arguments in random.choices(calls, k=600):
        fused = random.choice(functions)
        assert_same_outcome(observe(fused, arguments), observe(fused.__wrapped__, arguments))
    assert sum(map(answered, functions)) > 50


def test_a_global_that_is_not_there_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    fused = pyfuse.fuse(function_of_a_global)
    fused(A)
    fused(A)
    monkeypatch.delitem(globals(), "FACTOR")
    with pytest.raises(NameError, match="FACTOR"):
        fused(A)


def function_of_a_global(a: Any) -> Any:
    return a * FACTOR


HUGE = """\
import resource
import numpy as np, pyfuse

@pyfuse.fuse
def outer(a, b):
    return a + b

a, b = np.zeros((4000, 1)), np.zeros((1, 4000))
for _ in range(2):
    outer(a, b)
pyfuse.clear_pool()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000, resource.RLIM_INFINITY))
for _ in range(3):
    try:
        outer(a, b)
    except MemoryError as error:
        assert "122. MiB" in str(error), error
    else:
        raise AssertionError("there was memory")
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
outer(a, b)
assert outer.fallback_reasons() == {}
assert outer.cache_info().fused_calls == 3
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc and a limit of memory")
@pytest.mark.parametrize("pool_limit", ["0", "1000000000"])
def test_memory_that_is_not_there_is_an_error(pool_limit: str, tmp_path: Path) -> None:
    run_program(tmp_path / "huge.py", HUGE, PYFUSE_NUM_THREADS="1", PYFUSE_POOL_LIMIT=pool_limit)


@needs_extension
def test_nothing_leaks() -> None:
    one = 1.2345e6 + A[0]
    fused = pyfuse.fuse(lambda a, b, p, q=3.0: (a * b + p, (a * q).sum()))
    bad = pyfuse.fuse(scaled)
    small = np.arange(3, dtype="u1")
    table = fused._executor.table

    def work(count: int) -> None:
        for _ in range(count):
            fused(A, B, one)
            fused(A, B, p=one)
        for _ in range(count // 100):
            bad(small, 3, 1)
            with pytest.raises(OverflowError):
                bad(small, 300, 1)
            with np.errstate(all="ignore"):
                fused(A, B, one, float("inf"))

    def counts() -> list[int]:
        kept = (A, B, one, table, A.dtype, None, fused, fused.__wrapped__, np.float64, type(one), small)
        return [sys.getrefcount(thing) for thing in kept]

    work(200)
    gc.collect()
    before = counts()
    tracemalloc.start()
    try:
        work(500)
        first = tracemalloc.get_traced_memory()[0]
        work(50_000)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - first
    finally:
        tracemalloc.stop()
    drift = [after - earlier for after, earlier in zip(counts(), before, strict=True)]
    assert all(abs(number) < 50 for number in drift), drift
    assert grown < 50_000
    assert answered(fused) > 100_000


@needs_extension
def test_what_is_forgotten_is_freed() -> None:
    def original(a: Any) -> Any:
        return a * 2.0

    fused = pyfuse.fuse(original)
    fused(A)
    fused(A)
    ((runner,),) = fused._executor._runners.values()
    launch, function = weakref.ref(runner.launch), weakref.ref(original)
    del runner
    fused.cache_clear()
    gc.collect()
    assert launch() is None
    fused(A)
    fused(A)
    original.itself = fused  # type: ignore[attr-defined]
    del fused, original
    gc.collect()
    assert function() is None


@needs_extension
def test_a_function_that_is_dropped_is_freed_without_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        fused = pyfuse.fuse(lambda a: a * 2.0)
        fused(A)
        fused(A)
        gone = weakref.ref(fused)
        del fused
        assert gone() is None
    finally:
        gc.enable()


def test_threads_that_call_clear_and_set() -> None:
    fused = pyfuse.fuse(scaled)
    arrays = [np.arange(float(size)) for size in range(1, 30)]
    wrong: list[Any] = []
    barrier = threading.Barrier(6)

    def work(number: int) -> None:
        random = Random(number)
        barrier.wait(60)
        for count in range(1500):
            array, by = random.choice(arrays), random.choice((2.0, 3, True))
            if number == 0 and count % 50 == 0:
                fused.cache_clear()
            with pyfuse.config.set(num_threads=1 + count % 2, disable=number == 1 and count % 3 == 0):
                if not np.array_equal(fused(array, by), array * by + 1.0):
                    wrong.append((array, by))

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    finally:
        sys.setswitchinterval(switch)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong
    assert set(fused.fallback_reasons()) <= {"disabled"}


def test_every_call_of_many_threads_is_counted() -> None:
    fused = pyfuse.fuse(multiply_add)
    big = np.linspace(0.0, 1.0, 30_000)  # long enough for the GIL to be released
    for array in (A, big):
        fused(array, array, array)

    def work(array: np.ndarray) -> None:
        for _ in range(300):
            fused(array, array, array)

    threads = [threading.Thread(target=work, args=(array,)) for array in (A, big, A, big)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fused.cache_info().fused_calls == 1202


def test_other_threads_run_while_a_long_kernel_does() -> None:
    fused = pyfuse.fuse(lambda a: np.sin(a) + np.exp(a) * np.log(a + 9.0))
    big = np.linspace(0.0, 1.0, 5_000_000)

    def stamps_in_a_call() -> int:
        stamps: list[float] = []
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.002):
                stamps.append(time.perf_counter())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            begin = time.perf_counter()
            fused(big)
            end = time.perf_counter()
        finally:
            stop.set()
            thread.join()
        return sum(begin < stamp < end for stamp in stamps)

    with pyfuse.config.set(num_threads=1):
        fused(big)
        # On a busy machine the other thread may get no core for a while; with the GIL it gets none in any call.
        assert any(stamps_in_a_call() > 2 for _ in range(5)), "the GIL was kept"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_is_answered_too() -> None:
    fused = pyfuse.fuse(multiply_add)
    for _ in range(2):
        fused(A, B, A)
    pid = os.fork()
    if pid == 0:
        is_right = bool((fused(A, B, A) == A * B + A).all()) and fused.cache_info().fused_calls == 3
        os._exit(0 if is_right else 1)
    assert os.waitpid(pid, 0)[1] == 0


@needs_extension
def test_the_table_is_no_place_for_anything_else() -> None:
    fused = pyfuse.fuse(multiply_add)
    with pytest.raises(TypeError):
        fused._table = []  # type: ignore[assignment]
    with pytest.raises(TypeError):
        fused._executor.table.remember(None)
    fused(A, B, A)
    fused._table = None
    for _ in range(2):
        assert (fused(A, B, A) == A * B + A).all()
    assert answered(fused) == 0


def _fields(text: str) -> list[str]:
    found = re.search(r"typedef struct \{([^}]*)\} pf_launch;", text)
    assert found is not None
    declared = re.sub(r"/\*.*?\*/", "", found[1], flags=re.DOTALL).replace("const pf_nest_call", "const void")
    return [" ".join(line.split()) for line in declared.split(";") if line.strip()]


def test_both_c_files_mean_the_same_by_a_launch() -> None:
    texts = [(NATIVE / name).read_text(encoding="utf-8") for name in ("runtime.c", "dispatcher.c")]
    assert _fields(texts[0]) == _fields(texts[1])
    assert f"INTERFACE = {dispatch.INTERFACE}" in texts[1]


def test_without_the_extension_everything_works(tmp_path: Path) -> None:
    asked = (
        "check(); check_again = scaled_sum(np.ones(3), np.ones(3))\n"
        "from pyfuse.backend.cpu import dispatch\n"
        "assert dispatch.extension is None and dispatch.state == 'switched off by PYFUSE_EXTENSION', dispatch.state\n"
        "assert scaled_sum._executor.table is None\n"
    )
    run_program(tmp_path / "program.py", FUSED_PROGRAM + asked, PYFUSE_EXTENSION="0")


@needs_extension
def test_an_extension_of_other_sources_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.extension, "INTERFACE", -1)
    assert dispatch._load() == (None, "built from other sources: install pyfuse again")

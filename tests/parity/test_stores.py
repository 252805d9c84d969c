"""Stores into arrays of the caller: what NumPy would leave there, whatever shares memory, and never by halves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse import direct_stores
from pyfuse.frontend import stores
from tests.parity.outcome import assert_same, observe
from tests.parity.text import function_from

pytestmark = pytest.mark.usefixtures("c_compiler")


@pytest.fixture(autouse=True, params=["through an array", "straight"])
def every_store_fuses(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """However little is done in place; and kernels store themselves wherever they may, or never."""
    monkeypatch.setattr(stores, "OPERATIONS_A_STORE", 0)
    monkeypatch.setattr(direct_stores, "LEAST_BYTES", 0 if request.param == "straight" else 1 << 60)


Arguments = Callable[[], list[Any]]


def pair(dtype: str = "f8") -> list[Any]:
    return [np.arange(12, dtype=dtype), np.linspace(1, 3, 12).astype(dtype)]


def square() -> list[Any]:
    return [np.arange(30.0).reshape(5, 6), np.linspace(1, 3, 30).reshape(5, 6)]


def overlapping() -> list[Any]:
    whole = np.arange(13.0)
    return [whole[1:], whole[:-1]]


def the_same() -> list[Any]:
    array = np.arange(12.0)
    return [array, array]


def backwards() -> list[Any]:
    array = np.arange(12.0)
    return [array, array[::-1]]


def check(text: str, make: Arguments, way: str = "fused", times: int = 2) -> Any:
    """Raise AssertionError unless calls do to their arguments what the original does, and are answered in one way."""
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    fused = pyfuse.fuse(function_from(f"import numpy as np\ndef f(x, y):\n{lines}"))
    for _ in range(times):
        expected, actual = observe(fused.__wrapped__, make()), observe(fused, make())
        assert actual.error == expected.error
        assert_same(actual.arguments, expected.arguments, place="arguments")
        assert_same(actual.result, expected.result)
    info = fused.cache_info()
    assert getattr(info, f"{way}_calls") == times, (info, fused.fallback_reasons())
    return fused


STORES = {
    "an operation in place": "x += y * 2",
    "several": "x += y\nx *= 2\ny -= x",
    "through a slice": "x[1:-1] = y[2:] + y[:-2]",
    "backwards": "x[::-1] += y",
    "every second": "x[::2] *= y[1::2]",
    "over itself": "x[1:] += x[:-1]",
    "turned around": "x[:] = x[::-1] * 1",
    "a number": "x[...] = 5",
    "an element": "x[2] = y.sum()\nreturn y + 1",
    "into what is like another": "np.add(x, y, out=x)\nnp.multiply(x, 2, x)",
    "a broadcast number of the call": "x[1:] = y[0]",
    "two parts of one array": "x[:5] = y[:5]\nx[5:] = y[5:] * 2",
    "two stores, the second over the first": "x[:8] = y[:8]\nx[4:] = y[4:] * 2\nreturn y - 1",
    "one part twice": "x[1:] = y[1:]\nx[1:] = y[1:] * 2",
    "what is returned": "x += y\nreturn x, y * 2",
    "what is returned as a view": "x[1:] = y[1:]\nreturn x.T",
    "a copy taken before": "c = x.copy()\nx[1:-1] = c[2:] - c[:-2]\nreturn c",
    "a value read before and after": "a = x * 2\nx += 1\nreturn a, x * 2",
    "by a helper": "def add(a, b):\n    a += b\n    return a\nreturn add(x, y) * 2",
    "through a mask": "x[y > 2] = 7",
    "through a mask of itself": "x[x == 3] = y.max()",
    "an operation through a mask": "x[y < 2] += 1",
    "through a mask, and read": "x[y < 2] *= 2\nx[x == 4] = 0\nreturn x + y",
    "through a mask into what is made": "c = x + y\nc[c > 5] = 1\nreturn c",
    "a reduction into a part": "x[:1] = y.sum(keepdims=True)",
}


@pytest.mark.parametrize("make", [pair, lambda: pair("f4"), lambda: [*pair("c16")]], ids=["f8", "f4", "c16"])
@pytest.mark.parametrize("name", STORES)
def test_stores_fuse(name: str, make: Arguments) -> None:
    fused = check(STORES[name], make)
    assert fused.cache_info().kernels == 1


@pytest.mark.parametrize("make", [overlapping, the_same, backwards], ids=["shifted", "the same", "backwards"])
@pytest.mark.parametrize("name", STORES)
def test_arguments_that_share_memory(name: str, make: Arguments) -> None:
    """Fused where all is read before the first store, in part or by the original where not."""
    text = STORES[name]
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    fused = pyfuse.fuse(function_from(f"import numpy as np\ndef f(x, y):\n{lines}"))
    for arguments in (make, pair, make, make, pair):
        expected, actual = observe(fused.__wrapped__, arguments()), observe(fused, arguments())
        assert_same(actual.arguments, expected.arguments, place="arguments")
        assert_same(actual.result, expected.result)


@pytest.mark.parametrize(
    "text",
    [
        "x[1:-1, 1:-1] = 0.25 * (x[2:, 1:-1] + x[:-2, 1:-1] + x[1:-1, 2:] + x[1:-1, :-2])",
        "x[:, 0] = y[:, 1]\nx[0] = y[1]",
        "x.T[1:] += y.T[:-1]",
        "x[..., None][1:, :, 0] = y[1:]",
        "x[:] = y.sum(axis=0)",
        "x[2] -= y.mean(axis=0)\nreturn y.T * 2",
    ],
)
def test_stores_into_tables(text: str) -> None:
    check(text, square)
    check(text, lambda: [np.asfortranarray(array) for array in square()])


@pytest.mark.parametrize(
    "text",
    [
        "x[y > 2] = y[y > 2]",
        "x[y > 2] += y[y > 2]",
        "x[y[:6] > 2] = 1",
        "x[np.array([True])] = 1",
        "x[x > 2] = [1, 2]",
        "x[[0, 1]] = 5",
        "x[y > 2, None] = 5",
    ],
)
def test_other_masks_are_numpys(text: str) -> None:
    fused = pyfuse.fuse(function_from(f"import numpy as np\ndef f(x, y):\n    {text}\n    return x"))
    expected, actual = observe(fused.__wrapped__, pair()), observe(fused, pair())
    assert actual.error == expected.error
    assert_same(actual.arguments, expected.arguments, place="arguments")


def test_a_mask_in_a_table() -> None:
    check("x[y > 2] = 0", square)
    check("x[x % 2 == 0] += 0.5\nreturn x.sum(axis=0)", square)


def test_verification_does_not_store_again() -> None:
    with pyfuse.config.set(verify=True):
        check("x += y * 2", pair)


def test_clipped_in_place() -> None:
    check("np.clip(x, 2, 5, out=x)", pair)


def test_a_little_arithmetic_in_place_is_left_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    fused = check("x[1:] += y[1:] * 2", pair, "fallback")
    assert fused.fallback_reasons() == {"no-array-work": 2}
    check("x += y * 2", pair)  # the kernel stores itself
    check("x += y * 2 - 1", pair)
    check("x *= np.exp(y * 0)", pair)
    check("x *= y\nreturn x - y", pair)


def test_a_step_that_reads_what_the_last_one_stored() -> None:
    text = "for _ in range(3):\n    x[1:-1] = x[1:-1] + 0.1 * (x[2:] - 2 * x[1:-1] + x[:-2])\nreturn x"
    fused = check(text, pair, "partly_fused")
    (driver,) = fused._executor.drivers.all()
    (region,) = driver.fused
    assert (region.executor.info().fused_calls, region.executor.info().kernels) == (6, 1)


def test_a_store_into_an_array_that_the_function_makes() -> None:
    text = "c = np.zeros_like(x)\nc[1:-1] = x[2:] * y[:-2]\nc[0] = 5\nreturn c * 2"
    fused = check(text, pair, "partly_fused", times=4)
    assert all(info.executor.info().fallback_calls == 0 for info in fused._executor.drivers.all()[0].fused)


@pytest.mark.parametrize("text", ["x += y", "x[1:] = y[1:]", "x[0] = 1"])
def test_a_read_only_array_is_numpys_error(text: str) -> None:
    def make() -> list[Any]:
        x, y = pair()
        x.flags.writeable = False
        return [x, y]

    check(text, make, "fallback")


def test_an_array_whose_elements_share_memory() -> None:
    def make() -> list[Any]:
        return [np.lib.stride_tricks.as_strided(np.arange(6.0), (4, 3), (8, 8)), np.arange(12.0).reshape(4, 3)]

    check("x += y", make, "fallback")


def test_nothing_is_stored_where_numpy_raises() -> None:
    fused = pyfuse.fuse(function_from("def f(x, y):\n    x += 1\n    x[1:] = y\n    return x"))
    for make in (pair, lambda: [np.arange(12.0), np.arange(11.0)]):
        expected, actual = observe(fused.__wrapped__, make()), observe(fused, make())
        assert actual.error == expected.error
        assert_same(actual.arguments, expected.arguments, place="arguments")


def test_nothing_is_stored_twice_where_numpy_reports() -> None:
    fused = pyfuse.fuse(function_from("def f(x, y):\n    x += y\n    y /= x - x"))
    for modes in ({"all": "warn"}, {"all": "ignore"}, {"all": "raise"}):
        given = pair(), pair()
        expected, actual = observe(fused.__wrapped__, given[0], modes), observe(fused, given[1], modes)
        assert (actual.error, actual.warned) == (expected.error, expected.warned)
        assert_same(actual.arguments, expected.arguments, place="arguments")


def test_the_casts_of_stores_are_numpys() -> None:
    check("x[...] = y", lambda: [np.zeros(12, "i4"), np.linspace(-3, 3, 12)])
    check("x[...] = y", lambda: [np.zeros(12, "f4"), np.arange(12)])
    check("x += y", lambda: [np.zeros(12, "f4"), np.linspace(-3, 3, 12)])
    check("x += y", lambda: [np.zeros(12, "i4"), np.linspace(-3, 3, 12)], "fallback")  # UFuncTypeError
    check("x[0] = 2.7", lambda: [np.zeros(12, "i4"), None], "fallback")


def test_an_attribute_and_a_global_are_stored_into() -> None:
    class Model:
        def __init__(self) -> None:
            self.state = np.arange(6.0)

    models = Model(), Model()
    fused = pyfuse.fuse(function_from("def f(model, y):\n    model.state[1:] += y\n    return model.state"))
    for _ in range(2):
        one, other = fused(models[0], 2.5), fused.__wrapped__(models[1], 2.5)
        assert one is models[0].state
        np.testing.assert_array_equal(one, other)
    assert fused.cache_info().fused_calls == 2, fused.fallback_reasons()

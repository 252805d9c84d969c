"""Loops over a range inside the kernel: NumPy's answer, one kernel for every number of turns, and what stays unrolled."""

# ruff: noqa: E501 - programs on one line
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.parity.fuzz_programs import assert_same_effects
from tests.parity.outcome import observe
from tests.parity.text import function_from

pytestmark = pytest.mark.usefixtures("c_compiler")

TURNS = (3, 10, 1000)
MANY = 200  # elements: six blocks of lanes and a bit

# name: a body over an array x, turns n, and a number dt. All of it is elementwise.
BODIES: dict[str, str] = {
    "fixed point": "z = x * 1\nfor _ in range(n):\n    z = 0.5 * (z + 2 / (z + 3))\nreturn z",
    "two values": "v = np.zeros_like(x)\nfor _ in range(n):\n    v = v - x * dt\n    x = x + v * dt\nreturn x, v",
    "in place": "y = x.copy()\nfor _ in range(n):\n    y += dt * (1 - y)\nreturn y",
    "in place with another name": "y = x + 1\nw = y\nfor _ in range(n):\n    y *= 0.5\n    y -= dt\nreturn y, w",
    "in place below a view": "y = x + 1\nw = y[::2]\nfor _ in range(n):\n    y *= 0.5\nreturn y, w * 1",
    "masked stores": (
        "z = x * 1\nc = np.zeros(x.shape, int)\nfor _ in range(n):\n    m = np.abs(z) < 2\n    z[m] += 0.25\n"
        "    z[~m] = 0.125\n    c[m] += 1\nreturn z, c, m"
    ),
    "where": "z = x * 1\nfor _ in range(n):\n    z = np.where(np.abs(z) > 1, z * 0.5, z + 0.3)\nreturn z",
    "the index": "s = np.zeros_like(x)\nfor i in range(n):\n    s = s * 0.5 + x * i\nreturn s, i",
    "a range with bounds": "s = x * 0.0\nfor i in range(2, n + 7, 3):\n    s = s * 0.5 + x / i\nreturn s, i",
    "a range that runs down": "s = x * 0.0\nfor i in range(n, 0, -2):\n    s = (s + x) / i\nreturn s, i",
    "the index counts what it reaches": (
        "c = np.full(x.shape, -1, np.int32)\nz = x * 1\nfor i in range(n):\n    z = z * 0.9\n"
        "    c[np.abs(z) > 0.5] = i\nreturn c"
    ),
    "arithmetic with the index": (
        "s = x * 0.0\nfor i in range(n):\n    s = s * 0.5 + x * (1.0 / (i + 1)) - (i * i - 3) * dt\nreturn s"
    ),
    "a time": "t = 0.0\nfor _ in range(n):\n    x = x + dt * t * x\n    t = t + dt * 0.01\nreturn x, t",
    "a time that begins as an integer": "t = 0\nfor _ in range(n):\n    t += dt * 0.01\n    x = x * t\nreturn x, t",
    "a NumPy scalar": "a = np.float64(0.5)\nfor _ in range(n):\n    x = x * a + 1\n    a = a * 0.9\nreturn x",
    "what was before": "a, b = x, x * 0.5\nfor _ in range(n):\n    a, b = b, a * 0.3 + b * 0.5\nreturn a, b",
    "a pair that swaps": "a, b = x * 2, x - 1\nfor _ in range(n):\n    a, b = b, a\nreturn a, b",
    "a number becomes an array": "z = 0\nfor _ in range(n):\n    z = z * z * 0.1 + x\nreturn z",
    "only in the loop": "for _ in range(n):\n    y = x * 0.5\n    x = y + dt\nreturn x, y",
    "what does not change": "z = x * 1\nfor _ in range(n):\n    w = np.sqrt(np.abs(x))\n    z = z * 0.5 + w\nreturn z, w",
    "a smaller array beside": "r = x[:1] * 1.0\nz = x * 1\nfor _ in range(n):\n    r = r * 0.9\n    z = z * 0.5 + r\nreturn z, r",
    "continue": "z = x * 1\nfor _ in range(n):\n    z = z * 0.5\n    if dt < 1:\n        continue\n    z = z + 1\nreturn z",
    "else": "z = x * 1\nfor _ in range(n):\n    z = z * 0.5\nelse:\n    z = z + 1\nreturn z",
    "a short loop inside": "z = x * 1\nfor i in range(n):\n    for j in range(3):\n        z = z * 0.5 + j\n    z = z - i\nreturn z",
    "two loops": "z = x * 1\nfor _ in range(n):\n    z = z * 0.5\nw = z + 1\nfor _ in range(n):\n    w = w * z + 1\nreturn w",
    "a sum of it": "z = x * 1\nfor _ in range(n):\n    z = z * 0.5 + dt\nreturn z - z.max()",
    "a sum before it": "m = x.max()\nz = x * 1\nfor _ in range(n):\n    z = z * 0.5 + m\nreturn z",
    "a helper": "step = lambda z, k: z * 0.5 + k\nz = x * 1\nfor i in range(n):\n    z = step(z, i)\nreturn z",
    "an array of the caller": "for _ in range(n):\n    x *= 0.5\n    x += 1\nreturn x",
    "an array of the caller by a mask": "y = x\nfor i in range(n):\n    x[x > 0.5] *= 0.5\n    x += dt * i\nreturn x * 2, y",
    "an array of the caller by two names": "y = x\nfor _ in range(n):\n    y *= 0.5\n    x += dt\nreturn x * 2, y",
    "nothing is carried": "z = x * 1\nfor i in range(n):\n    z = x * dt\nreturn z",
}
NO_TURNS_IS_PYTHONS = (
    "the index",
    "only in the loop",
    "what does not change",
    "masked stores",
)  # names without a value


def numbers(kind: str, shape: Any = MANY) -> np.ndarray:
    chance = np.random.default_rng(5)
    drawn = chance.normal(size=shape) * 2
    return np.asarray(drawn + 1j * chance.normal(size=shape) if kind.startswith("c") else drawn, kind)


def loop(body: str) -> Callable[..., Any]:
    indented = "".join(f"    {line}\n" for line in body.split("\n"))
    return function_from(f"def f(x, n, dt):\n{indented}")


def assert_equal(actual: Any, expected: Any) -> None:
    """Equal types, bits and memory orders."""
    if isinstance(expected, tuple | list):
        for one, other in zip(actual, expected, strict=True):
            assert_equal(one, other)
        return
    assert type(actual) is type(expected)
    np.testing.assert_array_equal(actual, expected, strict=True)
    if isinstance(expected, np.ndarray):
        assert actual.strides == expected.strides


def check(fused: Any, *arguments: Any) -> None:
    """The call does what the original does, with the same reports."""
    modes = {"all": "warn"}
    given = [[value.copy("K") if isinstance(value, np.ndarray) else value for value in arguments] for _ in range(2)]
    assert_same_effects(observe(fused, given[0], modes), observe(fused.__wrapped__, given[1], modes))


@pytest.mark.parametrize(("name", "kind"), [*((name, "f8") for name in BODIES), *zip(BODIES, ("f4", "c16") * 50)])  # noqa: B905
def test_one_kernel_answers_for_every_number_of_turns(name: str, kind: str) -> None:
    fused = pyfuse.fuse(loop(BODIES[name]))
    x = numbers(kind)
    with np.errstate(under="ignore"):
        for turns in TURNS:
            with np.errstate(all="ignore"):
                given = [x.copy(), x.copy()]
                actual, expected = fused(given[0], turns, 0.25), fused.__wrapped__(given[1], turns, 0.25)
            assert_equal(actual, expected)
    info = fused.cache_info()
    assert (info.kernels, info.misses, info.fused_calls) == (1, 1, len(TURNS)), fused.explain()
    assert fused.fallback_reasons() == {}


@pytest.mark.parametrize("name", BODIES)
def test_few_turns_and_none_are_right(name: str) -> None:
    fused = pyfuse.fuse(loop(BODIES[name]))
    for turns in (0, 1, 2, 3, -4):
        check(fused, numbers("f8", 37), turns, 0.25)


@pytest.mark.parametrize("shape", [1, 31, 32, 33, 64, 65, (3, 5), (2, 1, 40), (0,), (4, 0)])
def test_blocks_that_are_not_full(shape: Any) -> None:
    fused = pyfuse.fuse(loop(BODIES["where"]))
    check(fused, numbers("f8", shape), 5, 0.25)
    check(fused, numbers("c8", shape), 5, 0.25)


def test_padding_reports_nothing() -> None:
    """Lanes beyond the end of an array are copies of its last element: zeros there would be divided by."""
    fused = pyfuse.fuse(loop("z = x * 1\nfor _ in range(n):\n    z = 1 / z + 1 / x\nreturn z"))
    x = np.linspace(1, 2, 37)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(fused(x, 5, 0.0), fused.__wrapped__(x, 5, 0.0))
    assert fused.cache_info().fused_calls == 1


@pytest.mark.parametrize("turn", [0, 3])
def test_a_report_in_any_turn_is_numpys_own(turn: int) -> None:
    fused = pyfuse.fuse(loop("z = x * 1\nfor i in range(n):\n    z = z * 0.5 + 1 / (z - dt)\nreturn z"))
    pole = np.float64(1.5)
    for _ in range(turn):
        pole = pole * 0.5 + 1 / (pole - 0.25)
    x = np.full(40, 1.5)
    with np.errstate(all="ignore"):
        fused(x, 6, 0.25)
    assert fused.cache_info().fused_calls == 1
    check(fused, x, 6, float(1.5 if turn == 0 else 0.25))
    if turn == 0:
        assert fused.fallback_reasons() == {"floating-point-report": 1}


# name: a body after which all elements, or some, are again what they were a few turns before.
RETURNING: dict[str, str] = {
    "every turn": "z = x * 0.5\nfor _ in range(n):\n    z = np.where(z > 0, -z, z)\nreturn z",
    "every second turn": "z = x * 0.5\nfor _ in range(n):\n    z = -z\nreturn z",
    "every third turn": "z = np.floor(x)\nfor _ in range(n):\n    z = np.where(z >= 2, 0 * z, z + 1)\nreturn z",
    "every eighth turn": "z = np.floor(np.abs(x))\nfor _ in range(n):\n    z = (z + 1) % 8\nreturn z",
    "after a while": "z = np.abs(x) + 1\nfor _ in range(n):\n    z = 0.5 * (z + 2 / z)\nreturn z",
    "some of them": (
        "z = x * 1\nc = np.zeros(x.shape, int)\nfor _ in range(n):\n    m = np.abs(z) < 3\n"
        "    z = np.where(m, z * 1.125, z)\n    c += m\nreturn z, c, m"
    ),
    "with a payload": "z = np.where(x > 0, np.nan, x)\nfor _ in range(n):\n    z = np.where(z < -1, z * 0.5, z)\nreturn z",
}


@pytest.mark.parametrize("kind", ["f8", "f4"])
@pytest.mark.parametrize("name", RETURNING)
def test_turns_that_change_nothing_are_not_missed(name: str, kind: str) -> None:
    """A loop whose state returns is cut short; the answer is that of all turns, the last ones included."""
    function = pyfuse.fuse(loop(RETURNING[name]))
    x = numbers(kind)
    x[:64] = x[0]  # a block of lanes that go together
    for turns in (*range(5, 30), 1001, 4096):
        check(function, x, turns, 0.5)
    info = function.cache_info()
    assert (info.kernels, info.fallback_calls) == (1, 0), function.fallback_reasons()


def test_turns_that_change_nothing_cost_nothing() -> None:
    """So many turns of these elements would take weeks."""
    function = pyfuse.fuse(loop(RETURNING["every second turn"]))
    x = numbers("f8")
    assert_equal(function(x, 10**15 + 1, 0.5), function.__wrapped__(x, 1001, 0.5))
    assert function.cache_info().fused_calls == 1


def test_what_only_a_report_needs_is_not_left_to_the_last_turn() -> None:
    """1 / z is infinite in the first turn only, and only the last is returned: NumPy warns, so it is unrolled."""
    fused = pyfuse.fuse(loop("z = x * 1\nw = x\nfor _ in range(n):\n    w = 1 / z\n    z = z + 1\nreturn w"))
    for turns in (1, 3, 12):
        check(fused, np.zeros(40), turns, 0.0)


@pytest.mark.parametrize("kind", ["i8", "i4", "u1", "b1", "f2", "c8"])
def test_other_types_are_right(kind: str) -> None:
    for name in ("two values", "where", "the index", "what was before", "masked stores", "a pair that swaps"):
        fused = pyfuse.fuse(loop(BODIES[name]))
        for turns in (1, 4):
            check(fused, numbers(kind, 70), turns, 0.25)


@pytest.mark.parametrize("order", ["fortran", "strided", "backwards", "broadcast", "transposed", "unaligned"])
@pytest.mark.parametrize("kind", ["f8", "c16"])
def test_arrays_that_lie_otherwise(order: str, kind: str) -> None:
    whole = numbers(kind, (6, 14))
    room = np.zeros(whole.nbytes + 1, "u1")
    unaligned: np.ndarray = np.ndarray(whole.shape, whole.dtype, room, 1)
    unaligned[...] = whole
    x = {
        "fortran": np.asfortranarray(whole), "strided": whole[:, ::2], "backwards": whole[::-1, ::-1],
        "broadcast": np.broadcast_to(whole[:1], whole.shape), "transposed": whole.T, "unaligned": unaligned,
    }[order]  # fmt: skip
    body = "z = np.zeros_like(x)\nw = x[:, :1] * 1\nfor _ in range(n):\n    z = z * w + x\n    w = w * dt\nreturn z, w"
    fused = pyfuse.fuse(loop(body))
    plain = loop(body)
    for turns in (1, 4, 30):
        assert_equal(fused(x, turns, 0.25), plain(x, turns, 0.25))


def test_mixed_orders_give_numpys_order_or_numpys_answer() -> None:
    fused = pyfuse.fuse(function_from(
        "def f(x, y, n):\n    z = np.zeros(x.shape)\n    for _ in range(n):\n        z = y + z * x\n    return z\n"
    ))  # fmt: skip
    x, y = numbers("f8", (6, 14)), np.asfortranarray(numbers("f8", (6, 14)))
    for turns in (1, 2, 3):
        actual, expected = fused(x, y, turns), fused.__wrapped__(x, y, turns)
        np.testing.assert_array_equal(actual, expected)
        assert actual.strides == expected.strides


UNROLLED: dict[str, str] = {
    "a break by the index": "z = x * 1\nfor i in range(n):\n    z = z * 0.5\n    if i == 2:\n        break\nreturn z",
    "a neighbour": "z = x * 1\nfor _ in range(n):\n    z = z + z[::-1]\nreturn z",
    "a sum in each turn": "z = x * 1\nfor _ in range(n):\n    z = z / z.sum()\nreturn z",
    "an item of a list": "w = [1.0, 2.0, 3.0, 4.0, 5.0]\nfor i in range(n):\n    x = x * w[i]\nreturn x",
    "a list grows": "w = []\nfor i in range(n):\n    w.append(x * i)\nreturn w",
    "a test of the index": "z = x * 1\nfor i in range(n):\n    z = z + (x if i % 2 else 1.5)\nreturn z",
    "another shape each turn": "z = x[:1]\nfor _ in range(n):\n    z = np.concatenate([z, z])\nreturn z",
}


@pytest.mark.parametrize("name", UNROLLED)
def test_what_is_not_elementwise_is_unrolled_as_before(name: str) -> None:
    fused = pyfuse.fuse(loop(UNROLLED[name]))
    for turns in (3, 4, 5, 3, 4, 5):
        x = numbers("f8", 37)
        given = [x.copy(), x.copy()]
        with np.errstate(all="ignore"):
            assert_equal(fused(given[0], turns, 0.25), fused.__wrapped__(given[1], turns, 0.25))
        assert_equal(*given)
    assert fused.cache_info().misses == 3, "one specialisation for each number of turns"
    assert fused.cache_info().fused_calls == 6, fused.fallback_reasons()


@pytest.mark.parametrize("overlap", ["none", "same", "shifted", "a view inside"])
def test_an_array_of_the_caller_that_others_share(overlap: str) -> None:
    body = "for _ in range(n):\n    x += dt * y\n    x *= 0.75\nreturn x"
    if overlap == "a view inside":
        body = body.replace("y", "x[::-1]")
    fused = pyfuse.fuse(function_from("def f(x, y, n, dt):\n" + "".join(f"    {line}\n" for line in body.split("\n"))))
    for turns in (4, 5, 1, 0):
        answers = []
        for function in (fused, fused.__wrapped__):
            whole = numbers("f8", 41)
            x, y = {"same": (whole, whole), "shifted": (whole[1:], whole[:-1])}.get(
                overlap, (whole, numbers("f8", 41) * 2)
            )
            answers.append((function(x, y, turns, 0.25).copy(), whole))
        assert_equal(*answers)
    if overlap == "none":
        assert (fused.cache_info().kernels, fused.cache_info().fused_calls) == (1, 3)


def test_a_store_through_a_closure_is_seen() -> None:
    text = (
        "def f(x, n):\n    acc = np.zeros_like(x)\n    def step():\n        for i in range(n):\n            acc[x > i] += 1\n"
        "    step()\n    return acc\n"
    )
    fused = pyfuse.fuse(function_from(text))
    x = numbers("f8", 37)
    for turns in (0, 2, 5):
        assert_equal(fused(x, turns), fused.__wrapped__(x, turns))
    assert "internal-error" not in fused.fallback_reasons()


def test_a_known_number_of_turns_is_unrolled_where_it_is_small() -> None:
    few = pyfuse.fuse(loop("z = x * 1\nfor _ in range(4):\n    z = z * 0.5 + 1\nreturn z"))
    many = pyfuse.fuse(loop("z = x * 1\nfor _ in range(400):\n    z = z * 0.5 + 1\nreturn z"))
    for fused in (few, many):
        check(fused, numbers("f8"), 0, 0.25)
        assert fused.cache_info().fused_calls == 1


def test_python_raises_for_a_division_by_zero_in_some_turn() -> None:
    fused = pyfuse.fuse(loop("s = x * 0.0\nfor k in range(n):\n    s = s + x * (1.0 / (k - 5))\nreturn s"))
    for turns in (3, 5, 6, 9):
        check(fused, numbers("f8", 37), turns, 0.0)
    assert fused.cache_info().misses == 1


@pytest.mark.parametrize(
    "body", ["s = s + x * (1.0 / (2 * i + 1))", "s = s + x / (i * i - 9)", "s = s + (i - 3) / (7 - i) * x"]
)
def test_arithmetic_with_a_moderate_index(body: str) -> None:
    fused = pyfuse.fuse(loop(f"s = x * 0.0\nfor i in range(n):\n    {body}\nreturn s"))
    for turns in (3, 4, 5, 12):
        check(fused, numbers("f8", 37), turns, 0.25)
    assert fused.cache_info().misses == 1


def test_an_index_that_is_not_moderate_is_looked_at() -> None:
    fused = pyfuse.fuse(loop("for i in range(n, n + 3):\n    x = x + dt * (i * i)\nreturn x"))
    for start in (5, 2**20, 2**31 - 2, 2**31, 2**40, -(2**40)):
        check(fused, numbers("f8", 37), start, 0.25)


def test_an_integer_that_becomes_long_is_pythons() -> None:
    fused = pyfuse.fuse(loop("f = 1\nfor k in range(1, n):\n    f = f * k\n    x = x + dt / f\nreturn x, f"))
    for turns in (3, 20, 40):
        check(fused, numbers("f8", 37), turns, 0.25)
    assert fused.cache_info().misses == 1


def test_an_index_that_does_not_fit_is_numpys() -> None:
    fused = pyfuse.fuse(
        loop("c = np.zeros(x.shape, np.int8)\nfor i in range(n):\n    c = np.where(x > i, i, c)\nreturn c")
    )
    for turns in (3, 127, 130, 200):
        check(fused, numbers("f8", 37) * 100, turns, 0.0)


def test_values_of_the_loop_used_as_python_numbers_afterwards() -> None:
    """What only the kernel knows cannot be an axis or an extent: the loop is unrolled then."""
    fused = pyfuse.fuse(loop("k = 0\nfor _ in range(n):\n    x = x * 0.5\n    k = k + 1\nreturn np.zeros(k) + 1, x"))
    for turns in (2, 5):
        check(fused, numbers("f8", 37), turns, 0.25)
    assert fused.cache_info().fused_calls == 2


@pytest.mark.parametrize(
    "body", ["z = z + w\n    del w", "w = z * 2\n    z = z * 0.5 + w\n    del w", "z = z * 0.5\n    if n > 3: del w"]
)
def test_a_name_that_is_deleted(body: str) -> None:
    fused = pyfuse.fuse(loop(f"z = x * 1\nw = x + 1\nfor _ in range(n):\n    {body}\nreturn z"))
    for turns in (0, 1, 2, 5):
        check(fused, numbers("f8", 37), turns, 0.25)


def test_threads_share_a_loop() -> None:
    fused = pyfuse.fuse(loop(BODIES["where"]))
    x = numbers("f8", 300_000)
    np.testing.assert_array_equal(fused(x, 9, 0.25), fused.__wrapped__(x, 9, 0.25))
    assert fused.cache_info().fused_calls == 1


def test_mandelbrot_counts_as_numpy_does() -> None:
    text = (
        "def f(c, n):\n    z = np.zeros_like(c)\n    count = np.zeros(c.shape, np.int32)\n    for _ in range(n):\n"
        "        inside = z.real * z.real + z.imag * z.imag <= 4.0\n        z = np.where(inside, z * z + c, z)\n"
        "        count += inside\n    return count\n"
    )
    fused = pyfuse.fuse(function_from(text))
    c = np.linspace(-2, 0.5, 50) + 1j * np.linspace(-1.2, 1.2, 40)[:, None]
    for turns in (3, 10, 1000):
        np.testing.assert_array_equal(fused(c, turns), fused.__wrapped__(c, turns))
    assert (fused.cache_info().kernels, fused.cache_info().misses) == (1, 1)


@pytest.mark.xfail(
    strict=True, reason="of loops in loops only the inner one is in the kernel: the outer one is unrolled"
)
def test_a_loop_in_a_loop_is_one_kernel_for_every_number_of_turns() -> None:
    body = "z = x * 1\nfor _ in range(n):\n    for j in range(n):\n        z = z * 0.5 + j\n    z = z + 1\nreturn z"
    fused = pyfuse.fuse(loop(body))
    for turns in (3, 4, 5):
        check(fused, numbers("f8"), turns, 0.25)
    assert fused.cache_info().kernels == 1


@pytest.mark.xfail(strict=True, reason="the shortcuts of powers (x ** 2 is a square) are chosen while tracing")
def test_a_power_by_the_index_is_one_kernel_for_every_number_of_turns() -> None:
    fused = pyfuse.fuse(loop("z = x * 1\nfor i in range(n):\n    z = z + x ** i\nreturn z"))
    for turns in (3, 4, 5):
        fused(numbers("f8"), turns, 0.25)
    assert fused.cache_info().kernels == 1

"""Does every form of Python function fuse, and get its arguments as Python would give them?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyfuse

pytestmark = pytest.mark.usefixtures("c_compiler")

A = np.linspace(-2.0, 2.0, 7)
B = np.linspace(1.0, 3.0, 7)


def assert_fused(function: Any, expected: np.ndarray, *args: Any, **kwargs: Any) -> None:
    """The call's result is exactly ``expected``, and a kernel computed it."""
    fused = getattr(function, "__func__", function)
    before = fused.cache_info()
    result = function(*args, **kwargs)
    after = fused.cache_info()
    assert result.dtype == expected.dtype
    assert result.tobytes() == expected.tobytes()
    assert (after.fused_calls - before.fused_calls, after.fallback_calls) == (1, before.fallback_calls), fused.explain()


@pyfuse.fuse
def bare(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a * b + a


@pyfuse.fuse()
def with_parentheses(a: np.ndarray) -> np.ndarray:
    return a + 1.0


@pyfuse.fuse(strict=True)
def strict(a: np.ndarray) -> np.ndarray:
    return a - 1.0


@pyfuse.fuse
def every_kind_of_parameter(
    a: np.ndarray, b: Any = 2.0, /, c: Any = 3.0, *rest: Any, d: Any = 4.0, **named: Any
) -> np.ndarray:
    total = a * b + c * d
    for item in rest:
        total = total + item
    for key in named:
        total = total - named[key]
    return total


def test_the_bare_decorator() -> None:
    assert_fused(bare, A * B + A, A, B)


def test_the_decorator_with_parentheses() -> None:
    assert_fused(with_parentheses, A + 1.0, A)


def test_the_decorator_with_options() -> None:
    assert_fused(strict, A - 1.0, A)


def test_fuse_as_a_function() -> None:
    def plain(a: np.ndarray) -> np.ndarray:
        return a * 3.0

    assert_fused(pyfuse.fuse(plain), A * 3.0, A)


def test_fusing_a_fused_function_fuses_the_original_once() -> None:
    again = pyfuse.fuse(bare)
    assert again.__wrapped__ is bare.__wrapped__
    assert_fused(again, A * B + A, A, B)


def test_a_closure_follows_its_cell() -> None:
    factor = 2.0

    @pyfuse.fuse
    def scaled(a: np.ndarray) -> np.ndarray:
        return a * factor

    assert_fused(scaled, A * 2.0, A)
    factor = 5.0
    assert_fused(scaled, A * 5.0, A)
    assert scaled.cache_info().misses == 2


def test_functions_made_by_one_factory_keep_their_own_cells() -> None:
    def power(exponent: int) -> Any:
        @pyfuse.fuse
        def raised(a: np.ndarray) -> np.ndarray:
            return a + exponent

        return raised

    assert_fused(power(2), A + 2, A)
    assert_fused(power(3), A + 3, A)


def test_a_lambda() -> None:
    assert_fused(pyfuse.fuse(lambda a, b: a / b), A / B, A, B)


def test_several_lambdas_on_one_line_are_told_apart() -> None:
    first, second, third = (
        pyfuse.fuse(lambda a: a + 1.0),
        pyfuse.fuse(lambda a: a + 2.0),
        pyfuse.fuse(lambda b: b * 2.0),
    )
    assert_fused(first, A + 1.0, A)
    assert_fused(second, A + 2.0, A)
    assert_fused(third, A * 2.0, A)


def test_lambdas_that_differ_in_an_operator_only_are_told_apart() -> None:
    pair = (pyfuse.fuse(lambda a: a + 1.0), pyfuse.fuse(lambda a: a - 1.0))
    assert_fused(pair[0], A + 1.0, A)
    assert_fused(pair[1], A - 1.0, A)


def test_a_lambda_over_several_lines() -> None:
    long = pyfuse.fuse(
        lambda a, b: (
            a * b
            - b
        )
    )  # fmt: skip
    assert_fused(long, A * B - B, A, B)


class Scaler:
    """Methods of every kind."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    @pyfuse.fuse
    def method(self, a: np.ndarray, shift: float = 0.5) -> np.ndarray:
        return a * self.factor + shift

    @staticmethod
    @pyfuse.fuse
    def inner_static(a: np.ndarray) -> np.ndarray:
        return a * 4.0

    @pyfuse.fuse
    @staticmethod
    def outer_static(a: np.ndarray) -> np.ndarray:
        return a * 5.0

    @classmethod
    @pyfuse.fuse
    def inner_class(cls, a: np.ndarray) -> np.ndarray:
        return a * cls.scale

    @pyfuse.fuse
    @classmethod
    def outer_class(cls, a: np.ndarray) -> np.ndarray:
        return a - cls.scale

    scale = 6.0


def test_a_method_of_two_objects_shares_one_kernel() -> None:
    Scaler.method.cache_clear()
    assert_fused(Scaler(2.0).method, A * 2.0 + 0.5, A)
    assert_fused(Scaler(3.0).method, A * 3.0 + 1.5, A, shift=1.5)
    assert Scaler.method.cache_info().kernels == 1


def test_a_method_called_through_its_class() -> None:
    assert_fused(Scaler.method, A * 2.0 + 0.5, Scaler(2.0), A)


@pytest.mark.parametrize("owner", [Scaler, Scaler(1.0)], ids=["class", "instance"])
def test_static_and_class_methods_in_both_decorator_orders(owner: Any) -> None:
    assert_fused(owner.inner_static, A * 4.0, A)
    assert_fused(owner.outer_static, A * 5.0, A)
    assert_fused(owner.inner_class, A * 6.0, A)
    assert_fused(owner.outer_class, A - 6.0, A)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((A,), {}),
        ((A, 5.0), {}),
        ((A, 5.0, 6.0), {}),
        ((A, 5.0, 6.0, B, 1.0), {}),
        ((A,), {"c": 7.0}),
        ((A,), {"d": 8.0}),
        ((A, B), {"d": B, "c": A}),
        ((A, 1.0, 2.0, 3.0), {"d": 4.0, "e": B, "f": 2.0}),
        ((A,), {"a": B, "b": 1.0}),
    ],
)
def test_arguments_reach_their_parameters_as_in_python(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    assert_fused(every_kind_of_parameter, every_kind_of_parameter.__wrapped__(*args, **kwargs), *args, **kwargs)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((A, B, A), {}), ((A,), {"unknown": 1}), ((A,), {"a": B}), ((A, B), {"b": B})],
)
def test_arguments_that_do_not_match_raise_pythons_own_error(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    with pytest.raises(TypeError) as original:
        bare.__wrapped__(*args, **kwargs)
    with pytest.raises(TypeError) as fused:
        bare(*args, **kwargs)
    assert str(fused.value) == str(original.value)


def test_a_changed_default_is_used() -> None:
    def shifted(a: np.ndarray, by: float = 1.0, *, down: float = 0.0) -> np.ndarray:
        return a + by - down

    fused = pyfuse.fuse(shifted)
    assert_fused(fused, A + 1.0 - 0.0, A)
    shifted.__defaults__ = (2.0,)
    shifted.__kwdefaults__ = {"down": 3.0}
    assert_fused(fused, A + 2.0 - 3.0, A)
    assert fused.cache_info().kernels == 1


def test_changed_code_is_used() -> None:
    def add(a: np.ndarray) -> np.ndarray:
        return a + 1.0

    def subtract(a: np.ndarray) -> np.ndarray:
        return a - 1.0

    fused = pyfuse.fuse(add)
    assert_fused(fused, A + 1.0, A)
    add.__code__ = subtract.__code__
    assert (fused(A) == A - 1.0).all()


@pytest.mark.parametrize("thing", [3, "text", None, A], ids=["number", "text", "None", "array"])
def test_what_is_no_function_is_refused(thing: Any) -> None:
    if thing is None:
        assert callable(pyfuse.fuse(None))
        return
    with pytest.raises(TypeError, match="takes a function"):
        pyfuse.fuse(thing)


def test_a_class_is_refused() -> None:
    with pytest.raises(TypeError, match="not the class 'Scaler'"):
        pyfuse.fuse(Scaler)


@pytest.mark.parametrize("thing", [np.sin, len, Scaler(1.0).method], ids=["ufunc", "builtin", "bound method"])
def test_a_callable_without_python_source_runs_as_it_is(thing: Any) -> None:
    fused = pyfuse.fuse(thing)
    if thing is np.sin:
        assert (fused(A) == np.sin(A)).all()
        assert fused.fallback_reasons() == {"no-source": 1}
    assert "runs as ordinary Python" in fused.explain()

"""Expressions as C text: numbers, operations, casts (shared by the C and the CUDA generator)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from pyfuse.backend.c_library.library import functions
from pyfuse.diagnostics import Code, refuse
from pyfuse.graph.nodes import Number, code_of, is_bfloat16
from pyfuse.graph.ops import Operation, by_name
from pyfuse.records import dataclass

HALF = np.dtype("f2")
SINGLE = np.dtype("f4")


@dataclass(frozen=True, kw_only=True)
class Expression:
    """C text that computes one application of an operation.

    Attributes:
        text: the expression of the first result.
        calls: names of C library functions in it.
        second: C type and variable placeholder of the second result, where the operation has one; the text then has
            ``&{second}``.
    """

    text: str
    calls: tuple[str, ...] = ()
    second: str | None = None


def as_bits(value: str, dtype: np.dtype, calls: set[str]) -> str:
    """A value, or a part of a complex one, as a whole number.

    Args:
        value: its text.
        dtype: of all of it.
        calls: gets the library function that is called.
    """
    size = dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize
    if dtype.kind not in "fc" or size == 2:  # a float16 or bfloat16 is held as its bits
        return value
    function = f"pf_bits_f{size}"
    calls.add(function)
    return f"{function}({value})"


def c_type(dtype: np.dtype) -> str:
    """The C type of an element."""
    return f"pf_{code_of(dtype)}"


def literal(value: Number, dtype: np.dtype) -> str:
    """A number as C text that means exactly ``dtype.type(value)``."""
    match dtype.kind:
        case "b":
            return "1" if value else "0"
        case "i" | "u":
            assert not isinstance(value, complex)
            return _integer_literal(int(value), dtype)
        case "V" if is_bfloat16(dtype):
            assert not isinstance(value, complex)
            return f"0x{int(np.array(value, dtype).view(np.uint16)):04x}"
        case "f" if dtype == HALF:
            assert not isinstance(value, complex)
            return f"0x{np.float16(value).view(np.uint16):04x}"
        case "f":
            assert not isinstance(value, complex)
            return _float_literal(float(dtype.type(value)), dtype)
        case "c":
            number = dtype.type(value)
            part = np.dtype(f"f{dtype.itemsize // 2}")
            parts = ", ".join(_float_literal(float(value), part) for value in (number.real, number.imag))
            return f"({c_type(dtype)}){{{parts}}}"
        case _:
            raise AssertionError(f"no literal of {dtype}")


def application(
    operation_name: str, operands: Sequence[str], dtypes: Sequence[np.dtype], result_dtype: np.dtype
) -> Expression:
    """An operation of the table on C expressions.

    Args:
        operation_name: in the operation table.
        operands: C text of each operand: a variable or a literal.
        dtypes: their dtypes, those of NumPy's loop.
        result_dtype: of the first result.

    Raises:
        CannotFuse: there is neither an expression nor a C library function for these dtypes.
    """
    if operation_name == "cast":
        return cast(operands[0], dtypes[0], result_dtype)
    operation = by_name(operation_name)
    if operation_name in ("select", "replay_if"):
        return _call(f"pf_{operation_name}_{code_of(result_dtype)}", operands)
    if any(map(is_bfloat16, (*dtypes, result_dtype))):
        return _bfloat16(operation, operands, dtypes, result_dtype)
    if dtypes[0] == HALF or (result_dtype == HALF and len(dtypes) > 1):
        return _half(operation, operands, dtypes, result_dtype)
    return _native(operation, operands, dtypes, result_dtype)


# A zero that the compiler cannot see, declared by kernels that use it. Added to an integer that becomes floating, it
# keeps gcc from knowing the few values that the integer can have, computing with each while compiling, and losing the
# floating-point errors of that (b / b for a boolean b).
HIDDEN_ZERO = "hidden_zero"


def cast(operand: str, source: np.dtype, target: np.dtype) -> Expression:
    """``operand`` converted as ``astype`` converts."""
    if source == target:
        return Expression(text=operand)
    if SINGLE not in (source, target) and (is_bfloat16(source) or is_bfloat16(target)):  # by way of float32
        single = cast(operand, source, SINGLE)
        there = cast(f"({single.text})", SINGLE, target)
        return Expression(text=there.text, calls=single.calls + there.calls)
    if target.kind in "fc" and source.kind in "biu":
        given = np.dtype("i4") if source.kind == "b" else source
        name = f"pf_cast_{code_of(target)}_{code_of(given)}"
        return _call(name, [f"({c_type(given)})({operand} + {HIDDEN_ZERO})"])
    if target.kind in "iu" and source.kind in "biu":
        return Expression(text=f"({c_type(target)}){operand}")
    if target.kind == "f" and source.kind == "f" and HALF not in (source, target):
        return Expression(text=f"({c_type(target)}){operand}")
    return _call(f"pf_cast_{code_of(target)}_{code_of(source)}", [operand])


# Tests whose result no integer decides: the compiler would leave the integer out, and what NumPy reports of it.
_KNOWN_OF_INTEGERS = frozenset({"isnan", "isinf", "isfinite"})


def _native(
    operation: Operation, operands: Sequence[str], dtypes: Sequence[np.dtype], result_dtype: np.dtype
) -> Expression:
    kind = dtypes[0].kind
    if kind in operation.c_text and len({code_of(dtype) for dtype in dtypes}) == 1:
        suffix = "f" if dtypes[0] == SINGLE else ""
        return Expression(text=operation.c_text[kind].format(*operands, T=c_type(result_dtype), f=suffix))
    if kind in "biu" and operation.name in _KNOWN_OF_INTEGERS:
        operands = [f"({operands[0]} & {HIDDEN_ZERO})"]
    name = function_name(operation.name, dtypes)
    if name not in functions():
        names = ", ".join(str(dtype) for dtype in dtypes)
        raise refuse(Code.UNSUPPORTED_OPERATION, f"'{operation.name}' of {names} stays with NumPy")
    return _call(name, operands, result_count=operation.result_count)


# Operations whose complex loops in NumPy use fused multiply-adds where the CPU has them.
_FUSED_IN_NUMPY = frozenset({"multiply", "square", "absolute"})


@cache
def numpy_fuses_complex_products() -> bool:
    """Whether NumPy's complex multiply rounds once or twice here: kernels must do the same, so NumPy is asked.

    (1 + 2**-30 + 1j)**2 has the real part 2**-29 + 2**-60; rounding the square of 1 + 2**-30 first loses 2**-60.
    """
    numbers = np.full(16, complex(1 + 2.0**-30, 1))
    return bool((numbers * numbers)[0].real != 2.0**-29)


@cache
def numpy_steps_between_zeros() -> bool:
    """Whether NumPy's float16 nextafter goes from 0.0 to -0.0 where it is asked to (since 2.5)."""
    return bool(np.signbit(np.nextafter(np.array([0.0], "f2"), np.array([-0.0], "f2")))[0])


def function_name(operation_name: str, dtypes: Sequence[np.dtype]) -> str:
    """The C library's name for an operation on operands of these dtypes."""
    codes = [code_of(dtype) for dtype in dtypes]
    if operation_name in _FUSED_IN_NUMPY and dtypes[0].kind == "c" and not numpy_fuses_complex_products():
        operation_name = f"{operation_name}_unfused"
    if operation_name in ("fmax", "fmin") and code_of(dtypes[0]) in ("f4", "f8"):
        operation_name = f"{operation_name}_asking"
    if operation_name == "nextafter" and dtypes[0] == HALF and numpy_steps_between_zeros():
        operation_name = "nextafter_signed"
    return f"pf_{operation_name}_{codes[0] if len(set(codes)) == 1 else ''.join(codes)}"


def _half(
    operation: Operation, operands: Sequence[str], dtypes: Sequence[np.dtype], result_dtype: np.dtype
) -> Expression:
    """Float16: a function of its own, or float32 and rounding after every operation, as NumPy's half loops do."""
    if "e" in operation.c_text:
        return Expression(text=operation.c_text["e"].format(*operands))
    own_name = function_name(operation.name, dtypes)
    if own_name in functions():
        return _call(own_name, operands, result_count=operation.result_count)
    widened = [
        cast(text, dtype, SINGLE) if dtype == HALF else Expression(text=text)
        for text, dtype in zip(operands, dtypes, strict=True)
    ]
    wide_dtypes = [SINGLE if dtype == HALF else dtype for dtype in dtypes]
    wide_result = SINGLE if result_dtype == HALF else result_dtype
    inner = _native(operation, [expression.text for expression in widened], wide_dtypes, wide_result)
    if inner.second is not None:
        raise refuse(Code.UNSUPPORTED_OPERATION, f"'{operation.name}' of float16 stays with NumPy")
    calls = tuple(call for expression in [*widened, inner] for call in expression.calls)
    if result_dtype != HALF:
        return Expression(text=inner.text, calls=calls)
    narrowed = cast(f"({inner.text})", SINGLE, HALF)
    return Expression(text=narrowed.text, calls=calls + narrowed.calls)


def _bfloat16(
    operation: Operation, operands: Sequence[str], dtypes: Sequence[np.dtype], result_dtype: np.dtype
) -> Expression:
    """Bfloat16: float32, rounded after every operation, as the loops of ml_dtypes do."""
    if operation.name in ("contiguous", "contiguous_either"):
        return Expression(text=operands[0])
    names = {code_of(dtype) for dtype in dtypes}
    if names != {"bf2"} or not operation.is_float32_in_bfloat16 or operation.result_count > 1:
        raise refuse(Code.UNSUPPORTED_OPERATION, f"'{operation.name}' of bfloat16 stays with NumPy")
    widened = [cast(text, dtype, SINGLE) for text, dtype in zip(operands, dtypes, strict=True)]
    wide_result = SINGLE if is_bfloat16(result_dtype) else result_dtype
    inner = _native(operation, [expression.text for expression in widened], [SINGLE] * len(dtypes), wide_result)
    calls = tuple(call for expression in [*widened, inner] for call in expression.calls)
    if not is_bfloat16(result_dtype):
        return Expression(text=inner.text, calls=calls)
    narrowed = cast(f"({inner.text})", SINGLE, result_dtype)
    return Expression(text=narrowed.text, calls=calls + narrowed.calls)


def _call(name: str, operands: Sequence[str], result_count: int = 1) -> Expression:
    function = functions().get(name)
    if function is None:
        raise refuse(
            Code.UNSUPPORTED_OPERATION, f"there is no kernel text for '{name.removeprefix('pf_')}'; it stays with NumPy"
        )
    arguments = list(operands)
    if result_count > 1:
        arguments.append("&{second}")
    if function.takes_status:
        arguments.append("&status")
    if function.takes_careful:
        arguments.append("careful")
    return Expression(
        text=f"{name}({', '.join(arguments)})", calls=(name,), second="{second}" if result_count > 1 else None
    )


def _integer_literal(value: int, dtype: np.dtype) -> str:
    suffix = {"i8": "LL", "u8": "ULL", "u4": "U"}.get(code_of(dtype), "")
    if dtype.kind == "i" and value == np.iinfo(dtype).min and dtype.itemsize >= 4:
        return f"(-{-(value + 1)}{suffix} - 1)"
    return f"({value}{suffix})" if value < 0 else f"{value}{suffix}"


def _float_literal(value: float, dtype: np.dtype) -> str:
    suffix = "f" if dtype == SINGLE else ""
    if math.isnan(value):
        return f'__builtin_nan{suffix}("")'
    if math.isinf(value):
        return f"({'-' if value < 0 else ''}__builtin_inf{suffix}())"
    text = f"{value.hex()}{suffix}"
    return f"({text})" if text.startswith("-") else text

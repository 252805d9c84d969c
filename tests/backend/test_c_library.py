"""The C library against NumPy: bit for bit, flag for flag, one test per function and loop.

Every function runs in the vector body and in the scalar tail of a loop compiled with the kernels' flags, and NumPy's
ufunc (or cast) runs on the same elements. A NaN equals any NaN; signalling NaNs are left out.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import cffi
import numpy as np
import pytest

from pyfuse.backend.c_library import library
from pyfuse.backend.cpu.toolchain import BASE_FLAGS

COMPILER = shutil.which("gcc") or shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")

FLAGS = [*BASE_FLAGS, "-march=native", "-fno-tree-slp-vectorize"]  # those of kernels, on a compiler that takes them
DIVIDE, OVERFLOW, UNDERFLOW, INVALID, REPLAY, CAREFUL = 1, 2, 4, 8, 16, 32
NUMPY_FLAGS = {"divide by zero": DIVIDE, "overflow": OVERFLOW, "underflow": UNDERFLOW, "invalid value": INVALID}
COPIES = 37  # of each element: enough for a vector body and a tail with every type

SIGNED, UNSIGNED = ("i1", "i2", "i4", "i8"), ("u1", "u2", "u4", "u8")
INTEGERS, FLOATS, COMPLEX = SIGNED + UNSIGNED, ("f4", "f8"), ("c8", "c16")
CODES = ("b1", *INTEGERS, "f2", *FLOATS, *COMPLEX)
PART = {"c8": "f4", "c16": "f8"}

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One function of the library and the NumPy operation that it stands for.

    Attributes:
        name: what the test is called, and the loop in C.
        family: the shared library that it is compiled into.
        inputs: dtype codes of the operands.
        outputs: dtype codes of the results.
        expression: C expression of the first result, in a[i], b[i], s[i] (the second result), status and careful.
        needs: functions of the library that the expression calls.
        reference: the NumPy operation.
        replay: marks the elements that must be left to NumPy (its answer depends on the loop, or is an exception).
        spare: flags that may be raised without NumPy raising them.
    """

    name: str
    family: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    expression: str
    needs: tuple[str, ...]
    reference: Callable[..., Any]
    replay: Callable[..., np.ndarray] | None = None
    spare: int = 0


def call(function: str, *arguments: str) -> str:
    """A call that passes the parameters which the function really takes."""
    description = library.functions().get(function)
    status = ["&status"] if description and description.takes_status else []
    careful = ["careful"] if description and description.takes_careful else []
    return f"{function}({', '.join([*arguments, *status, *careful])})"


def operation(
    name: str,
    code: str,
    *,
    family: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...] | None = None,
    function: str | None = None,
    **options: Any,
) -> Case:
    """A ufunc, tested directly."""
    function = function or f"pf_{name}_{code}"
    outputs = outputs or (inputs[0],)
    arguments = ["a[i]", "b[i]"][: len(inputs)] + (["&s[i]"] if len(outputs) == 2 else [])
    return Case(
        name=function.removeprefix("pf_"),
        family=family,
        inputs=inputs,
        outputs=outputs,
        expression=call(function, *arguments),
        needs=(function,),
        reference=getattr(np, name),
        **options,
    )


def half_operation(name: str, count: int, *, second: str | None = None, result: str = "f2") -> Case:
    """A half ufunc as the generator emits it: operands to float, the float function, the result back to half."""
    function = f"pf_{name}_f4" + (second or "")
    arguments = ["pf_cast_f4_f2(a[i])", f"{'b[i]' if second else 'pf_cast_f4_f2(b[i])'}"][:count]
    outputs: tuple[str, ...] = (result,)
    expression = "pf_cast_f2_f4({}, &status)"
    if name in ("modf", "divmod"):
        outputs = ("f2", "f2")
        expression = "({{ pf_f4 second; pf_f2 first = pf_cast_f2_f4({}, &status); "
        expression += "s[i] = pf_cast_f2_f4(second, &status); first; }})"
        arguments.append("&second")
    elif name == "frexp":
        outputs = ("f2", "i4")
        arguments.append("&s[i]")
    return Case(
        name=f"{name}_f2{second or ''}_through_f4",
        family="half",
        inputs=("f2", second or "f2")[:count],
        outputs=outputs,
        expression=expression.format(call(function, *arguments)),
        needs=(function, "pf_cast_f4_f2", "pf_cast_f2_f4"),
        reference=getattr(np, name),
    )


def unfused(name: str, code: str, **options: Any) -> Case:
    """What NumPy computes without fused multiply-add, against the formula in separate NumPy operations."""

    def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        result = np.empty_like(a)
        result.real = a.real * b.real - a.imag * b.imag
        result.imag = a.real * b.imag + a.imag * b.real
        return result

    def absolute(a: np.ndarray) -> np.ndarray:
        real, imaginary = np.abs(a.real), np.abs(a.imag)
        large, small = np.maximum(real, imaginary), np.minimum(real, imaginary)
        with np.errstate(all="ignore"):
            ratio = np.where(large == 0, np.zeros_like(large), small / large)
            result = np.sqrt(ratio * ratio + 1) * large
        return np.where(np.isinf(a), large.dtype.type(np.inf), result)

    references = {"multiply": multiply, "square": lambda a: multiply(a, a), "absolute": absolute}
    inputs = (code, code) if name == "multiply" else (code,)
    case = operation(name, code, family="complex", inputs=inputs, function=f"pf_{name}_unfused_{code}", **options)
    return replace(case, reference=references[name])


def cast(target: str, source: str) -> Case:
    """A cast; where NumPy's own loops disagree (floats to uint32), the elements in question must be left to it."""
    function = f"pf_cast_{target}_{source}"
    undecided = None
    if target == "u4" and source in (*FLOATS, *COMPLEX):
        undecided = lambda a: ~((np.trunc(a.real) >= -(2.0**31)) & (np.trunc(a.real) < 2.0**32))  # noqa: E731  None, or a test of elements
    return Case(
        name=function.removeprefix("pf_"),
        family="casts",
        inputs=(source,),
        outputs=(target,),
        expression=call(function, "a[i]"),
        needs=(function,),
        reference=lambda array: array.astype(target),
        replay=undecided,
    )


def integer_cases() -> Iterator[Case]:
    unary = [
        "negative",
        "positive",
        "absolute",
        "sign",
        "square",
        "reciprocal",
        "invert",
        "floor",
        "ceil",
        "trunc",
        "conjugate",
    ]
    binary = [
        "add",
        "subtract",
        "multiply",
        "floor_divide",
        "remainder",
        "fmod",
        "power",
        "left_shift",
        "right_shift",
        "gcd",
        "lcm",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
        "maximum",
        "minimum",
        "fmax",
        "fmin",
    ]
    for code in INTEGERS:
        for name in unary:
            yield operation(name, code, family="integer", inputs=(code,))
        for name in binary:
            replay = (lambda _, b: b < 0) if name == "power" and code in SIGNED else None
            yield operation(name, code, family="integer", inputs=(code, code), replay=replay)
        yield operation("divmod", code, family="integer", inputs=(code, code), outputs=(code, code))
        yield operation("bitwise_count", code, family="integer", inputs=(code,), outputs=("u1",))
    for name in ["invert", "absolute", "floor", "ceil", "trunc"]:
        yield operation(name, "b1", family="integer", inputs=("b1",))
    for name in ["add", "multiply", "maximum", "minimum", "fmax", "fmin", "bitwise_and", "bitwise_or", "bitwise_xor"]:
        yield operation(name, "b1", family="integer", inputs=("b1", "b1"))


def comparison_cases() -> Iterator[Case]:
    order = ["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]
    for code in CODES:
        family = "comparison" if code not in COMPLEX else "complex"
        for name in [*order, "logical_and", "logical_or", "logical_xor"]:
            yield operation(name, code, family=family, inputs=(code, code), outputs=("b1",))
        yield operation("logical_not", code, family=family, inputs=(code,), outputs=("b1",))
        for name in ["isnan", "isinf", "isfinite"]:
            case = operation(name, code, family=family, inputs=(code,), outputs=("b1",))
            if np.dtype(code).kind in "biu":  # called with a zero that the compiler does not know (c_text.py)
                case = replace(case, expression=case.expression.replace("a[i]", "a[i] & 0"))
            yield case
        if code.startswith("f"):
            yield operation("signbit", code, family=family, inputs=(code,), outputs=("b1",))
    for codes, name in itertools.product([("i8", "u8"), ("u8", "i8")], order):
        yield operation(name, "".join(codes), family="comparison", inputs=codes, outputs=("b1",))


def floating_cases() -> Iterator[Case]:
    unary = [
        "negative",
        "positive",
        "conjugate",
        "absolute",
        "fabs",
        "sign",
        "square",
        "reciprocal",
        "rint",
        "floor",
        "ceil",
        "trunc",
        "sqrt",
        "spacing",
        "degrees",
        "rad2deg",
        "radians",
        "deg2rad",
    ]
    binary = [
        "add",
        "subtract",
        "multiply",
        "divide",
        "floor_divide",
        "remainder",
        "fmod",
        "copysign",
        "nextafter",
        "heaviside",
        "maximum",
        "minimum",
        "fmax",
        "fmin",
        "logaddexp",
        "logaddexp2",
    ]
    for code in FLOATS:
        for name in unary:
            yield operation(name, code, family="floating", inputs=(code,))
        for name in binary:
            yield operation(name, code, family="floating", inputs=(code, code))
        yield operation("divmod", code, family="floating", inputs=(code, code), outputs=(code, code))
        yield operation("modf", code, family="floating", inputs=(code,), outputs=(code, code))
        yield operation("frexp", code, family="floating", inputs=(code,), outputs=(code, "i4"))
        for second in ("i4", "i8"):
            yield operation("ldexp", code + second, family="floating", inputs=(code, second))


def half_cases() -> Iterator[Case]:
    for name in ["negative", "positive", "conjugate", "absolute", "fabs", "sign", "spacing"]:
        yield operation(name, "f2", family="half", inputs=("f2",))
    for name in ["copysign", "nextafter", "heaviside", "maximum", "minimum", "fmax", "fmin"]:
        yield operation(name, "f2", family="half", inputs=("f2", "f2"))
    for name in [
        "square",
        "sqrt",
        "reciprocal",
        "rint",
        "floor",
        "ceil",
        "trunc",
        "degrees",
        "rad2deg",
        "radians",
        "deg2rad",
        "modf",
        "frexp",
    ]:
        yield half_operation(name, 1)
    for name in ["add", "subtract", "multiply", "divide", "floor_divide", "remainder", "fmod", "divmod", "logaddexp2"]:
        yield half_operation(name, 2)
    for second in ("i4", "i8"):
        yield half_operation("ldexp", 2, second=second)


def complex_cases() -> Iterator[Case]:
    unary = [
        "negative",
        "positive",
        "conjugate",
        "square",
        "reciprocal",
        "sign",
        "rint",
        "sqrt",
        "exp",
        "exp2",
        "log",
        "log2",
        "log10",
        "expm1",
        "log1p",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "arcsin",
        "arccos",
        "arctan",
        "arcsinh",
        "arccosh",
        "arctanh",
    ]
    for code in COMPLEX:
        for name in unary:
            yield operation(name, code, family="complex", inputs=(code,))
        for name in ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "fmax", "fmin"]:
            yield operation(name, code, family="complex", inputs=(code, code))
        for name in ("multiply", "square"):
            yield unfused(name, code)
        # NumPy clears the flags here; only the last multiplication's overflow or underflow can be left of ours
        yield operation(
            "absolute", code, family="complex", inputs=(code,), outputs=(PART[code],), spare=OVERFLOW | UNDERFLOW
        )
        yield unfused("absolute", code, outputs=(PART[code],), spare=OVERFLOW | UNDERFLOW)
    yield operation("float_power", "c16", family="complex", inputs=("c16", "c16"))


def cast_cases() -> Iterator[Case]:
    for target, source in itertools.product(CODES, CODES):
        if target != source:
            yield cast(target, source)


CASES = [
    *integer_cases(),
    *comparison_cases(),
    *floating_cases(),
    *half_cases(),
    *complex_cases(),
    *cast_cases(),
]

# Clears the hardware's flags, runs a loop over copies of one element, and reads them.
DRIVER = """
typedef void pf_loop(const void *, const void *, void *, void *, long, unsigned *, int);
static unsigned pf_run(pf_loop *loop, const char *a, const char *b, char *r, char *s, long n, int careful)
{
    unsigned status = 0, control = 0x1f80, after;
    __asm__ volatile("ldmxcsr %0" : : "m"(control) : "memory");
    loop(a, b, r, s, n, &status, careful);
    __asm__ volatile("stmxcsr %0" : "=m"(after) : : "memory");
    return status | (after & 4 ? 1 : 0) | (after & 8 ? 2 : 0) | (after & 16 ? 4 : 0) | (after & 1 ? 8 : 0);
}
unsigned pf_run_once(pf_loop *loop, const char *a, const char *b, char *r, char *s, long n)
{
    return pf_run(loop, a, b, r, s, n, 0);
}
void pf_run_each(pf_loop *loop, const char *a, long a_size, const char *b, long b_size, char *r, char *s, char *r_tail,
                 char *s_tail, long r_size, long s_size, long n, unsigned *flags)
{
    char first[16 * COPIES], second[16 * COPIES], result[16 * COPIES], other[16 * COPIES];
    for (long i = 0; i < n; i++) {
        for (long k = 0; k < COPIES; k++) {
            __builtin_memcpy(first + k * a_size, a + i * a_size, a_size);
            __builtin_memcpy(second + k * b_size, b + i * b_size, b_size);
        }
        flags[i] = pf_run(loop, first, second, result, other, COPIES, 0);
        if (flags[i] & 32)
            flags[i] = pf_run(loop, first, second, result, other, COPIES, 1) | 32;
        __builtin_memcpy(r + i * r_size, result, r_size);
        __builtin_memcpy(s + i * s_size, other, s_size);
        __builtin_memcpy(r_tail + i * r_size, result + (COPIES - 1) * r_size, r_size);
        __builtin_memcpy(s_tail + i * s_size, other + (COPIES - 1) * s_size, s_size);
    }
}
""".replace("COPIES", str(COPIES))

DECLARATIONS = """
unsigned pf_run_once(void *, void *, void *, void *, void *, long);
void pf_run_each(void *, void *, long, void *, long, void *, void *, void *, void *, long, long, long, unsigned *);
"""


def loop_text(case: Case) -> str:
    first, second = case.inputs[0], case.inputs[-1]
    result, other = case.outputs[0], case.outputs[-1]
    loops = [f"for (long i = 0; i < n; i++) r[i] = {case.expression};"]
    if "careful" in case.expression:
        loops = ["const int careful = 0;", *loops]
        again = f"const int careful = 1; for (long i = 0; i < n; i++) r[i] = {case.expression};"
        loops = [f"if (careful_run) {{ {again} }} else {{", *loops, "}"]
    return (
        f"void test_{case.name}(const pf_{first} *restrict a, const pf_{second} *restrict b, pf_{result} *restrict r,"
        f" pf_{other} *restrict s, long n, unsigned *flags, int careful_run)\n{{\n"
        f"    unsigned status = 0;\n    {' '.join(loops)}\n    *flags |= status;\n}}\n"
    )


def build(family: str, directory: Path) -> tuple[cffi.FFI, Any]:
    assert COMPILER is not None
    cases = [case for case in CASES if case.family == family]
    missing = {name for case in cases for name in case.needs} - set(library.functions())
    present = [case for case in cases if not missing.intersection(case.needs)]
    functions = library.closure(name for case in present for name in case.needs)
    text = [library.prelude(), *(function.text for function in functions), *map(loop_text, present), DRIVER]
    source, target = directory / f"{family}.c", directory / f"{family}.so"
    source.write_text("\n".join(text), encoding="utf-8")
    command = [COMPILER, *FLAGS, "-o", str(target), str(source), "-lm"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ffi = cffi.FFI()
    loops = "".join(
        f"void test_{case.name}(void *, void *, void *, void *, long, unsigned *, int);\n" for case in present
    )
    ffi.cdef(DECLARATIONS + loops)
    return ffi, ffi.dlopen(str(target))


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[cffi.FFI, Any]]:
    directory = tmp_path_factory.mktemp("c_library")
    families = list(dict.fromkeys(case.family for case in CASES))
    with ThreadPoolExecutor() as pool:
        return dict(zip(families, pool.map(lambda family: build(family, directory), families), strict=True))


@cache
def specials(code: str) -> np.ndarray:
    """The values that are paired with each other."""
    dtype = np.dtype(code)
    if code == "b1":
        return np.array([False, True])
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        near = [
            -128,
            -127,
            -64,
            -33,
            -32,
            -10,
            -9,
            -8,
            -7,
            -3,
            -2,
            -1,
            0,
            1,
            2,
            3,
            5,
            7,
            8,
            9,
            10,
            15,
            16,
            31,
            32,
            63,
            64,
        ]
        edges = [limits.min, limits.min + 1, limits.max // 2, limits.max // 2 + 1, limits.max - 1, limits.max]
        return np.array(sorted({value for value in near + edges if limits.min <= value <= limits.max}), dtype)
    if dtype.kind == "f":
        limits = np.finfo(dtype)
        # fmt: off
        sizes = [
            0, limits.smallest_subnormal, 3 * limits.smallest_subnormal, limits.tiny / 2, limits.tiny, limits.max,
            np.nextafter(limits.tiny, dtype.type(0)), np.inf, np.nan, 0.1, 0.5, 1, 1.5, 2, 2.5, 3, 7, 100.75, 255.5,
            2000, 1 + limits.eps, limits.max / 2, 1 / limits.eps, 2 / limits.eps + 2,
        ]
        # fmt: on
        return np.array([[size, -size] for size in np.array(sizes).astype(dtype)], dtype).ravel()
    part = PART[code]
    limits = np.finfo(part)
    sizes = [0, 1, 2.5, 0.3, np.inf, np.nan, limits.max, limits.tiny, limits.smallest_subnormal]
    parts = np.array([[size, -size] for size in sizes], part).ravel()
    grid = np.empty((len(parts), len(parts)), dtype)
    grid.real, grid.imag = parts[:, None], parts
    return grid.ravel()


def random_values(code: str, count: int, random: np.random.Generator) -> np.ndarray:
    """Half of them any bits, half of them of ordinary size."""
    dtype = np.dtype(code)
    if code == "b1":
        return random.integers(0, 2, count).astype(bool)
    if dtype.kind in "iu":
        bits = random.integers(0, 256, count * dtype.itemsize, np.uint8).view(dtype)
        small = random.integers(0 if dtype.kind == "u" else -12, 100, count).astype(dtype)
        return np.where(random.random(count) < 0.5, bits, small)
    part = np.dtype(PART.get(code, code))
    count *= dtype.itemsize // part.itemsize
    bits = random.integers(0, 256, count * part.itemsize, np.uint8).view(part)
    with np.errstate(all="ignore"):
        bits = np.where(np.isnan(bits), part.type(np.nan), bits)
        ordinary = (random.normal(size=count) * 2.0 ** random.integers(-12, 12, count)).astype(part)
        whole = random.integers(-50, 50, count).astype(part)
    kind = random.random(count)
    return np.where(kind < 0.3, bits, np.where(kind < 0.8, ordinary, whole)).view(dtype)


@cache
def operands(codes: tuple[str, ...]) -> tuple[Arrays, int]:
    """Arrays of operands, and how many of the first elements are special."""
    random = np.random.default_rng(2024)
    tables = [specials(code) for code in codes]
    if codes[-1] in ("i4", "i8") and codes[0] in ("f2", *FLOATS):  # ldexp
        steps = [
            -(2**31),
            -3000,
            -1100,
            -1075,
            -150,
            -149,
            -54,
            -26,
            -25,
            -24,
            -1,
            0,
            1,
            24,
            127,
            128,
            300,
            1100,
            3000,
            2**31 - 1,
        ]
        tables[1] = np.array(steps + ([-(2**63), 2**63 - 1, 2**32, -(2**32)] if codes[1] == "i8" else []), codes[1])
    if len(tables) == 2 and codes[0] in COMPLEX:
        first, second = (random.choice(table, 1500) for table in tables)
        first = np.concatenate([first, specials(codes[0])])
        second = np.concatenate([second, np.full(len(specials(codes[0])), 0, codes[1])])
        whole = np.arange(-100, 101).astype(codes[1])
        pairs: Arrays = (np.append(first, random.choice(specials(codes[0]), len(whole))), np.append(second, whole))
    elif len(tables) == 2:
        pairs = tuple(np.array([*itertools.product(*tables)], dtype=object).T)
        pairs = tuple(values.astype(code) for values, code in zip(pairs, codes, strict=True))
    else:
        pairs = tuple(tables)
    count = 3001
    more = [random_values(code, count, random) for code in codes]
    if codes[-1] in ("i4", "i8") and codes[0] in ("f2", *FLOATS):
        more[1] = random.integers(-1200, 1200, count).astype(codes[1])
    return tuple(np.concatenate(both) for both in zip(pairs, more, strict=True)), len(pairs[0])


def numpy_flags(case: Case, inputs: Arrays) -> np.ndarray:
    """The warnings of NumPy for each element, as status bits: from a contiguous array of copies."""
    raised = [0]

    def note(kind: str, _: int) -> None:
        raised[0] |= NUMPY_FLAGS[kind]

    flags = np.zeros(len(inputs[0]), np.uint32)
    rows = [np.repeat(values, COPIES).reshape(-1, COPIES) for values in inputs]
    with np.errstate(all="call", call=note):
        for index, row in enumerate(zip(*rows, strict=True)):
            raised[0] = 0
            case.reference(*row)
            flags[index] = raised[0]
    return flags


def same(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Elementwise: the same bits, or NaN in the same parts."""
    part = PART.get(left.dtype.str[1:], left.dtype.str[1:])
    size = np.dtype(part).itemsize
    left, right = (np.ascontiguousarray(values).view(part).reshape(len(values), -1) for values in (left, right))
    equal = left.view(f"u{size}") == right.view(f"u{size}")
    if np.dtype(part).kind == "f":
        equal |= np.isnan(left) & np.isnan(right)
    return equal.all(axis=1)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_function_equals_numpy(case: Case, libraries: dict[str, tuple[cffi.FFI, Any]]) -> None:
    for function in case.needs:
        assert function in library.functions(), f"the library lacks {function}"
    ffi, compiled = libraries[case.family]
    inputs, special = operands(case.inputs)
    count = len(inputs[0])

    def pointer(array: np.ndarray) -> Any:
        return ffi.from_buffer(array, require_writable=True)

    sizes = [np.dtype(case.outputs[0]).itemsize, np.dtype(case.outputs[-1]).itemsize]
    body, tail, bulk = ([np.zeros(count, code) for code in (case.outputs[0], case.outputs[-1])] for _ in range(3))
    flags = np.zeros(count, np.uint32)
    loop = ffi.cast("void *", ffi.addressof(compiled, f"test_{case.name}"))
    sized = [item for array in (inputs[0], inputs[-1]) for item in (pointer(array), array.itemsize)]
    compiled.pf_run_each(
        loop, *sized, *map(pointer, body + tail), *sizes, count, ffi.cast("unsigned *", pointer(flags))
    )
    compiled.pf_run_once(loop, *map(pointer, (inputs[0], inputs[-1], *bulk)), count)

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        left_out = np.zeros(count, bool) if case.replay is None else case.replay(*inputs)
        np.testing.assert_array_equal((flags & REPLAY) != 0, left_out, "elements to be left to NumPy")
        safe = tuple(np.where(left_out, np.zeros_like(values), values) for values in inputs)
        expected = case.reference(*safe)
        expected_flags = numpy_flags(case, tuple(values[:special] for values in safe))

    careful = (flags & CAREFUL) != 0  # in one loop over all elements these are not computed
    for index, wanted in enumerate(expected if isinstance(expected, tuple) else (expected,)):
        for place, actual, skip in (
            ("body", body, left_out),
            ("tail", tail, left_out),
            ("loop", bulk, left_out | careful),
        ):
            assert wanted.dtype == actual[index].dtype
            wrong = np.flatnonzero(~same(actual[index], wanted) & ~skip)
            assert wrong.size == 0, f"{place}: " + describe(wrong, inputs, actual[index], wanted)

    raised = np.where(left_out, 0, flags)[:special] & 15
    surplus = raised & ~expected_flags & np.uint32(15 - case.spare)
    wrong = np.flatnonzero((expected_flags & ~raised) | surplus)
    assert wrong.size == 0, "flags: " + describe(wrong, inputs, raised, expected_flags)


def describe(where: np.ndarray, inputs: Arrays, actual: np.ndarray, wanted: np.ndarray) -> str:
    rows = [f"{[values[i] for values in inputs]}: {actual[i]!r} instead of {wanted[i]!r}" for i in where[:8]]
    return f"{where.size} wrong, such as\n" + "\n".join(rows)


def loop_names(ufunc: np.ufunc) -> Iterator[str]:
    for loop in ufunc.types:
        inputs = loop.partition("->")[0]
        codes = list(dict.fromkeys(np.dtype(letter).str[1:] for letter in inputs))
        if not set(loop) & set("gGOmM") and codes != ["f2"] and codes[:1] != ["f2"]:
            yield f"pf_{ufunc.__name__}_{''.join(codes)}"


UFUNCS = {value.__name__: value for value in vars(np).values() if isinstance(value, np.ufunc) and not value.signature}


@pytest.mark.parametrize("name", sorted(UFUNCS))
def test_every_loop_has_a_function(name: str) -> None:
    """All but the half loops, most of which the generator makes of float functions."""
    assert [name for name in loop_names(UFUNCS[name]) if name not in library.functions()] == []

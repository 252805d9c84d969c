"""The C library's elementary functions: accuracy, special values, floating-point flags, and that they vectorise.

One shared library with a loop for each function is built once for the module, with the flags that kernels use.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cffi
import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from pyfuse.backend.c_library import library
from pyfuse.backend.cpu.toolchain import BASE_FLAGS

COMPILER = shutil.which(os.environ.get("CC", "gcc")) or shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")

FLAGS = [*BASE_FLAGS, "-march=native", "-fno-tree-slp-vectorize"]  # those of kernels, on a compiler that takes them
DIVIDE, OVERFLOW, UNDERFLOW, INVALID, CAREFUL = 1, 2, 4, 8, 32
CODES = ("f8", "f4")

# The largest error allowed, in ULP, for double and for float: what was found with millions of samples, rounded up.
MAX_ERROR = {
    "exp": (1.1, 1.1),
    "exp2": (0.9, 1.1),
    "expm1": (1.8, 1.8),
    "log": (0.9, 0.9),
    "log2": (0.8, 1.5),
    "log10": (0.8, 1.7),
    "log1p": (1.4, 1.6),
    "sin": (0.8, 1.6),
    "cos": (0.8, 1.6),
    "tan": (0.9, 0.6),
    "tanh": (1.2, 1.2),
    "sinh": (0.9, 0.51),
    "cosh": (1.0, 0.51),
    "arctan": (1.7, 1.5),
    "arcsin": (0.7, 1.3),
    "arccos": (1.1, 1.8),
    "cbrt": (0.51, 0.51),
    "erf": (1.2, 1.6),
    "erfc": (2.0, 0.51),
    "expit": (1.6, 1.5),
    "arctan2": (2.0, 0.51),
    "power": (1.0, 0.51),
    "arcsinh": (2.0, 2.0),
    "arccosh": (2.0, 2.0),
    "arctanh": (2.0, 2.0),
    "hypot": (1.0, 0.51),
    "gammaln": (4.0, 4.0),
}
CALLS_LIBM = {"arcsinh", "arccosh", "arctanh", "gammaln"}
BINARY = {"arctan2", "power", "hypot"}
REFERENCE: dict[str, Callable[..., Any]] = {
    "exp2": lambda x: mpmath.power(2, x),
    "log2": lambda x: mpmath.log(x) / mpmath.ln2,
    "log10": lambda x: mpmath.log(x) / mpmath.ln10,
    "arctan": mpmath.atan,
    "arcsin": mpmath.asin,
    "arccos": mpmath.acos,
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "expit": lambda x: 1 / (1 + mpmath.exp(-x)),
    "arctan2": mpmath.atan2,
    "arcsinh": mpmath.asinh,
    "arccosh": mpmath.acosh,
    "arctanh": mpmath.atanh,
    "gammaln": mpmath.loggamma,
    "erf": lambda x: mpmath.erf(min(max(x, -30), 30)),
    "erfc": lambda x: mpmath.erfc(min(max(x, -30), 30)),
}
# Where scipy returns 0 or infinity for a result that is in range.
GIVES_UP_EARLY: dict[str, Callable[[NDArray[Any]], NDArray[np.bool_]]] = {
    "expit": lambda x: x < np.log(np.finfo(x.dtype).tiny) + 1,
    "gammaln": lambda x: np.abs(x) < 1e-300,
}
SAMPLES = 250  # of each kind
COMMON = (0.0, 1.0, 0.5, 1.5, 2.0, 3.0, 30.0, 1000.0, 1e17, np.inf, np.nan)
EDGES_F8 = (710.0, 2.0**52 + 1, 2.0**53, 1 - 2.0**-53, 1 + 2.0**-52, 1e-20, 1e-300, 1e-310, 5e-324, 2.0**-1022, 1e300)
EDGES_F4 = (89.0, 2.0**23 + 1, 2.0**24, 1 - 2.0**-24, 1 + 2.0**-23, 1e-10, 1e-36, 1e-40, 1e-45, 2.0**-126, 1e30)
SPECIAL = {
    "f8": (*COMMON, *EDGES_F8, 1.7976931348623157e308),
    "f4": (*COMMON, *EDGES_F4, 3.4028234663852886e38),
}


@dataclass
class Library:
    """The built loops.

    Attributes:
        handle: the loaded shared library.
        ffi: its interface.
        vectorised: names like ``exp_f8`` whose fast loop the compiler reports as vectorised.
    """

    handle: Any
    ffi: cffi.FFI
    vectorised: set[str] = field(default_factory=set)

    def run(self, name: str, *operands: NDArray[Any], careful: bool | None = None) -> tuple[NDArray[Any], int]:
        """Apply a function to arrays: its results and the flags raised, as a kernel would (fast road, then careful)."""
        code = operands[0].dtype.str[1:]
        arrays = [np.ascontiguousarray(operand) for operand in operands]
        out = np.empty_like(arrays[0])
        pointers = [self.ffi.cast("void *", array.ctypes.data) for array in (*arrays, out)]
        takes_careful = library.functions()[f"pf_{name}_{code}"].takes_careful
        roads = ([0, 1] if takes_careful else [0]) if careful is None else [int(careful)]
        for road in roads:
            status = getattr(self.handle, f"run{road}_{name}_{code}")(out.size, *pointers)
            if not status & CAREFUL:
                break
        return out, status


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("vector_math")
    names = [f"pf_{name}_{code}" for name in MAX_ERROR for code in CODES]
    lines = ["#include <fenv.h>", *library.prelude().splitlines()]
    for function in library.closure(names):
        lines += function.text.splitlines()
    lines += [
        "static unsigned raised(void)",
        "{",
        "    int flags = fetestexcept(FE_ALL_EXCEPT);",
        "    return !!(flags & FE_DIVBYZERO) * 1 | !!(flags & FE_OVERFLOW) * 2 | !!(flags & FE_UNDERFLOW) * 4",
        "        | !!(flags & FE_INVALID) * 8;",
        "}",
    ]
    declarations, loop_lines = [], {}
    for name in MAX_ERROR:
        for code in CODES:
            function = library.functions()[f"pf_{name}_{code}"]
            for road in (0, 1) if function.takes_careful else (0,):
                operands = ["x", "y"] if name in BINARY else ["x"]
                arguments = [f"{operand}[i]" for operand in operands]
                arguments += ["&status"] * function.takes_status + [str(road)] * function.takes_careful
                parameters = [f"const pf_{code} *restrict {operand}" for operand in operands]
                lines += [
                    f"unsigned run{road}_{name}_{code}(long n, {', '.join(parameters)}, pf_{code} *restrict out)",
                    "{",
                    "    unsigned status = 0;",
                    "    feclearexcept(FE_ALL_EXCEPT);",
                    "    for (long i = 0; i < n; i++)",
                    f"        out[i] = {function.name}({', '.join(arguments)});",
                    "    return status | raised();",
                    "}",
                ]
                pointers = "void *, " * len(operands) + "void *"
                declarations.append(f"unsigned run{road}_{name}_{code}(long, {pointers});")
                if road == 0:
                    loop_lines[len(lines) - 3] = f"{name}_{code}"
    source = folder / "loops.c"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    target = folder / "loops.so"
    command = [str(COMPILER), *FLAGS, "-fopt-info-vec", str(source), "-o", str(target), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ffi = cffi.FFI()
    ffi.cdef("\n".join(declarations))
    result = Library(handle=ffi.dlopen(str(target)), ffi=ffi)
    for line in (done.stdout + done.stderr).splitlines():
        if "loop vectorized" in line:
            result.vectorised.add(loop_lines.get(int(line.split(":")[1]), ""))
    yield result
    ffi.dlclose(result.handle)


def numpy_function(name: str) -> Callable[..., NDArray[Any]]:
    if hasattr(np, name):
        return getattr(np, name)
    return getattr(pytest.importorskip("scipy.special"), name)


def reference(name: str, *values: float) -> mpmath.mpf:
    function = REFERENCE.get(name) or getattr(mpmath, name)
    return mpmath.re(function(*(mpmath.mpf(value) for value in values)))


def ulp_error(got: float, exact: mpmath.mpf, code: str) -> float:
    digits, smallest = (53, -1074) if code == "f8" else (24, -149)
    exponent = mpmath.frexp(exact)[1] if exact else smallest
    return float(abs(mpmath.mpf(got) - exact) / mpmath.ldexp(1, max(int(exponent) - digits, smallest)))


def samples(name: str, code: str) -> list[NDArray[Any]]:
    """Values over the whole range of floats, and where the functions are used, one array for each operand."""
    random = np.random.default_rng([ord(letter) for letter in name + code])
    bits, top = (64, 1023) if code == "f8" else (32, 127)

    def operand(shuffled: bool) -> NDArray[Any]:
        patterns = random.integers(0, 2**bits, SAMPLES, dtype=np.uint64).astype(f"u{bits // 8}").view(code)
        sign = random.choice([-1.0, 1.0], SAMPLES)
        mantissa = random.uniform(1, 2, SAMPLES)
        parts = [
            patterns,
            sign * np.ldexp(mantissa, random.integers(-top - 20, top, SAMPLES)),
            sign * np.ldexp(mantissa, random.integers(-12, 10, SAMPLES)),
            random.uniform(-2, 2, SAMPLES),
            random.uniform(-100, 100, SAMPLES),
            sign + np.ldexp(mantissa, random.integers(-30, -1, SAMPLES)),
            random.integers(1, 2**20, SAMPLES) * (np.pi / 2),
            random.uniform(-top, top, SAMPLES) * 0.69,
        ]
        values = np.concatenate([part.astype(code) for part in parts])
        return random.permutation(values) if shuffled else values

    if name not in BINARY:
        return [operand(False)]
    mixed, together = [operand(True), operand(True)], [operand(False), operand(False)]
    both = [np.concatenate([a, b]) for a, b in zip(mixed, together, strict=True)]
    if name == "power":  # results over the whole range of finite ones
        x = np.abs(operand(False)[SAMPLES : 3 * SAMPLES])
        y = (random.uniform(-top, top, x.size) * np.log(2.0) / np.log(x.astype("f8"))).astype(code)
        both = [np.concatenate([both[0], x]), np.concatenate([both[1], y])]
    return both


def is_same_kind(got: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.bool_]:
    """Equal where either is NaN, infinite or zero, the sign of zeros included; anything elsewhere."""
    exceptional = ~np.isfinite(got) | ~np.isfinite(expected) | (got == 0) | (expected == 0)
    same = (np.isnan(got) & np.isnan(expected)) | ((got == expected) & (np.signbit(got) == np.signbit(expected)))
    return ~exceptional | same


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", MAX_ERROR)
def test_accuracy(built: Library, name: str, code: str) -> None:
    operands = samples(name, code)
    if name == "gammaln":
        operands = [np.abs(operands[0])]
    got, _ = built.run(name, *operands)
    expected = numpy_function(name)(*operands)
    allowed = MAX_ERROR[name][CODES.index(code)]
    exact_enough = np.isfinite(expected)
    with mpmath.workprec(140):
        for index in np.flatnonzero(exact_enough):
            values = [float(operand[index]) for operand in operands]
            error = ulp_error(float(got[index]), reference(name, *values), code)
            assert error <= allowed, f"{name}{values} = {got[index]!r}: {error} ULP"
    ignored = GIVES_UP_EARLY.get(name, lambda x: np.zeros(x.shape, bool))(operands[0])
    assert (is_same_kind(got, expected) | ignored)[~exact_enough].all()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", MAX_ERROR)
def test_special_values_are_numpys(built: Library, name: str, code: str) -> None:
    values = np.array([*SPECIAL[code], *(-value for value in SPECIAL[code])], code)
    operands = [grid.ravel() for grid in np.meshgrid(values, values)] if name in BINARY else [values]
    got, _ = built.run(name, *operands)
    expected = numpy_function(name)(*operands)
    wrong = ~is_same_kind(got, expected)
    if name in GIVES_UP_EARLY:
        wrong &= ~GIVES_UP_EARLY[name](operands[0])
    cases = [(*(float(operand[i]) for operand in operands), got[i], expected[i]) for i in np.flatnonzero(wrong)]
    assert not cases


# (function, operands, flags): what C99 and NumPy document.
RAISES: list[tuple[str, tuple[float, ...], int]] = [
    ("exp", (1000.0,), OVERFLOW),
    ("exp", (-1000.0,), UNDERFLOW),
    ("exp2", (2000.0,), OVERFLOW),
    ("exp2", (-2000.0,), UNDERFLOW),
    ("expm1", (1000.0,), OVERFLOW),
    ("expm1", (-1000.0,), 0),
    ("log", (0.0,), DIVIDE),
    ("log", (-0.0,), DIVIDE),
    ("log", (-1.0,), INVALID),
    ("log", (-1e-30,), INVALID),
    ("log", (-1e30,), INVALID),
    ("log", (-np.inf,), INVALID),
    ("log2", (0.0,), DIVIDE),
    ("log2", (-3.0,), INVALID),
    ("log10", (0.0,), DIVIDE),
    ("log10", (-3.0,), INVALID),
    ("log1p", (-1.0,), DIVIDE),
    ("log1p", (-1.5,), INVALID),
    ("log1p", (-np.inf,), INVALID),
    ("sin", (np.inf,), INVALID),
    ("sin", (-np.inf,), INVALID),
    ("sin", (1e30,), 0),
    ("cos", (np.inf,), INVALID),
    ("cos", (1e30,), 0),
    ("tan", (np.inf,), INVALID),
    ("tan", (1e30,), 0),
    ("sinh", (1000.0,), OVERFLOW),
    ("sinh", (-1000.0,), OVERFLOW),
    ("cosh", (-1000.0,), OVERFLOW),
    ("arcsin", (1.5,), INVALID),
    ("arcsin", (-1e38,), INVALID),
    ("arcsin", (np.inf,), INVALID),
    ("arccos", (1.5,), INVALID),
    ("arccos", (-np.inf,), INVALID),
    ("arccosh", (0.5,), INVALID),
    ("arctanh", (1.0,), DIVIDE),
    ("arctanh", (1.5,), INVALID),
    ("erfc", (1000.0,), UNDERFLOW),
    ("erfc", (-1000.0,), 0),
    ("expit", (-1000.0,), UNDERFLOW),
    ("expit", (1000.0,), 0),
    ("power", (0.0, -1.0), DIVIDE),
    ("power", (-0.0, -3.0), DIVIDE),
    ("power", (0.0, -0.5), DIVIDE),
    ("power", (-1.0, 0.5), INVALID),
    ("power", (-2.5, -1.5), INVALID),
    ("power", (10.0, 1000.0), OVERFLOW),
    ("power", (-10.0, 1001.0), OVERFLOW),
    ("power", (10.0, -1000.0), UNDERFLOW),
    ("power", (0.5, 1e30), UNDERFLOW),
    ("power", (2.0, 1e30), OVERFLOW),
    ("power", (1.0, np.nan), 0),
    ("power", (np.nan, 0.0), 0),
    ("power", (1.0, 1e30), 0),
    ("power", (-1.0, np.inf), 0),
    ("power", (-np.inf, 0.5), 0),
    ("power", (-np.inf, -3.0), 0),
    ("power", (0.0, 0.5), 0),
    ("power", (0.0, 0.0), 0),
    ("arctan2", (0.0, 0.0), 0),
    ("arctan2", (-0.0, -0.0), 0),
    ("arctan2", (np.inf, -np.inf), 0),
    ("arctan2", (1e30, 1e30), 0),
    ("hypot", (1e-10, np.inf), 0),
]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(("name", "operands", "expected"), RAISES)
def test_flags_of_special_operands(
    built: Library, name: str, operands: tuple[float, ...], expected: int, code: str
) -> None:
    for length in (1, 9):  # the scalar tail, and vectors with it
        _, flags = built.run(name, *(np.full(length, operand, code) for operand in operands))
        assert flags == expected


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", MAX_ERROR)
def test_a_subnormal_result_of_a_function_like_x_raises_underflow(built: Library, name: str, code: str) -> None:
    if name not in ["expm1", "log1p", "sin", "tan", "tanh", "sinh", "arctan", "arcsin", "arcsinh", "arctanh", "erf"]:
        return
    x = np.array([np.finfo(code).smallest_subnormal * 5] * 9, code)
    got, flags = built.run(name, x)
    assert flags == UNDERFLOW
    assert np.all(np.abs(got - x) <= np.finfo(code).smallest_subnormal)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", MAX_ERROR)
def test_ordinary_data_nans_and_harmless_infinities_raise_nothing(built: Library, name: str, code: str) -> None:
    values = [0.25, -0.25, 0.125, 0.9, -0.9, 0.0, -0.0, np.nan, -np.nan]
    if name not in {"arcsin", "arccos", "arctanh"}:
        values += [1.0, 1.5, 3.0, 20.0]
        if name not in {"sin", "cos", "tan"}:
            values += [np.inf]
    if name == "erfc":
        values.remove(20.0)  # underflows in float
    if name not in {"arcsin", "arccos", "arctanh", "sin", "cos", "tan", "log1p", "gammaln", "arccosh"}:
        values += [-1.0, -20.0, -np.inf]
    if name in {"log", "log2", "log10", "power", "gammaln"}:
        values = [value for value in values if value > 0 or np.isnan(value)]
    if name == "arccosh":
        values = [value for value in values if value >= 1 or np.isnan(value)]
    array = np.array(values * 3, code)
    operands = [grid.ravel() for grid in np.meshgrid(array, array)] if name in BINARY else [array]
    if name == "power":
        operands[1] = np.where(operands[1] == 20.0, -3.0, operands[1])
    _, flags = built.run(name, *operands)
    assert flags == 0


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", MAX_ERROR)
def test_vector_body_and_scalar_tail_agree(built: Library, name: str, code: str) -> None:
    operands = [operand[::61] for operand in samples(name, code)]
    whole, _ = built.run(name, *operands, careful=False)
    for length in range(1, 18):
        part, _ = built.run(name, *(operand[:length] for operand in operands), careful=False)
        assert part.tobytes() == whole[:length].tobytes()


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_both_roads_agree_inside_the_fast_range(built: Library, name: str, code: str) -> None:
    end = 2.6e5 if (name, code) in {("sin", "f4"), ("cos", "f4")} else 1e6
    x = np.linspace(-end, end, 1001).astype(code)
    fast, flags = built.run(name, x, careful=False)
    assert flags == 0
    assert fast.tobytes() == built.run(name, x, careful=True)[0].tobytes()
    far = np.array([1.0, 1e25, 2.0], code)
    assert built.run(name, far, careful=False)[1] == CAREFUL


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", [name for name in MAX_ERROR if name not in CALLS_LIBM])
def test_the_loop_is_vectorised(built: Library, name: str, code: str) -> None:
    if not built.vectorised:
        pytest.skip("the compiler does not report what it vectorises")
    assert f"{name}_{code}" in built.vectorised

"""The C library's reductions of a buffer against NumPy's: bit for bit, flag for flag, in tiles."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
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
DIVIDE, OVERFLOW, UNDERFLOW, INVALID = 1, 2, 4, 8
NUMPY_FLAGS = {"divide by zero": DIVIDE, "overflow": OVERFLOW, "underflow": UNDERFLOW, "invalid value": INVALID}

INTEGERS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
FLOATS, COMPLEX = ("f2", "f4", "f8"), ("c8", "c16")
SUMMED = (*FLOATS, *COMPLEX)
SUM_CODE = {code: "f4" if code == "f2" else code for code in SUMMED}
EXTREMES = ("maximum", "minimum", "fmax", "fmin")
FOLDS = [
    *((name, code) for name in ("add", "multiply", "bitwise_and", "bitwise_or", "bitwise_xor") for code in INTEGERS),
    *((name, code) for name in EXTREMES for code in ("b1", *INTEGERS, *FLOATS)),
    *((name, code) for name in ("maximum", "minimum") for code in COMPLEX),
    *((f"bitwise_{name}", "b1") for name in ("and", "or", "xor")),
    *((f"logical_{name}", "b1") for name in ("and", "or", "xor")),
    *((name, "b1") for name in ("add", "multiply")),
]
SEARCHES = [(name, code) for name in ("maximum", "minimum") for code in ("b1", *INTEGERS, *FLOATS, *COMPLEX)]
NAN_SEARCHES = [(name, code) for name, code in SEARCHES if code in SUMMED]

# Every wrapper clears the hardware's flags, and returns those of the call.
HEAD = """
static void clear(void) { unsigned control = 0x1f80; __asm__ volatile("ldmxcsr %0" : : "m"(control) : "memory"); }
static unsigned raised(void)
{
    unsigned after;
    __asm__ volatile("stmxcsr %0" : "=m"(after) : : "memory");
    return (after & 4 ? 1 : 0) | (after & 8 ? 2 : 0) | (after & 16 ? 4 : 0) | (after & 1 ? 8 : 0);
}
"""


def wrappers() -> Iterator[tuple[str, str, str]]:
    """Name of the function, its wrapper's parameters and the statement that calls it."""
    for code in SUMMED:
        name = f"pf_pairwise_{code}"
        yield name, "void *a, long long n, void *result", f"*(pf_{SUM_CODE[code]} *)result = {name}(a, n)"
    for operation, code in FOLDS:
        name = f"pf_fold_{operation}_{code}"
        result = f"*(pf_{code} *)result"
        yield name, "void *a, long long n, void *result", f"{result} = {name}({result}, a, n)"
    for code in FLOATS:
        yield f"pf_zero_signs_{code}", "void *a, long long n, int *result", f"*result = pf_zero_signs_{code}(a, n)"
    yield "pf_count_nonzero_b1", "void *a, long long n, long long *result", "*result = pf_count_nonzero_b1(a, n)"
    for operation, code in SEARCHES:
        name = f"pf_arg_{operation}_{code}"
        yield name, "void *a, long long n, long long first, void *best, long long *i", f"{name}(a, n, first, best, i)"


class Reductions:
    """The compiled functions, called with arrays."""

    def __init__(self, directory: Path) -> None:
        assert COMPILER is not None
        described = list(wrappers())
        functions = library.closure(name for name, _, _ in described)
        text = [library.prelude(), *(function.text for function in functions), HEAD]
        text += [
            f"unsigned test_{name}({given}) {{ clear(); {call}; return raised(); }}" for name, given, call in described
        ]
        source, target = directory / "reductions.c", directory / "reductions.so"
        source.write_text("\n".join(text), encoding="utf-8")
        command = [COMPILER, *FLAGS, "-o", str(target), str(source)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        self._ffi = cffi.FFI()
        self._ffi.cdef("".join(f"unsigned test_{name}({given});\n" for name, given, _ in described))
        self._compiled = self._ffi.dlopen(str(target))

    def call(self, name: str, values: np.ndarray, result: np.ndarray) -> int:
        """Reduce into ``result``, one element; the flags that it raised."""
        function = getattr(self._compiled, f"test_{name}")
        kind = {"pf_zero_signs": "int *", "pf_count_nonzero": "long long *"}.get(name.rpartition("_")[0], "void *")
        return function(self._pointer(values), len(values), self._ffi.cast(kind, self._pointer(result)))

    def search(self, name: str, values: np.ndarray, first: int, best: np.ndarray, index: np.ndarray) -> int:
        """Update ``best`` and ``index`` with a tile; the flags that it raised."""
        function = getattr(self._compiled, f"test_{name}")
        place = self._ffi.cast("long long *", self._pointer(index))
        return function(self._pointer(values), len(values), first, self._pointer(best), place)

    def _pointer(self, values: np.ndarray) -> Any:
        assert values.flags.c_contiguous
        return self._ffi.cast("void *", values.__array_interface__["data"][0])


@pytest.fixture(scope="module")
def reductions(tmp_path_factory: pytest.TempPathFactory) -> Reductions:
    return Reductions(tmp_path_factory.mktemp("reductions"))


def random_values(code: str, count: int, random: np.random.Generator) -> np.ndarray:
    """Any integer or truth; numbers of widely different magnitude, and zeros of both signs."""
    dtype = np.dtype(code)
    if code == "b1":
        return random.random(count) < random.choice([0.002, 0.5, 0.998])
    if dtype.kind in "iu":
        return random.integers(0, 256, count * dtype.itemsize, np.uint8).view(dtype)
    if dtype.kind == "c":
        return random_values(f"f{dtype.itemsize // 2}", 2 * count, random).view(dtype)
    reach = {"f2": 5, "f4": 30, "f8": 300}[code]
    values = random.normal(size=count) * 2.0 ** random.integers(-reach, reach, count)
    values[random.random(count) < 0.03] = 0.0
    return np.where(random.random(count) < 0.5, values, -values).astype(dtype)


def parts(values: np.ndarray) -> np.ndarray:
    return values.view(f"f{values.itemsize // 2}") if values.dtype.kind == "c" else values


def with_specials(values: np.ndarray, specials: list[float], random: np.random.Generator) -> np.ndarray:
    """A few elements (or parts of complex ones) replaced."""
    changed = values.copy()
    if changed.size:
        places = random.integers(0, parts(changed).size, 1 + changed.size // 40)
        parts(changed)[places] = random.choice(specials, len(places))
    return changed


def same(left: np.ndarray, right: np.ndarray) -> bool:
    """The same bits, or NaN, in every part."""
    if left.dtype.kind not in "fc":
        return left.tobytes() == right.tobytes()
    left, right = parts(np.ravel(left)), parts(np.ravel(right))
    bits = f"u{left.itemsize}"
    return bool(((left.view(bits) == right.view(bits)) | (np.isnan(left) & np.isnan(right))).all())


def numpy_flags(function: Any, values: np.ndarray) -> int:
    raised = [0]

    def note(kind: str, _: int) -> None:
        raised[0] |= NUMPY_FLAGS[kind]

    with np.errstate(all="call", call=note):
        function(values)
    return raised[0]


def tiles(count: int, random: np.random.Generator) -> Iterator[slice]:
    """Slices that cover an array; some are empty."""
    start = 0
    while start < count:
        stop = min(count, start + int(random.choice([0, 1, 7, 31, 32, 33, 64, 200, 1000, 1024])))
        yield slice(start, stop)
        start = stop


SUM_COUNTS = [*range(301), 1000, 1023, 1024, 1025, 2049, 4999, 70001]


@pytest.mark.parametrize("code", SUMMED)
def test_pairwise_has_the_bits_of_numpy(code: str, reductions: Reductions) -> None:
    random = np.random.default_rng(1)
    for count in SUM_COUNTS:
        ordinary = random_values(code, count, random)
        for values in (ordinary, with_specials(ordinary, [np.inf, np.nan], random), np.full(count, -0.0, code)):
            actual = np.zeros(1, SUM_CODE[code])
            reductions.call(f"pf_pairwise_{code}", values, actual)
            with np.errstate(all="ignore"):
                negative_zero = -np.zeros(1, SUM_CODE[code])[0]  # adding to it changes no bit
                expected = np.add.reduce(values.astype(SUM_CODE[code]), initial=negative_zero)
                assert same(actual, expected), (count, actual, expected)
                assert same((0 + actual).astype(code), np.add.reduce(values)), (count, actual)


def test_pairwise_begins_anywhere_in_memory(reductions: Reductions) -> None:
    values = random_values("f8", 1100, np.random.default_rng(2))
    for start in range(9):
        actual = np.zeros(1)
        reductions.call("pf_pairwise_f8", values[start : start + 1000], actual)
        assert actual[0] == np.add.reduce(values[start : start + 1000])


@pytest.mark.parametrize("code", SUMMED)
def test_pairwise_raises_the_flags_of_numpy(code: str, reductions: Reductions) -> None:
    limits = np.finfo(SUM_CODE[code])
    for count in (3, 20, 131, 250, 1024):
        for specials in ([], [np.nan], [np.inf], [np.inf, -np.inf], [np.inf, np.nan], [limits.max, limits.max]):
            values = np.ones(count, code)
            with np.errstate(all="ignore"):
                parts(values)[: 2 * len(specials) : 2] = specials
            actual = reductions.call(f"pf_pairwise_{code}", values, np.zeros(1, SUM_CODE[code]))
            wanted = numpy_flags(np.add.reduce, values.astype(SUM_CODE[code]))
            assert actual == wanted, (count, specials)


def fold(reductions: Reductions, name: str, values: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, int]:
    """The first element, folded with the others in tiles, and the flags."""
    accumulated, flags = values[:1].copy(), 0
    for tile in tiles(len(values) - 1, random):
        flags |= reductions.call(name, values[1:][tile], accumulated)
    return accumulated, flags


@pytest.mark.parametrize(("operation", "code"), FOLDS)
def test_fold_equals_numpy(operation: str, code: str, reductions: Reductions) -> None:
    random = np.random.default_rng(3)
    function = getattr(np, operation)
    for count in [*range(1, 80), 100, 129, 1001, 3000]:
        cases = [random_values(code, count, random)]
        if code in FLOATS:
            cases += [with_specials(cases[0], specials, random) for specials in ([np.nan], [np.inf, -np.inf, np.nan])]
            cases += [np.full(count, fill, code) for fill in (np.nan, np.inf, -np.inf, 0.0, -0.0, np.finfo(code).max)]
            cases += [with_specials(np.full(count, np.nan, code), [-np.inf, np.finfo(code).min], random)]
        if operation == "multiply" and code in INTEGERS:
            cases += [cases[0] | np.dtype(code).type(1)]
        for values in cases:
            actual, flags = fold(reductions, f"pf_fold_{operation}_{code}", values, random)
            expected = np.asarray(function.reduce(values, dtype=code))
            both_zeros = code in FLOATS and expected == 0 and len(set(np.signbit(values[values == 0]))) == 2
            assert same(abs(actual), abs(expected)) if both_zeros else same(actual, expected), (values, actual)
            assert flags == 0, (values, flags)


@pytest.mark.parametrize("operation", EXTREMES)
@pytest.mark.parametrize("code", FLOATS)
def test_extreme_of_one_nan_anywhere_in_a_tile(operation: str, code: str, reductions: Reductions) -> None:
    ordinary = np.arange(1, 101).astype(code)
    for place in range(100):
        values, actual = ordinary.copy(), np.full(1, 50, code)
        values[place] = np.nan
        flags = reductions.call(f"pf_fold_{operation}_{code}", values, actual)
        assert same(actual, getattr(np, operation).reduce(np.append(values, np.dtype(code).type(50))))
        assert flags == 0


@pytest.mark.parametrize("operation", EXTREMES)
@pytest.mark.parametrize("code", FLOATS)
def test_nan_accumulated_before_a_tile(operation: str, code: str, reductions: Reductions) -> None:
    for values in (np.arange(100).astype(code), np.full(3, np.nan, code), np.full(40, np.nan, code), np.zeros(0, code)):
        actual = np.full(1, np.nan, code)
        flags = reductions.call(f"pf_fold_{operation}_{code}", values, actual)
        assert same(actual, getattr(np, operation).reduce(np.append(values, np.dtype(code).type(np.nan))))
        assert flags == 0


@pytest.mark.parametrize("code", FLOATS)
def test_zero_signs_tell_which_zeros_are_there(code: str, reductions: Reductions) -> None:
    subnormal = np.finfo(code).smallest_subnormal
    for count in (0, 1, 5, 100, 1024):
        for zeros, wanted in (([], 0), ([0.0], 1), ([-0.0], 2), ([-0.0, 0.0], 3)):
            if len(zeros) > count:
                continue
            values = np.resize(np.array([1, -1, subnormal, -subnormal, np.nan, np.inf], code), count)
            values[count - len(zeros) :] = zeros
            result = np.zeros(1, np.int32)
            assert reductions.call(f"pf_zero_signs_{code}", values, result) == 0
            assert result[0] == wanted


def test_count_nonzero_counts_beyond_what_a_byte_holds(reductions: Reductions) -> None:
    random = np.random.default_rng(4)
    for count in [*range(70), 1000, 1024, 255 * 64 - 1, 255 * 64, 255 * 64 + 1, 100_000]:
        for values in (np.ones(count, bool), random.random(count) < 0.5):
            result = np.full(1, -1, np.int64)
            reductions.call("pf_count_nonzero_b1", values, result)
            assert result[0] == np.count_nonzero(values)


@pytest.mark.parametrize("operation", ["add", "multiply", "maximum", "minimum", "logical_xor"])
def test_any_nonzero_byte_counts_as_true(operation: str, reductions: Reductions) -> None:
    values, actual = np.array([2, 1] * 41, np.uint8).view(bool), np.ones(1, bool)
    reductions.call(f"pf_fold_{operation}_b1", values, actual)
    assert actual.view(np.uint8)[0] == 1
    counted = np.zeros(1, np.int64)
    reductions.call("pf_count_nonzero_b1", values, counted)
    assert counted[0] == 82


def search(reductions: Reductions, name: str, values: np.ndarray, random: np.random.Generator) -> tuple[int, int]:
    """Index of the extreme found over tiles, with the element left as best checked, and the flags."""
    best, index, flags = np.zeros(1, values.dtype), np.full(1, -1, np.int64), 0
    for tile in tiles(len(values), random):
        flags |= reductions.search(name, values[tile], tile.start, best, index)
    assert same(best, values[index])
    return int(index[0]), flags


@pytest.mark.parametrize(("operation", "code"), SEARCHES)
def test_search_finds_the_first_extreme(operation: str, code: str, reductions: Reductions) -> None:
    random = np.random.default_rng(5)
    function = {"maximum": np.argmax, "minimum": np.argmin}[operation]
    for count in [*range(1, 80), 130, 1001, 3000]:
        ordinary = random_values(code, count, random)
        cases = [ordinary, np.sort(ordinary), np.sort(ordinary)[::-1].copy(), np.full(count, ordinary[0])]
        cases += [(random.random(count) * 3).astype(code)]
        if code in SUMMED:
            cases += [np.full(count, fill, code) for fill in (np.inf, -np.inf)]
            worse = np.full(count, -1 if operation == "maximum" else 1, code)
            cases += [with_specials(fill, [0.0, -0.0], random) for fill in (np.zeros(count, code), worse)]
            cases += [with_specials(ordinary, specials, random) for specials in ([np.nan], [np.inf, -np.inf])]
        if code in COMPLEX:
            cases += [with_specials(np.ones(count, code), [2.0, 0.0], random)]
        for values in cases:
            index, flags = search(reductions, f"pf_arg_{operation}_{code}", values, random)
            assert index == function(values), values
            assert flags == 0


@pytest.mark.parametrize(("operation", "code"), NAN_SEARCHES)
def test_search_ends_at_the_first_nan(operation: str, code: str, reductions: Reductions) -> None:
    random = np.random.default_rng(6)
    places = parts(np.zeros(150, code)).size
    for place in range(0, places, 7):
        values = random_values(code, 150, random)
        parts(values)[[place, places - 1]] = np.nan
        index, flags = search(reductions, f"pf_arg_{operation}_{code}", values, random)
        assert index == {"maximum": np.argmax, "minimum": np.argmin}[operation](values) == place * 150 // places
        assert flags == 0


@pytest.mark.parametrize("code", FLOATS)
@pytest.mark.parametrize("operation", ["maximum", "minimum"])
def test_search_takes_nan_of_either_sign_and_zeros_as_equal(operation: str, code: str, reductions: Reductions) -> None:
    function = {"maximum": np.argmax, "minimum": np.argmin}[operation]
    worse, infinity = (-1.0, np.inf) if operation == "maximum" else (1.0, -np.inf)
    for count in (11, 12, 63, 64, 65, 127, 128, 129, 500):
        for place in range(0, count, 5):
            for specials in ([-np.nan, np.nan], [np.nan, -np.nan], [-0.0, 0.0], [0.0, -0.0], [infinity, -np.nan]):
                values = np.full(count, worse, code)
                values[[place, count - 1]] = specials
                best, index = np.zeros(1, code), np.full(1, -1, np.int64)
                flags = reductions.search(f"pf_arg_{operation}_{code}", values, 7, best, index)
                assert (index[0] - 7, flags) == (function(values), 0), (values, index)
                assert same(best, values[index - 7])


@pytest.mark.parametrize(("operation", "code"), [(name, code) for name, code in SEARCHES if code in INTEGERS])
def test_search_among_the_limits(operation: str, code: str, reductions: Reductions) -> None:
    limits, function = np.iinfo(code), {"maximum": np.argmax, "minimum": np.argmin}[operation]
    for count in (11, 12, 63, 64, 65, 127, 128, 129, 500):
        for fill, other in ((limits.min, limits.max), (limits.max, limits.min), (limits.max, limits.max)):
            for place in range(0, count, 5):
                values = np.full(count, fill, code)
                values[[place, count - 1]] = other
                best, index = np.zeros(1, code), np.full(1, -1, np.int64)
                reductions.search(f"pf_arg_{operation}_{code}", values, 0, best, index)
                assert index[0] == function(values)


def test_search_of_an_empty_tile_leaves_all_as_it_was(reductions: Reductions) -> None:
    for operation, code in SEARCHES:
        best, index = np.ones(1, code), np.full(1, -1, np.int64)
        reductions.search(f"pf_arg_{operation}_{code}", np.zeros(0, code), 0, best, index)
        assert (best[0], index[0]) == (1, -1)

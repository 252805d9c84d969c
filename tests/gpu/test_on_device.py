"""Do fused functions run on a real device, with arrays of each library, and give NumPy's answers there?"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.backend.cuda.kernel import CudaKernel
from pyfuse.backend.cuda.launch_shape import Walk
from pyfuse.graph.infer import FUSED_CODES
from tests import complex_functions
from tests.cuda_texts import cuda_source, most_ulps, same_bits
from tests.gpu.conftest import Library
from tests.sample_programs import BY_INDICES, PROGRAMS

WITH_A_NUMBER = ("loop_with_index_and_time",)  # among its results: Python would have to wait for it
WITH_STORES = ("in_place_on_an_argument", "accumulated_product")  # they have tests of their own
MAPS = [
    name
    for name in PROGRAMS
    if name not in {*WITH_A_NUMBER, *WITH_STORES, *BY_INDICES}
    and all(shape.walk is Walk.MAP for shape in cuda_source(PROGRAMS[name].function, *PROGRAMS[name].arguments).shapes)
]
WITH_FUNCTIONS = frozenset({"hoisted_row_value"})


def random(*shape: int, code: str = "f8", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape) * 5 + (rng.normal(size=shape) * 1j if code.startswith("c") else 0)
    if code[0] in "u":
        values = np.abs(values)
    made: np.ndarray = values.astype(code)
    return made


def on_host(library: Library, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(on_host(library, item) for item in value)
    assert isinstance(value, library.kind)
    return library.to_host(value)


def assert_fused(fused: Any, calls: int = 1) -> None:
    info = fused.cache_info()
    assert (info.fused_calls, info.fallback_calls) == (calls, 0), fused.explain()


@pytest.mark.parametrize("name", MAPS)
def test_a_program_gives_numpys_bits(name: str, library: Library) -> None:
    program = PROGRAMS[name]
    shapes = [argument.shape if isinstance(argument, np.ndarray) else None for argument in program.arguments]
    arguments = [
        argument if shape is None else random(*[extent * 37 if extent > 1 else 1 for extent in shape],
                                              code=argument.dtype.str[1:], seed=seed)
        for seed, (argument, shape) in enumerate(zip(program.arguments, shapes, strict=True))
    ]  # fmt: skip
    if name == "integer_division":
        arguments[1] = np.where(arguments[1] == 0, 3, arguments[1]).astype("i4")
    if name in ("transposed_operand",):
        arguments = [arguments[0], np.ascontiguousarray(arguments[1])]
    fused = pyfuse.fuse(program.function, strict=True)
    moved = [library.to_device(value) if isinstance(value, np.ndarray) else value for value in arguments]
    if name == "view_result" and library.name in ("pycuda", "jax"):
        pytest.skip("a transposed GPUArray does not come to the host as it lies, and JAX's arrays have no views")
    result = fused(*moved)
    with np.errstate(all="ignore"):
        expected = program.function(*arguments)
        exact = (
            program.function(*[argument.astype(np.longdouble) for argument in arguments])
            if name in WITH_FUNCTIONS
            else None
        )
    if exact is not None:
        assert most_ulps(on_host(library, result), exact) <= 3
    else:
        assert same_bits(on_host(library, result), expected)
    assert_fused(fused)


def arithmetic(x: Any, y: Any) -> Any:
    return x + y, x * y - x, x == y, np.maximum(x, y), x.astype(np.float32)


def complex_arithmetic(x: Any, y: Any) -> Any:
    return x + y, x * y - x, x == y, np.conj(x)


@pytest.mark.parametrize("code", sorted(FUSED_CODES - {"b1"}))
def test_every_dtype_is_computed_as_numpy_computes_it(code: str, library: Library) -> None:
    function = complex_arithmetic if code.startswith("c") else arithmetic
    x, y = random(3001, code=code), random(3001, code=code, seed=1)
    fused = pyfuse.fuse(function, strict=True)
    result = fused(library.to_device(x), library.to_device(y))
    with np.errstate(all="ignore"):
        assert same_bits(on_host(library, result), function(x, y))
    assert_fused(fused)


def functions_of_floats(x: Any) -> Any:
    size = np.abs(x)
    return (
        np.exp(x), np.exp2(x), np.expm1(x), np.log(size), np.log2(size), np.log10(size), np.log1p(size), np.sin(x),
        np.cos(x), np.tan(x), np.tanh(x), np.sinh(x), np.cosh(x), np.arctan(x), np.arcsinh(x), np.sqrt(size),
        np.cbrt(x), np.arctan2(x, size), np.hypot(x, size), x**1.5,
    )  # fmt: skip


@pytest.mark.parametrize("code", ["f4", "f8"])
def test_functions_are_at_most_4_ulp_from_the_correct_result(code: str, cupy: Any) -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(size=200_000) * 10.0 ** rng.integers(-5, 3, 200_000), [0.0, -0.0, np.inf, np.nan]])
    x = x.astype(code)
    fused = pyfuse.fuse(functions_of_floats, strict=True)
    result = fused(cupy.asarray(x))
    assert_fused(fused)
    with np.errstate(all="ignore"):
        exact = functions_of_floats(x.astype(np.longdouble))
    errors = [most_ulps(cupy.asnumpy(mine), theirs) for mine, theirs in zip(result, exact, strict=True)]
    print([round(error, 2) for error in errors])
    assert max(errors) <= 4


@pytest.mark.parametrize("code", ["c8", "c16"])
def test_functions_of_complex_numbers_are_near_the_correct_result(code: str, cupy: Any) -> None:
    fused = pyfuse.fuse(complex_functions.all_at_once, strict=True)
    found = complex_functions.errors(
        code,
        complex_functions.samples(code),
        lambda z: [cupy.asnumpy(part) for part in fused(cupy.asarray(z))],
    )
    print(found)
    assert max(found.values()) <= (1.0 if code == "c8" else 8.0)
    assert_fused(fused)


def sums(x: Any, axis: Any) -> Any:
    return x.sum(axis=axis), (x * 2).max(axis=axis), x.min(axis=axis), np.argmax(x, axis=axis), (x > 3).sum(axis=axis)


@pytest.mark.parametrize("shape", [(50, 3), (3, 50), (300, 700), (700, 300), (5, 100_000), (100_000, 5), (4097, 4096)])
@pytest.mark.parametrize("code", ["i4", "f4", "f8"])
def test_whole_numbers_are_reduced_as_numpy_reduces_them(code: str, shape: tuple[int, int], library: Library) -> None:
    x = np.random.default_rng(0).integers(-7, 8, shape).astype(code)  # the sums of these are exact in any order
    fused = pyfuse.fuse(sums, strict=True)
    own = library.to_device(x)
    for axis in (None, 0, 1):
        expected = tuple(map(np.asarray, sums(x, axis)))
        assert same_bits(on_host(library, fused(own, axis)), expected), axis
    assert_fused(fused, 3)


def softmax(x: Any) -> Any:
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def normalized(x: Any, weight: Any, bias: Any) -> Any:
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5) * weight + bias


@pytest.mark.parametrize("code", ["f4", "f8"])
@pytest.mark.parametrize("length", [2, 33, 256, 1000, 4095, 4096, 10_000, 100_000])
def test_rows_are_normalized(length: int, code: str, library: Library) -> None:
    rng = np.random.default_rng(length)
    x = rng.normal(size=(100, length)).astype(code)
    weight, bias = rng.normal(size=(2, length)).astype(code)
    bound = 4e-6 if code == "f4" else 1e-14
    for function, arguments in ((softmax, (x,)), (normalized, (x, weight, bias))):
        fused = pyfuse.fuse(function, strict=True)
        result = on_host(library, fused(*map(library.to_device, arguments)))
        expected = function(*[argument.astype("f8") for argument in arguments])
        assert result.dtype == x.dtype
        assert np.abs(result - expected).max() <= bound * 8 * np.abs(expected).max()
        assert_fused(fused)


def total_of_columns(x: Any) -> Any:
    return x.sum(), x.sum(axis=0), x.sum(axis=1), x.mean(), x.std(axis=0)


def test_sums_of_floats_are_near_and_always_the_same(cupy: Any) -> None:
    x = np.random.default_rng(3).normal(size=(3000, 4000)).astype("f4")
    fused = pyfuse.fuse(total_of_columns, strict=True)
    own = cupy.asarray(x)
    first = [cupy.asnumpy(value) for value in fused(own)]
    for mine, exact in zip(first, total_of_columns(x.astype("f8")), strict=True):
        assert np.abs(mine - exact).max() <= 2e-6 * max(1.0, np.abs(x).sum(axis=0).max())
    for _ in range(20):
        assert all(same_bits(cupy.asnumpy(value), before) for value, before in zip(fused(own), first, strict=True))
    assert_fused(fused, 21)


def blend(x: Any, y: Any, z: Any) -> Any:
    return np.where(x > y, x * 2 - z, y) + np.abs(z)


def test_arrays_of_any_strides_are_walked_as_they_lie(cupy: Any) -> None:
    base = random(9, 140, 300)
    own = cupy.asarray(base)
    fused = pyfuse.fuse(blend, strict=True)
    forms = [
        lambda a: (a[0, 0], a[1, 0], a[2, 0]),
        lambda a: (a, a[::-1], a[:, ::-1, ::-1]),
        lambda a: (a[..., ::3], a[:, :1, :100], a[:1, :, 100:200]),
        lambda a: (a.transpose(2, 0, 1), a.transpose(2, 0, 1)[:1], a.transpose(2, 0, 1)[:, :1]),
        lambda a: (a[0, 0, 0], a[0, :5, :4], a[0, :5, :1]),
        lambda a: (a[:0], a[:0], a[:0]),
        lambda a: (a[0], a[1, ::-1], a[2]),
        lambda a: (a[0].T, a[1].T, a[2, :, :1].T[:, :1]),
    ]
    for form in forms:
        expected, result = blend(*form(base)), fused(*form(own))
        assert same_bits(cupy.asnumpy(result), expected)
        assert not expected.size or result.strides == expected.strides
    assert_fused(fused, len(forms))


def doubled(x: Any) -> Any:
    return x + x


def test_arrays_beyond_32_bit_indices(cupy: Any) -> None:
    fused = pyfuse.fuse(doubled, strict=True)
    x = cupy.zeros(2**31 + 1000, "i1")
    x[-1], x[2**31 - 1], x[0] = 3, 5, 7
    result = fused(x)
    assert (int(result[-1]), int(result[2**31 - 1]), int(result[0]), int(result[1])) == (6, 10, 14, 0)
    table = cupy.ones((70_000, 40_000), "i1")[:, ::-1]
    assert bool((fused(table)[::7919, ::7919] == 2).all())
    assert_fused(fused, 2)


def test_a_scalar_changes_without_another_kernel(library: Library) -> None:
    fused = pyfuse.fuse(PROGRAMS["scalar_arguments"].function, strict=True)
    x = random(5000, code="f4")
    for scale in (2.5, -1.0, 3.0):
        result = fused(library.to_device(x), scale, np.float32(0.5))
        expected = PROGRAMS["scalar_arguments"].function(x, scale, np.float32(0.5))
        assert same_bits(on_host(library, result), expected)
    assert fused.cache_info().kernels == 1
    assert_fused(fused, 3)


@pytest.fixture
def long_ways(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The stream of every kernel that was not started by the launcher."""
    streams: list[int] = []
    real = CudaKernel.run

    def run(self: CudaKernel, starts: Any, packed: bytes, stream: int = 0, report: int = 0) -> int:
        streams.append(stream)
        return real(self, starts, packed, stream, report)

    monkeypatch.setattr(CudaKernel, "run", run)
    return streams


def test_calls_of_a_known_form_are_started_by_the_launcher(library: Library, long_ways: list[int]) -> None:
    fused = pyfuse.fuse(PROGRAMS["multiply_add"].function, strict=True)
    for shape in ((1000,), (50, 60)):
        arrays = [random(*shape, seed=seed) for seed in range(3)]
        own = [library.to_device(array) for array in arrays]
        for _ in range(10):
            assert same_bits(on_host(library, fused(*own)), PROGRAMS["multiply_add"].function(*arrays))
    assert_fused(fused, 20)
    assert len(long_ways) == (20 if library.name in ("numba", "jax") else 2)


def slow(big: Any) -> Any:
    """An array of ones, which is there after a while."""
    for _ in range(10):
        big = big @ big / len(big)
    return big


def test_a_stream_of_cupy_is_waited_for(cupy: Any, long_ways: list[int]) -> None:
    fused = pyfuse.fuse(doubled, strict=True)
    fused(cupy.zeros(10))
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        for _ in range(3):
            result = fused(slow(cupy.ones((4000, 4000))))
            after = result * 2
            stream.synchronize()
            assert bool((after == 4).all())
    assert_fused(fused, 4)
    assert long_ways == [0, stream.ptr]


@pytest.mark.parametrize("name", ["cupy", "torch", "pycuda", "handle"])
def test_a_stream_of_the_user_is_ordered_against_the_current_one(name: str, cupy: Any, torch: Any) -> None:
    import pycuda.driver as driver

    cupy.ones(1)
    kept = {
        "cupy": lambda: cupy.cuda.Stream(non_blocking=True),
        "torch": torch.cuda.Stream,
        "pycuda": driver.Stream,
        "handle": lambda: cupy.cuda.Stream(non_blocking=True),
    }[name]()
    fused = pyfuse.fuse(doubled, strict=True, stream=kept.ptr if name == "handle" else kept)
    current = cupy.cuda.Stream(non_blocking=True)
    with current:
        for _ in range(4):
            after = (
                fused(slow(cupy.ones((4000, 4000)))) * 2
            )  # made in one stream, doubled in another, then in the first
            current.synchronize()
            assert bool((after == 4).all())
    for _ in range(3):
        tensor = slow(torch.ones((4000, 4000), device="cuda", dtype=torch.float64))
        assert bool((fused(tensor) * 2 == 4).all())
    assert_fused(fused, 7)


def test_memory_that_is_freed_and_taken_again_is_not_written_too_early(cupy: Any) -> None:
    fused = pyfuse.fuse(doubled, strict=True)
    stream = cupy.cuda.Stream(non_blocking=True)
    for own in (None, stream):
        fused = pyfuse.fuse(doubled, strict=True, stream=own)
        kept = cupy.arange(1_000_000.0)
        for _ in range(300):
            result = fused(kept)
            del result
            result = fused(fused(kept))
        assert bool((result == 4 * cupy.arange(1_000_000.0)).all())
        assert_fused(fused, 900)


def test_small_arrays_are_handed_out_again_when_nobody_has_them(cupy: Any) -> None:
    fused = pyfuse.fuse(doubled, strict=True)
    x = cupy.arange(1000.0)
    fused(x)
    first = fused(x)
    place = first.data.ptr
    view = first[10:]
    del first
    assert fused(x + 1).data.ptr != place
    assert same_bits(cupy.asnumpy(view), np.arange(10.0, 1000.0) * 2)
    del view
    assert fused(x).data.ptr == place
    pointer = fused(x).data
    kept = [fused(x + number) for number in range(20)]
    assert len({array.data.ptr for array in kept} | {pointer.ptr}) == 21
    for number, array in enumerate(kept):
        assert array.base is None
        assert same_bits(cupy.asnumpy(array), (np.arange(1000.0) + number) * 2)
    kept[3].shape = (10, 100)
    del kept, pointer
    assert all(fused(x).shape == (1000,) for _ in range(5))


def test_calls_can_be_captured_in_a_graph(cupy: Any) -> None:
    fused = pyfuse.fuse(doubled, strict=True)
    x = cupy.arange(100_000.0)
    fused(x)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        fused(x)
        stream.begin_capture()
        result = fused(x)
        graph = stream.end_capture()
        for number in range(3):
            x[...] = cupy.arange(100_000.0) + number
            graph.launch()
            stream.synchronize()
            assert bool((result == (cupy.arange(100_000.0) + number) * 2).all())
    assert_fused(fused, 3)


def test_numpy_arrays_are_moved_where_asked(device: None) -> None:  # noqa: ARG001
    fused = pyfuse.fuse(normalized, strict=True, target="cuda")
    x, weight, bias = random(300, 400), random(400, seed=1), random(400, seed=2)
    for _ in range(3):
        found, expected = fused(x, weight, bias), normalized(x, weight, bias)
        assert type(found) is np.ndarray
        assert np.abs(found - expected).max() <= 1e-13 * np.abs(expected).max()
    fused_blend = pyfuse.fuse(blend, strict=True, target="cuda")
    for form in (lambda a: a, lambda a: a.T, lambda a: a[::-1, ::2]):
        arrays = [form(random(50, 60, seed=seed)) for seed in range(3)]
        assert same_bits(fused_blend(*arrays), blend(*arrays))
    ours, theirs = random(1000), random(1000)
    stored = pyfuse.fuse(update, strict=True, target="cuda")
    assert same_bits(stored(ours, random(1000, seed=1)), update(theirs, random(1000, seed=1)))
    assert same_bits(ours, theirs)
    assert_fused(fused, 3)
    assert_fused(fused_blend, 3)
    assert_fused(stored, 1)


def only_here(x: Any) -> Any:
    return np.exp(x * 0.123) - np.sqrt(np.abs(x)) * 0.456


def test_cupy_answers_while_a_kernel_is_built(cupy: Any) -> None:
    fused = pyfuse.fuse(only_here)
    x = cupy.asarray(random(50, 61))
    with pyfuse.config.set(wait=False):
        first = fused(x)
        assert fused.fallback_reasons() == {"building": 1}
        fused.compile(x)
        second = fused(x)
    assert fused.cache_info().fused_calls == 1
    assert bool(cupy.allclose(first, second, rtol=1e-13))


def test_jax_arrays_beside_others(cupy: Any) -> None:
    jax = pytest.importorskip("jax")
    fused = pyfuse.fuse(PROGRAMS["multiply_add"].function, strict=True)
    x = random(1000, code="f4")
    own, theirs = cupy.asarray(x), jax.numpy.asarray(x)
    assert type(fused(own, theirs, own)) is cupy.ndarray
    result = fused(theirs, own, own)
    assert isinstance(result, jax.Array)
    assert same_bits(np.asarray(result), x * x + x)
    with pytest.raises(pyfuse.FuseError, match=r"JAX.s arrays"):
        pyfuse.fuse(update, strict=True)(theirs, theirs * 2)


def test_a_stream_of_torch_is_waited_for(torch: Any) -> None:
    fused = pyfuse.fuse(doubled, strict=True)
    fused(torch.zeros(10, device="cuda"))
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        big = torch.ones((8000, 8000), device="cuda", dtype=torch.float64)
        for _ in range(10):
            big = big @ big / 8000
        result = fused(big)
        after = result * 2
    stream.synchronize()
    assert bool((after == 4).all())
    assert_fused(fused, 2)


def test_threads_without_a_context_of_their_own(cupy: Any) -> None:
    fused = pyfuse.fuse(doubled, strict=True)
    x = cupy.arange(1000.0)
    found: list[Any] = []

    def work() -> None:
        for _ in range(50):
            found.append(cupy.asnumpy(fused(x)))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 300
    assert all(same_bits(value, np.arange(1000.0) * 2) for value in found)
    assert_fused(fused, 300)


def test_nothing_is_left_on_the_device(cupy: Any) -> None:
    fused = pyfuse.fuse(doubled, strict=True)
    x = cupy.ones(100_000)
    for _ in range(100):
        fused(x)
    cupy.get_default_memory_pool().free_all_blocks()
    cupy.cuda.Device().synchronize()
    before = cupy.cuda.runtime.memGetInfo()[0]
    for _ in range(100_000):
        fused(x)
    cupy.cuda.Device().synchronize()
    cupy.get_default_memory_pool().free_all_blocks()
    assert abs(cupy.cuda.runtime.memGetInfo()[0] - before) <= 2**21


def test_kinds_may_be_mixed(cupy: Any, torch: Any) -> None:
    fused = pyfuse.fuse(PROGRAMS["multiply_add"].function, strict=True)
    x = random(1000)
    own, tensor = cupy.asarray(x), torch.from_numpy(x).cuda()
    assert type(fused(own, tensor, own)) is cupy.ndarray
    assert type(fused(tensor, own, own)) is torch.Tensor
    assert same_bits(cupy.asnumpy(fused(own, tensor, tensor)), x * x + x)


def total(x: Any) -> Any:
    return np.sum(x * x)


def test_what_is_not_fused_runs_in_cupy(cupy: Any) -> None:
    fused = pyfuse.fuse(np_power)
    x = np.arange(10)
    result = fused(cupy.asarray(x))
    assert type(result) is cupy.ndarray
    assert np.array_equal(cupy.asnumpy(result), x**x)
    assert fused.cache_info().fallback_calls == 1


def np_power(x: Any) -> Any:
    return np.power(x, x)


def test_what_is_not_fused_and_numpy_does_not_take_says_why(torch: Any) -> None:
    fused = pyfuse.fuse(np_power)
    with pytest.raises(TypeError) as error:
        fused(torch.ones(10, device="cuda", dtype=torch.int64))
    assert any("does not run on a device" in note for note in error.value.__notes__)
    fused = pyfuse.fuse(np_exp, strict=True)
    with pytest.raises(pyfuse.FuseError, match="records gradients"):
        fused(torch.ones(10, device="cuda", requires_grad=True))
    with pytest.raises(pyfuse.FuseError, match="NumPy has no dtype like"):
        fused(torch.empty(10, device="cuda", dtype=torch.float8_e4m3fn))
    with pytest.raises(pyfuse.FuseError, match="lies on cpu"):
        fused(torch.ones(10))


def np_exp(x: Any) -> Any:
    return np.exp(x)


def test_a_numpy_array_beside_device_arrays_is_a_reason(cupy: Any) -> None:
    fused = pyfuse.fuse(PROGRAMS["multiply_add"].function, strict=True)
    x = random(10)
    with pytest.raises(pyfuse.FuseError, match="a NumPy array stands beside arrays on a device"):
        fused(cupy.asarray(x), x, x)
    assert same_bits(cupy.asnumpy(fused(cupy.asarray(x), np.array(2.0), cupy.asarray(x))), x * 2 + x)


def test_a_full_device_is_a_reason(cupy: Any) -> None:
    fused = pyfuse.fuse(doubled)
    free = cupy.cuda.runtime.memGetInfo()[0]
    x = cupy.zeros(int(free * 0.6), "u1")
    try:
        with pytest.raises(MemoryError):  # CuPy's own attempt, which comes after ours
            fused(x)
        assert fused.fallback_reasons() == {"device": 1}
    finally:
        del x
        cupy.get_default_memory_pool().free_all_blocks()


def update(x: Any, y: Any) -> Any:
    x[1:] += x[:-1] * y[1:] - y[:-1] * 0.5
    return y * 2


def backwards(x: Any, y: Any) -> Any:
    x[::-2] = y[::2] * 3 - 1
    return y + 1


def in_grid(x: Any, y: Any) -> Any:
    x[1:-1, 1:-1] = 0.25 * (y[:-2, 1:-1] + y[2:, 1:-1] + y[1:-1, :-2] + y[1:-1, 2:])
    return x


@pytest.mark.parametrize("function", [update, backwards, in_grid])
def test_stores_into_arguments(function: Any, library: Library) -> None:
    shape = (300, 200) if function is in_grid else (20_000,)
    x, y = random(*shape), random(*shape, seed=1)
    fused = pyfuse.fuse(function, strict=True)
    if library.name in ("jax", "numba"):
        pytest.skip("JAX's arrays are never stored into, and Numba's not by kernels")
    if function is backwards and library.name != "cupy":
        pytest.skip("only CuPy has views that run backwards and can be stored into")
    ours = library.to_device(x), library.to_device(y)
    theirs = x.copy(), y.copy()
    for call in range(3):
        found, expected = fused(*ours), function(*theirs)
        assert same_bits(on_host(library, ours[0]), theirs[0])
        assert same_bits(on_host(library, ours[1]), theirs[1])
        assert same_bits(on_host(library, found), expected)
        if function is in_grid:
            assert found is ours[0]
        assert_fused(fused, call + 1)

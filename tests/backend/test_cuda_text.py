"""Is a loop plan written as the CUDA text that it means, and does that text compute NumPy's answer?

The answers are those of the text compiled for the CPU, with blocks and threads as loops (``tests/cuda_texts.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyfuse.backend.c_library.library import functions
from pyfuse.backend.c_text import application
from pyfuse.backend.cuda.launch_shape import NestShape, Walk, grid_of
from pyfuse.backend.cuda.library_text import device_closure, device_functions, problem_of
from pyfuse.diagnostics import Code
from pyfuse.errors import CannotFuse
from pyfuse.graph.infer import FUSED_CODES, resolve
from pyfuse.graph.ops import OPERATIONS, Operation
from tests.cuda_compiler import NVCC, nvcc
from tests.cuda_texts import COMPILER, cuda_source, kernels_text, most_ulps, run_on_shim, same_bits
from tests.sample_programs import BY_INDICES, PROGRAMS

needs_nvcc = pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")

MAPS = [
    name
    for name in PROGRAMS
    if all(shape.walk is Walk.MAP for shape in cuda_source(PROGRAMS[name].function, *PROGRAMS[name].arguments).shapes)
]

# Operations that C has a text for and a device has none: powers of signed integers, of which NumPy raises ValueError
# where the exponent is negative.
WITHOUT_DEVICE_TEXT = {("power", code) for code in ("b1", "i1", "i2", "i4", "i8")}


def device_text(operation: Operation, code: str) -> list[str] | None:
    """The library functions behind an operation on operands of one dtype; None where C has no text for it either."""
    dtype = np.dtype(code)
    try:
        if operation.is_ufunc:
            loop, results = resolve(operation, [dtype] * operation.operand_count)
        elif operation.name == "select":
            loop, results = (np.dtype("b1"), dtype, dtype), (dtype,)
        elif operation.name in ("real", "imag"):
            if dtype.kind != "c":
                return None
            loop, results = (dtype,), (np.dtype(f"f{dtype.itemsize // 2}"),)
        else:
            loop, results = (dtype,) * operation.operand_count, (dtype,)
        expression = application(operation.name, ["a", "b", "c"][: operation.operand_count], loop, results[0])
    except CannotFuse:
        return None
    return device_closure(expression.calls)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in ("argmax", "argmin", "cast", "replay_if")])
def test_every_operation_with_c_text_has_cuda_text(name: str) -> None:
    pytest.importorskip("scipy.special")
    missing = set()
    for code in sorted(FUSED_CODES):
        try:
            device_text(OPERATIONS[name], code)
        except CannotFuse:
            missing.add((name, code))
    assert missing == {pair for pair in WITHOUT_DEVICE_TEXT if pair[0] == name}


def test_every_cast_with_c_text_has_cuda_text() -> None:
    count = 0
    for source in sorted(FUSED_CODES):
        for target in sorted(FUSED_CODES):
            try:
                expression = application("cast", ["a"], [np.dtype(source)], np.dtype(target))
            except CannotFuse:
                continue
            device_closure(expression.calls)
            count += 1
    assert count > 150


def test_a_value_that_numpy_raises_for_has_no_device_text() -> None:
    assert problem_of(device_functions()["pf_replay_if_f8"]) is not None
    assert problem_of(device_functions()["pf_power_u4"]) is None


def test_the_device_has_the_functions_that_c_has() -> None:
    parts = {"pf_half_excess", "pf_arcsinh_parts"}  # of functions that C has of libm
    assert set(device_functions()) == set(functions()) | parts


@needs_nvcc
def test_every_function_of_the_library_is_compiled_for_a_device(tmp_path: Path) -> None:
    """Called from one kernel, so that nvcc generates code for each."""
    names = [
        name
        for name in functions()
        if name.startswith("pf_") and problem_of(device_functions()[name]) is None and _is_usable(name)
    ]
    assert len(names) > 1000
    text = _without_kernels(cuda_source(PROGRAMS["multiply_add"].function, *PROGRAMS["multiply_add"].arguments).text)
    texts = [text, *device_closure(names), *_callers(names)]
    done = nvcc(tmp_path, "\n".join(texts))
    assert done.returncode == 0, done.stderr[:3000]


def _is_usable(name: str) -> bool:
    try:
        device_closure([name])
    except CannotFuse:
        return False
    return "restrict" not in functions()[name].text and "static const" not in functions()[name].text


def _without_kernels(text: str) -> str:
    return text[: text.index("typedef pf_i")]


def _callers(names: list[str]) -> list[str]:
    """A kernel for each function: it reads the operands and writes the result through pointers."""
    kernels = []
    for name in names:
        function = device_functions()[name]
        head = re.search(rf"([\w ]+?[ *]){name}\((.*?)\)", function.text.replace("\n", " "))
        if head is None or head[2].strip() in ("", "void") or "[" in head[2]:
            continue
        result = re.sub(r"static|inline|extern|__attribute__|const|noinline", "", head[1]).strip()
        types = [
            re.sub(r"\bconst\b|\w+$", "", part.strip() + ("" if " " in part.strip() else " x"))
            for part in head[2].split(",")
        ]
        if "*" in result or "void" in result or any("void" in kind for kind in types):
            continue
        parameters = ", ".join(f"{kind.strip()} a{place}" for place, kind in enumerate(types))
        arguments = ", ".join(f"a{place}" for place in range(len(types)))
        kernels.append(
            f'extern "C" __global__ void k_{name}({result} *r, {parameters}) {{ *r = {name}({arguments}); }}'
        )
    assert len(kernels) > 900
    return kernels


# --- the text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_kernels_of_a_program_read_as_pinned(name: str, golden: Callable[[str, str], None]) -> None:
    program = PROGRAMS[name]
    golden(f"cuda_{name}", kernels_text(cuda_source(program.function, *program.arguments)))


def across(x: Any, y: Any, z: Any) -> Any:
    return x.T * y + z


def test_squares_read_as_pinned(golden: Callable[[str, str], None]) -> None:
    source = cuda_source(across, np.ones((70, 40)), np.ones((40, 70)), np.ones(70))
    assert [shape.walk for shape in source.shapes] == [Walk.TILES]
    golden("cuda_squares", kernels_text(source))


@needs_compiler
@pytest.mark.parametrize("is_wide", [False, True])
@pytest.mark.parametrize("code", ["i1", "f2", "f4", "f8", "c16"])
def test_squares_compute_what_numpy_computes(code: str, is_wide: bool, tmp_path: Path) -> None:
    for rows, columns in ((32, 32), (33, 70), (100, 31), (64, 95)):
        x, y, z = (numbers(np.empty(shape, code), rows) for shape in ((columns, rows), (rows, columns), (columns,)))
        with np.errstate(all="ignore"):
            assert same_bits(run_on_shim(tmp_path, across, x, y, z, is_wide=is_wide), across(x, y, z))
            assert same_bits(run_on_shim(tmp_path, across, x, y.T.copy().T, z[::-1]), across(x, y.T.copy().T, z[::-1]))
    cube = numbers(np.empty((3, 40, 50), code), 1)
    turned = cube.transpose(0, 2, 1)
    assert same_bits(run_on_shim(tmp_path, summed, turned.copy(), turned), summed(turned.copy(), turned))
    assert same_bits(run_on_shim(tmp_path, summed, cube.copy(), cube[:, ::-1]), summed(cube.copy(), cube[:, ::-1]))


def summed(x: Any, y: Any) -> Any:
    return x + y


def test_squares_are_taken_where_they_are_full_and_shared_memory_holds_them() -> None:
    def walks(shape: tuple[int, int], code: str, function: Any = summed) -> list[Walk]:
        source = cuda_source(function, np.ones(shape, code), np.ones(shape[::-1], code).T)
        return [shape.walk for shape in source.shapes]

    assert walks((32, 40), "f8") == [Walk.TILES]
    assert walks((31, 40), "f8") == [Walk.MAP]


@needs_nvcc
@pytest.mark.parametrize("code", ["f4", "f8", "c16"])
def test_squares_are_compiled_without_spills(code: str, tmp_path: Path) -> None:
    text = cuda_source(across, np.ones((70, 40), code), np.ones((40, 70), code), np.ones(70, code)).text
    done = nvcc(tmp_path, text, "-Xptxas", "-v")
    assert done.returncode == 0, done.stderr
    assert "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" in done.stderr


@needs_nvcc
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_kernel_is_compiled_without_spills(name: str, tmp_path: Path) -> None:
    program = PROGRAMS[name]
    for is_wide in (False, True):
        text = cuda_source(program.function, *program.arguments, is_wide=is_wide).text
        done = nvcc(tmp_path, text, "-Xptxas", "-v")
        assert done.returncode == 0, done.stderr
        assert "error" not in done.stderr
        frames = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", done.stderr)
        assert frames and set(frames) == {("0", "0", "0")}
        assert all(int(count) <= 64 for count in re.findall(r"Used (\d+) registers", done.stderr))


@pytest.mark.parametrize("name", MAPS)
def test_a_text_includes_nothing_and_loads_before_it_computes(name: str) -> None:
    program = PROGRAMS[name]
    text = cuda_source(program.function, *program.arguments).text
    assert "#include" not in text
    for kernel in text.split('extern "C" __global__')[1:]:
        fours, returns, rest = kernel.rpartition("    return;\n")
        if returns and "taken_" in fours:
            load, compute = fours.split("#pragma unroll")
            assert load.count("const four taken_") == load.count("*(const four *)(p")
            assert not re.search(r"\(const four \*\)| = \*?\(?p\d", compute)
        if "loaded_" in kernel and "pf_place_" not in kernel:  # what is read at computed places waits for them
            load, compute = rest.split("#pragma unroll")[1:3]
            assert "loaded_" in load and "? beside : columns - 1" in load
            assert not re.search(r" = \*?\(?p\d", compute.partition("if (i < columns)")[0])


def test_what_is_not_written_is_refused_with_its_reason() -> None:
    unaligned = np.zeros(41, "i1")[1:].view("f8")
    with pytest.raises(CannotFuse) as refusal:
        cuda_source(doubled, unaligned)
    assert refusal.value.diagnostic.code is Code.UNSUPPORTED_ARRAY


def doubled(x: Any) -> Any:
    return x + x


def test_a_thread_has_sixteen_bytes_of_the_widest_operand() -> None:
    for code, count in (("f4", 4), ("f8", 2), ("c16", 1), ("i1", 4), ("f2", 4)):
        (shape,) = cuda_source(doubled, np.ones(5, code)).shapes
        assert shape == NestShape(per_thread=count, widest=256)


def test_blocks_cover_every_row_and_column() -> None:
    for rows, columns in ((1, 1), (1, 1025), (3, 5), (70_000, 3), (2**26, 300), (1, 2**31), (300, 300)):
        for per_thread in (1, 4):
            grid = grid_of(NestShape(per_thread=per_thread, widest=256), rows, columns)
            width, height, _ = grid.block
            column_blocks, row_blocks, layers = grid.blocks
            assert width * height <= 256
            assert column_blocks * width * per_thread >= columns
            assert (column_blocks - 1) * width * per_thread < columns
            assert row_blocks * layers * height >= rows
            assert max(row_blocks, layers) < 65_536


def test_indices_have_the_width_that_the_arrays_need() -> None:
    small = cuda_source(doubled, np.ones(5))
    large = cuda_source(doubled, np.broadcast_to(np.ones(1, "i1"), (2**31,)))
    assert not small.is_wide and "typedef pf_i4 pf_index;" in small.text
    assert large.is_wide and "typedef pf_i8 pf_index;" in large.text


# --- the answers --------------------------------------------------------------------------------------------------


def numbers(like: Any, seed: int) -> Any:
    """Random numbers in the form of an array."""
    if not isinstance(like, np.ndarray):
        return like
    rng = np.random.default_rng(seed)
    values = rng.normal(size=like.shape) * 5 + (rng.normal(size=like.shape) * 1j if like.dtype.kind == "c" else 0)
    made = np.empty_like(like)
    made[...] = (values + (like.dtype.kind in "iu") * 20).astype(like.dtype)
    return made


@needs_compiler
@pytest.mark.parametrize("is_wide", [False, True])
@pytest.mark.parametrize("name", [name for name in MAPS if name not in BY_INDICES])
def test_a_program_computes_what_numpy_computes(name: str, is_wide: bool, tmp_path: Path) -> None:
    program = PROGRAMS[name]
    arguments = [numbers(argument, seed) for seed, argument in enumerate(program.arguments)]
    with np.errstate(all="ignore"):
        expected = program.function(*arguments)
    result = run_on_shim(tmp_path, program.function, *arguments, is_wide=is_wide)
    if name == "hoisted_row_value":  # it calls exp
        assert most_ulps(result, program.function(*[array.astype(np.longdouble) for array in arguments])) <= 3
    else:
        assert same_bits(result, expected)


def blend(x: Any, y: Any, z: Any) -> Any:
    return np.where(x > y, x * 2 - z, y) + np.abs(z)


@needs_compiler
@pytest.mark.parametrize("is_wide", [False, True])
def test_arrays_of_any_strides_are_walked_as_they_lie(is_wide: bool, tmp_path: Path) -> None:
    base = np.random.default_rng(3).normal(size=(9, 14, 300))
    forms = [
        (base[0, 0], base[1, 0], base[2, 0]),
        (base, base[::-1], base[:, ::-1, ::-1]),
        (base[..., ::3], base[:, :1, :100], base[:1, :, 100:200]),
        (base.transpose(2, 0, 1), base.transpose(2, 0, 1)[:1], np.ones((1, 9, 1))),
        (base[0, 0, 0], base[0, :5, :4], base[0, :5, :1]),
        (np.zeros((0, 4)),) * 3,
        (base[:, 0, 0], base[0, :9, 0], base[0, 0, :9]),
        (np.asfortranarray(base), base, base),
    ]
    for x, y, z in forms:
        expected = blend(x, y, z)
        result = run_on_shim(tmp_path, blend, x, y, z, is_wide=is_wide)
        assert same_bits(result, expected)
        assert not expected.size or result.strides == expected.strides


def arithmetic(x: Any, y: Any) -> Any:
    return x + y, x * y - x, x == y, np.maximum(x, y), x.astype(np.float32)


@needs_compiler
@pytest.mark.parametrize("code", sorted(FUSED_CODES - {"b1"}))
def test_every_dtype_is_computed_as_numpy_computes_it(code: str, tmp_path: Path) -> None:
    x, y = (numbers(np.empty(3000, code), seed) for seed in (1, 2))
    with np.errstate(all="ignore"):
        if code.startswith("c"):
            assert same_bits(run_on_shim(tmp_path, complex_arithmetic, x, y), complex_arithmetic(x, y))
        else:
            assert same_bits(run_on_shim(tmp_path, arithmetic, x, y), arithmetic(x, y))


def complex_arithmetic(x: Any, y: Any) -> Any:
    return x + y, x * y - x, x == y, np.conj(x), x.real


def functions_of_floats(x: Any) -> Any:
    size = np.abs(x)
    return (
        np.exp(x), np.exp2(x), np.expm1(x), np.log(size), np.log2(size), np.log10(size), np.log1p(size), np.sin(x),
        np.cos(x), np.tan(x), np.tanh(x), np.sinh(x), np.cosh(x), np.arctan(x), np.sqrt(size), np.cbrt(x),
    )  # fmt: skip


@needs_compiler
@pytest.mark.parametrize("code", ["f4", "f8"])
def test_functions_are_near_and_rare_arguments_are_computed(code: str, tmp_path: Path) -> None:
    """Of those that are CUDA's own the CPU's are taken here; tests/gpu measures a device's."""
    x = np.concatenate([numbers(np.empty(2000, code), 5), np.array([0.0, -0.0, 1e30, -1e5, np.inf, np.nan], code)])
    with np.errstate(all="ignore"):
        exact = functions_of_floats(x.astype(np.longdouble))
    for place, (mine, theirs) in enumerate(zip(run_on_shim(tmp_path, functions_of_floats, x), exact, strict=True)):
        assert mine.dtype == code
        assert most_ulps(mine, theirs) <= 4, place


def test_the_text_of_a_call_is_always_the_same() -> None:
    program = PROGRAMS["several_outputs"]
    assert cuda_source(program.function, *program.arguments) == cuda_source(program.function, *program.arguments)


@needs_compiler
@pytest.mark.parametrize("name", ["loop_in_the_kernel", "loop_with_index_and_time"])
@pytest.mark.parametrize("turns", [2, 3, 40])
def test_a_loop_inside_a_kernel_runs_for_each_element(name: str, turns: int, tmp_path: Path) -> None:
    function = PROGRAMS[name].function
    chance = np.random.default_rng(3)
    x = chance.normal(size=(6, 70))
    arguments = (x + 1j * chance.normal(size=x.shape), turns) if name == "loop_in_the_kernel" else (x, turns, 0.125)
    result, expected = run_on_shim(tmp_path, function, *arguments), function(*arguments)
    assert same_bits(result, expected)


def odd_numbers(x: Any, turns: int) -> Any:
    for i in range(turns):
        x = x / (2 * i + 1)
    return x


def test_arithmetic_with_the_index_of_a_loop_has_a_text() -> None:
    assert "replay" not in cuda_source(odd_numbers, np.ones(5), 30).text


def factorials(x: Any, turns: int) -> Any:
    k = 1
    for i in range(1, turns):
        k = k * i
        x = x + 1 / k
    return x


@pytest.mark.xfail(
    strict=True, raises=CannotFuse, reason="an integer that may become long asks for the original: a device has none"
)
def test_integers_that_a_loop_carries_have_a_text() -> None:
    cuda_source(factorials, np.ones(5), 30)

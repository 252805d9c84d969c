"""Is a loop plan written as the C that it means: pointers, strides, hoisting, literals, status?"""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyfuse import config
from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_text import application, cast, literal
from pyfuse.backend.cpu.codegen import write
from pyfuse.backend.interface import BuiltKernel, KernelSource
from pyfuse.backend.registry import BACKENDS, backend_named
from pyfuse.diagnostics import Code
from pyfuse.errors import CannotFuse
from pyfuse.graph.draft import GraphDraft
from pyfuse.graph.nodes import Number, Origin, Output
from pyfuse.graph.plan_loops import plan_loops
from tests.sample_programs import PROGRAMS
from tests.stage_texts import stage_texts

F2, F4, F8, I4, I8, C16, B1 = (np.dtype(code) for code in ("f2", "f4", "f8", "i4", "i8", "c16", "b1"))
HERE = Origin()


def kernel(draft: GraphDraft, outputs: Sequence[int], *layouts: str) -> str:
    """The nests' text for layouts such as ``"1:u,s"``."""
    graph = draft.finish([Output(node=node) for node in outputs])
    parsed = [
        NestLayout(outer_rank=int(text.partition(":")[0]), operands=tuple(text.partition(":")[2].split(",")))
        for text in layouts
    ]
    text = write(plan_loops(graph), parsed).text
    return text[text.index("unsigned nest_0_body(") :]


def doubled(dtype: np.dtype, layout: str) -> str:
    """A kernel of one input and one output."""
    draft = GraphDraft()
    x = draft.add_input(dtype, [False, False, False], Origin(name="x"))
    (total,) = draft.apply("add", (x, x), (dtype,), HERE)
    return kernel(draft, [total], layout)


def inner_loop(text: str) -> str:
    return text[text.index("for (pf_i8 i =") : text.index("return status")]


# --- operands -----------------------------------------------------------------------------------------------------


def test_an_operand_of_unit_stride_is_an_array() -> None:
    text = doubled(F8, "0:u,u")
    assert "pf_f8 *r0 = (pf_f8 *)(operands[1]);" in text
    assert "pf_f8 *restrict p0 = in_tiles ? tile0 - begin : r0;" in text
    assert "const pf_f8 *p1 = (const pf_f8 *)(operands[0]);" in text
    assert "p0[i] =" in text


def test_a_strided_operand_is_stepped_in_bytes() -> None:
    text = doubled(F8, "0:s,s")
    assert "const pf_i8 d0 = geometry[0];" in text
    assert "const pf_i8 d1 = geometry[1];" in text
    assert "*(pf_f8 *)(p0 + i * d0) =" in text
    assert "*(const pf_f8 *)(p1 + i * d1)" in text


def test_an_unaligned_operand_is_read_as_one() -> None:
    assert "const pf_f8_unaligned *p1 = (const pf_f8_unaligned *)" in doubled(F8, "0:u,un")
    assert "*(const pf_f8_unaligned *)(p1 + i * d1)" in doubled(F8, "0:u,sn")
    assert "*(const pf_f8_unaligned *)(p1)" in doubled(F8, "0:u,bn")


def test_each_outer_dimension_moves_every_operand_by_a_stride_of_its_own() -> None:
    text = doubled(F8, "2:u,s")
    assert "operands[1] + x0 * geometry[2] + x1 * geometry[3]" in text
    assert "operands[0] + x0 * geometry[5] + x1 * geometry[6]" in text
    assert "const pf_i8 d1 = geometry[7];" in text


def test_the_first_row_is_found_from_its_number_and_the_next_by_counting() -> None:
    text = doubled(F8, "3:u,u")
    assert "pf_i8 x2 = rest % geometry[2]; rest /= geometry[2];" in text
    assert "pf_i8 x1 = rest % geometry[1]; rest /= geometry[1];" in text
    assert "if (++x2 == geometry[2]) { x2 = 0; if (++x1 == geometry[1]) { x1 = 0; ++x0; } }" in text


def test_one_outer_dimension_needs_no_division() -> None:
    assert "%" not in doubled(F8, "1:u,u")


def test_a_bool_array_may_hold_any_byte() -> None:
    draft = GraphDraft()
    x = draft.add_input(B1, [False], Origin(name="x"))
    (inverse,) = draft.apply("logical_not", (x,), (B1,), HERE)
    assert "const pf_b1 x_0 = p1[i] != 0;" in kernel(draft, [inverse], "0:u,u")


def test_every_array_is_read_once_however_often_it_is_used() -> None:
    for name in PROGRAMS:
        nests = stage_texts(PROGRAMS[name].function, *PROGRAMS[name].arguments).nests
        for nest in nests.split("#pragma GCC ivdep")[1:]:
            loop = nest.partition("}")[0]
            reads = re.findall(r"= (p\d+\[i\]|\*\(const \w+ \*\)\(p\d+[^;]*\));", loop)
            assert len(reads) == len(set(reads)), name


# --- values -------------------------------------------------------------------------------------------------------


def test_what_does_not_change_along_a_row_is_computed_before_it() -> None:
    draft = GraphDraft()
    column, row = draft.add_input(F8, [False, True], HERE), draft.add_input(F8, [True, False], HERE)
    (heavy,) = draft.apply("exp", (column,), (F8,), HERE)
    (product,) = draft.apply("multiply", (heavy, row), (F8,), HERE)
    text = kernel(draft, [product], "1:u,b,u")
    assert "pf_exp_f8" not in inner_loop(text)
    assert "pf_exp_f8" in text


def test_an_operand_whose_stride_happens_to_be_zero_is_hoisted_too() -> None:
    assert "const pf_f8 x_0" not in inner_loop(doubled(F8, "0:u,b"))


def test_scalars_are_read_from_slots_of_sixteen_bytes() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], HERE)
    first, second = draft.add_scalar(F8, HERE), draft.add_scalar(F4, Origin(name="scale"))
    (total,) = draft.apply("add", (x, first), (F8,), HERE)
    (scaled,) = draft.apply("multiply", (total, draft.cast(second, F8, HERE, is_implicit=True)), (F8,), HERE)
    text = kernel(draft, [scaled], "0:u,u")
    assert "= *(const pf_f8 *)(scalars + 0);" in text
    assert "scale_3 = *(const pf_f4 *)(scalars + 16);" in text


@pytest.mark.parametrize(("name", "word"), [("x", "x_0"), ("größe", "gre_0"), ("λ", "t_0"), ("", "t_0")])
def test_variables_carry_the_users_names_as_far_as_c_has_the_letters(name: str, word: str) -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], Origin(name=name))
    (total,) = draft.apply("add", (x, x), (F8,), HERE)
    assert f"const pf_f8 {word} = p1[i];" in kernel(draft, [total], "0:u,u")


def test_an_operation_of_two_results_is_called_once() -> None:
    draft = GraphDraft()
    x = draft.add_input(I4, [False], HERE)
    pair = draft.apply("divmod", (x, x), (I4, I4), HERE)
    text = kernel(draft, list(pair), "0:u,u,u")
    assert text.count("pf_divmod_i4(") == 1
    assert "p0[i] = first_1;" in text and "p1[i] = second_1;" in text


def test_the_second_result_alone_is_the_second_result() -> None:
    draft = GraphDraft()
    x = draft.add_input(I4, [False], HERE)
    text = kernel(draft, [draft.apply("divmod", (x, x), (I4, I4), HERE)[1]], "0:u,u")
    assert re.search(r"p0\[i\] = second_\d+;", text)


def test_a_function_that_reports_gets_the_status() -> None:
    draft = GraphDraft()
    x = draft.add_input(I4, [False], HERE)
    text = kernel(draft, [draft.apply("floor_divide", (x, x), (I4,), HERE)[0]], "0:u,u")
    assert "pf_floor_divide_i4(t_0, t_0, &status)" in text
    assert "return status;" in text


def test_only_a_kernel_with_careful_functions_is_written_twice() -> None:
    draft = GraphDraft()
    x = draft.add_input(C16, [False], HERE)
    assert "nest_0_careful" in kernel(draft, [draft.apply("divide", (x, x), (C16,), HERE)[0]], "0:u,u")
    assert "careful(" not in doubled(F8, "0:u,u")


def test_float16_is_rounded_after_every_operation() -> None:
    draft = GraphDraft()
    x = draft.add_input(F2, [False], HERE)
    (product,) = draft.apply("multiply", (x, x), (F2,), HERE)
    (total,) = draft.apply("add", (product, x), (F2,), HERE)
    assert kernel(draft, [total], "0:u,u").count("pf_cast_f2_f4(") == 2


def test_an_operation_without_text_is_refused() -> None:
    with pytest.raises(CannotFuse) as refusal:
        application("gcd", ["x", "y"], [F8, F8], F8)
    assert refusal.value.diagnostic.code is Code.UNSUPPORTED_OPERATION


def test_a_cast_to_the_same_dtype_is_nothing() -> None:
    assert cast("x", F8, F8).text == "x"


# --- literals -----------------------------------------------------------------------------------------------------

LITERALS: list[tuple[Number, str, str]] = [
    (True, "b1", "1"),
    (0.1, "f8", "0x1.999999999999ap-4"),
    (0.1, "f4", "0x1.99999a0000000p-4f"),
    (-0.0, "f8", "(-0x0.0p+0)"),
    (math.nan, "f8", '__builtin_nan("")'),
    (-math.inf, "f4", "(-__builtin_inff())"),
    (1.0, "f2", "0x3c00"),
    (-3, "i4", "(-3)"),
    (-(2**31), "i4", "(-2147483647 - 1)"),
    (-(2**63), "i8", "(-9223372036854775807LL - 1)"),
    (2**64 - 1, "u8", "18446744073709551615ULL"),
    (2j, "c16", "(pf_c16){0x0.0p+0, 0x1.0000000000000p+1}"),
]


@pytest.mark.parametrize(("value", "code", "text"), LITERALS)
def test_a_number_is_written_without_loss(value: Number, code: str, text: str) -> None:
    assert literal(value, np.dtype(code)) == text


# --- whole texts --------------------------------------------------------------------------------------------------


# Row nests do not use ``inner_begin`` and ``inner_end``; nests of parts declare more variables than they use.


@pytest.mark.usefixtures("c_compiler")
@pytest.mark.parametrize(
    "name",
    PROGRAMS,
)
def test_kernels_of_sample_programs_compile_without_a_warning(name: str, tmp_path: Path) -> None:
    """Strictest of ordinary warnings; unused library functions are none."""
    from pyfuse.backend.cpu.backend import prepare_toolchain

    toolchain, _ = prepare_toolchain(config.current())
    flags = [
        "-std=gnu11",
        "-fsyntax-only",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unused-function",
        "-Wno-unknown-pragmas",
    ]
    path = tmp_path / f"{name}.c"
    path.write_text(stage_texts(PROGRAMS[name].function, *PROGRAMS[name].arguments).kernel, encoding="utf-8")
    done = subprocess.run([*toolchain.command, *flags, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_kernel_holds_no_library_function_that_nothing_calls(name: str) -> None:
    kernel_text = stage_texts(PROGRAMS[name].function, *PROGRAMS[name].arguments).kernel
    for defined in re.findall(r"^static inline [^\n(]*?\b(pf_\w+)\(", kernel_text, re.MULTILINE):
        assert len(re.findall(rf"\b{defined}\b", kernel_text)) > 1, defined


# --- the backend that only writes ---------------------------------------------------------------------------------

SOURCE = KernelSource(language="c", text="", nest_count=1)
BUILT = BuiltKernel(path=Path("nowhere"), was_cached=False, build_seconds=0.0)


def test_the_source_only_backend_writes_what_the_cpu_backend_writes() -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], HERE)
    graph = draft.finish([Output(node=draft.apply("sqrt", (x,), (F8,), HERE)[0])])
    layouts = [NestLayout(outer_rank=0, operands=("u", "u"))]
    texts = {name: backend_named(name).write(plan_loops(graph), layouts) for name in ("cpu", "source_only")}
    assert texts["cpu"] == texts["source_only"]


@pytest.mark.parametrize(
    ("job", "code"),
    [
        (lambda backend: backend.build(SOURCE, config.current()), Code.NO_COMPILER),
        (lambda backend: backend.load(SOURCE, BUILT, config.current()), Code.LOAD_FAILED),
    ],
)
def test_the_source_only_backend_refuses_to_build_and_to_load(job: Callable[[Any], Any], code: Code) -> None:
    with pytest.raises(CannotFuse) as refusal:
        job(backend_named("source_only"))
    assert refusal.value.diagnostic.code is code
    assert "source_only" in refusal.value.diagnostic.message


def test_every_backend_answers_to_its_name() -> None:
    assert {name: backend_named(name).name for name in BACKENDS} == {name: name for name in BACKENDS}


def test_an_unknown_backend_is_an_error() -> None:
    with pytest.raises(KeyError):
        backend_named("abacus")


# --- what the compiler is told of loops -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "is_short", "is_plain"), [("add", True, True), ("divide", True, False), ("exp", False, False)]
)
def test_short_bodies_are_unrolled_plain_ones_use_narrow_vectors_long_ones_are_scheduled(
    operation, is_short, is_plain
) -> None:
    draft = GraphDraft()
    x = draft.add_input(F8, [False], Origin(name="x"))
    operands = (x,) if operation == "exp" else (x, x)
    made = draft.apply(operation, operands, (F8,), HERE)[0]
    text = write(plan_loops(draft.finish([Output(node=made)])), [NestLayout(outer_rank=0, operands=("u", "u"))]).text
    assert ("#pragma GCC unroll 4" in text) is is_short
    assert ('#pragma GCC target("prefer-vector-width=256")' in text) is is_plain
    assert ('#pragma GCC optimize("schedule-insns")' in text) is not is_short

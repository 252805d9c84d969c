"""The frame around a nest's statements: the kernel's name, parameters and launch bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from pyfuse.backend.cpu.step_text import indented
from pyfuse.backend.cuda.launch_shape import NestShape, threads_of

_REPORTING = "pf_place_raise("  # the check of an index of which NumPy raises
ROW_BLOCK = "((pf_index)blockIdx.z * gridDim.y + blockIdx.y)"  # as launch_shape.Grid counts them


class WrittenNest(NamedTuple):
    """A kernel's text, how it is launched, and the library functions that it calls."""

    text: str
    shape: NestShape
    calls: set[str]


def finished_kernel(
    name: str, body: Sequence[str], shape: NestShape, calls: set[str], *, has_scalars: bool
) -> WrittenNest:
    """The kernel around a body.

    Args:
        name: of the kernel; it ends in its number.
        body: statements.
        shape: how it is launched.
        calls: library functions in the body.
        has_scalars: whether the kernel takes scalars, needed here or not.
    """
    reports = any(_REPORTING in line for line in body)
    parameters = [
        "const pf_operands operands",
        *(["const pf_scalars scalars"] if has_scalars else []),
        f"const pf_geometry_{name.rpartition('_')[2]} geometry",
        *(["unsigned *report"] if reports else []),
    ]
    last = ["if (status & PF_REPLAY) *report = PF_REPLAY;"] if reports else []
    lines = [
        f'extern "C" __global__ void __launch_bounds__({threads_of(shape)}) {name}(',
        f"    {', '.join(parameters)})",
        "{",
        *indented(1, [*_flags(body), *body, *last]),
        "}",
    ]
    return WrittenNest("\n".join(lines), replace(shape, reports=reports), calls)


def _flags(body: Sequence[str]) -> list[str]:
    """What library functions take beside operands: where to report to, and that rare arguments are computed too."""
    text = "\n".join(body)
    found = []
    if "&status" in text:
        found.append("unsigned status = 0;")
    if ", careful)" in text:
        found.append("const int careful = 1;")
    return found

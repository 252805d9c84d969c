"""CUDA text of a call, and that text run on the CPU: blocks and threads as loops of a C++ program."""

from __future__ import annotations

import ctypes
import dataclasses
import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from pyfuse.backend.cuda.codegen import write
from pyfuse.backend.cuda.launch_shape import (
    CudaSource,
    NestStart,
    needs_wide,
    nest_starts,
    nest_traits,
    temporary_sizes,
)
from pyfuse.backend.cuda.library_text import ROUGH_RECIPROCAL
from pyfuse.backend.interface import BuiltKernel, NestLaunch, PreparedLaunch
from pyfuse.call_geometry import CallGeometry, call_geometry, evaluate_inputs
from pyfuse.compiler import LoadedKernel, Specialization
from pyfuse.launch import all_buffers, make_launch
from tests.stage_texts import specialization_of

COMPILER = shutil.which("g++")

# A block's threads are coroutines that run in turn from one point where they meet to the next: each shuffle and each
# __syncthreads is such a point, and all of a block's threads come to the same ones.
_SHIM = """\
#include <cmath>
#include <cstring>
#include <cstdlib>
#include <csetjmp>
#include <ucontext.h>
#define __global__
#define __device__
#define __shared__ static
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(threads)
struct shim_place { unsigned x, y, z; };
static shim_place blockIdx, threadIdx, blockDim, gridDim;
static double __longlong_as_double(long long bits) { double x; std::memcpy(&x, &bits, sizeof x); return x; }
static float __int_as_float(int bits) { float x; std::memcpy(&x, &bits, sizeof x); return x; }
static int __popc(unsigned x) { return __builtin_popcount(x); }
struct shim_thread { ucontext_t context; jmp_buf here; shim_place place; bool is_started, is_done; char *stack; };
static jmp_buf shim_block;
static shim_thread shim_threads[1024], *shim_current;
static unsigned shim_slots[1024];
static void (*shim_body)();
static void shim_meet() { if (!_setjmp(shim_current->here)) _longjmp(shim_block, 1); }
static void __syncthreads() { shim_meet(); }
static unsigned __shfl_xor_sync(unsigned, unsigned value, int distance)
{
    const unsigned own = threadIdx.y * blockDim.x + threadIdx.x;
    shim_slots[own] = value;
    shim_meet();
    const unsigned other = shim_slots[own ^ distance];
    shim_meet();
    return other;
}
static unsigned __shfl_up_sync(unsigned, unsigned value, int distance)
{
    const unsigned own = threadIdx.y * blockDim.x + threadIdx.x;
    shim_slots[own] = value;
    shim_meet();
    const unsigned other = own % 32 < (unsigned)distance ? value : shim_slots[own - distance];
    shim_meet();
    return other;
}
static void shim_start()
{
    for (;;) {
        shim_body();
        shim_current->is_done = true;
        shim_meet();
    }
}
static void shim_resume(shim_thread &thread)
{
    shim_current = &thread;
    threadIdx = thread.place;
    if (_setjmp(shim_block)) return;
    if (thread.is_started) _longjmp(thread.here, 1);
    thread.is_started = true;
    if (!thread.stack) thread.stack = (char *)std::malloc(65536);
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack;
    thread.context.uc_stack.ss_size = 65536;
    makecontext(&thread.context, shim_start, 0);
    setcontext(&thread.context);
}
static void shim_run_block()
{
    const unsigned count = blockDim.x * blockDim.y;
    for (unsigned number = 0; number < count; ++number) {
        shim_threads[number].is_done = false;
        shim_threads[number].place = shim_place{number % blockDim.x, number / blockDim.x, 0};
    }
    for (unsigned left = count; left;) {
        left = 0;
        for (unsigned number = 0; number < count; ++number) {
            if (shim_threads[number].is_done) continue;
            shim_resume(shim_threads[number]);
            left += !shim_threads[number].is_done;
        }
    }
}
"""

_ROUGH_RECIPROCAL = "static pf_f8 pf_rough_reciprocal(pf_f8 x) { return (1 + 0x1p-20) / x; }"
_ENTRY = """
static const char *shim_parameters_{number};
static void shim_body_{number}()
{{
    const char *parameters = shim_parameters_{number};
    pyfuse_nest_{number}({arguments});
}}
extern "C" void shim_{number}(
    const char *parameters, unsigned blocks, unsigned rows, unsigned layers, unsigned width, unsigned height)
{{
    shim_parameters_{number} = parameters;
    shim_body = shim_body_{number};
    blockDim = shim_place{{width, height, 1}};
    gridDim = shim_place{{blocks, rows, layers}};
    for (unsigned block = 0; block < blocks * rows * layers; ++block) {{
        blockIdx = shim_place{{block % blocks, block / blocks % rows, block / blocks / rows}};
        if ({meets})
            shim_run_block();
        else
            for (unsigned y = 0; y < height; ++y)
                for (unsigned x = 0; x < width; ++x) {{
                    threadIdx = shim_place{{x, y, 0}};
                    shim_body();
                }}
    }}
}}
"""


def geometry_of(specialization: Specialization, arguments: Sequence[Any]) -> CallGeometry:
    """How a call's arrays lie."""
    inputs, extents = evaluate_inputs(specialization, arguments)
    return call_geometry(specialization, inputs, extents)


def source_of(geometry: CallGeometry, is_wide: bool | None = None) -> CudaSource:
    """The CUDA text for a geometry."""
    wide = needs_wide(geometry.nests) if is_wide is None else is_wide
    traits = nest_traits(geometry.plan, geometry.nests)
    return write(geometry.plan, geometry.layouts, is_wide=wide, traits=traits)


def cuda_source(function: Callable[..., Any], *arguments: Any, is_wide: bool | None = None) -> CudaSource:
    """The CUDA text of a call with positional arguments, NumPy arrays here. Raises CannotFuse as the compiler does."""
    geometry = geometry_of(specialization_of(function, *arguments), arguments)
    return source_of(geometry, is_wide)


def kernels_text(source: CudaSource) -> str:
    """The text after the library functions, with the parameter types."""
    text = source.text
    types = text[text.index("typedef pf_i4 pf_index" if not source.is_wide else "typedef pf_i8 pf_index") :]
    return types[: types.index("\n\n") + 2] + text[text.index('extern "C" __global__') :]


def run_on_shim(
    folder: Path,
    function: Callable[..., Any],
    *arguments: Any,
    is_wide: bool | None = None,
    memory: Sequence[np.ndarray] = (),
) -> Any:
    """A call's result, computed by its CUDA text on the CPU, into new arrays or those that are given."""
    specialization = specialization_of(function, *arguments)
    geometry = geometry_of(specialization, arguments)
    geometry = dataclasses.replace(geometry, temporaries=temporary_sizes(geometry.temporaries, geometry.plan))
    source = source_of(geometry, is_wide)
    built = BuiltKernel(path=folder, was_cached=False, build_seconds=0.0)
    kernel = ShimKernel(source, folder)
    launch = make_launch(specialization, LoadedKernel(source=source, built=built, kernel=kernel), geometry, 1)
    inputs, _ = evaluate_inputs(specialization, arguments)
    buffers = list(memory) or all_buffers(launch)
    scalars = launch.scalars(arguments) if specialization.scalars else ()
    addresses = [array.__array_interface__["data"][0] for array in (*inputs, *buffers)]
    if launch.kernel.launch(launch.prepared, launch.pack(*addresses, *scalars)):
        raise IndexError("the kernel reports that the original must run")
    return launch.finish(buffers[: len(launch.allocate)], arguments)


class ShimKernel:
    """CUDA text compiled for the CPU."""

    def __init__(self, source: CudaSource, folder: Path) -> None:
        self.nest_count = source.nest_count
        self.report = ctypes.c_uint()
        self._source = source
        self._library = _compiled(_shim_text(source), folder)

    def prepare(self, nests: Sequence[NestLaunch], operand_count: int, thread_limit: int) -> PreparedLaunch:  # noqa: ARG002
        """Fix the geometry."""
        starts = nest_starts(self._source, nests)
        return PreparedLaunch(partial(self._start, starts), ())

    def launch(self, prepared: PreparedLaunch, packed: bytes) -> int:
        """Run."""
        return prepared.start(packed)

    def _start(self, starts: Sequence[NestStart], packed: bytes, report: int = 0) -> int:
        self.report.value = 0
        for start in starts:
            given = start.given(packed, report or ctypes.addressof(self.report))
            self.run_nest(start.number, given, start.blocks, start.block)
        return self.report.value

    def run_nest(self, number: int, parameters: bytes, blocks: Sequence[int], block: Sequence[int]) -> None:
        """Run one nest."""
        getattr(self._library, f"shim_{number}")(parameters, *blocks, *block[:2])


def _shim_text(source: CudaSource) -> str:
    entries = []
    for number in range(source.nest_count):
        found = re.search(rf"void __launch_bounds__\(\d+\) pyfuse_nest_{number}\(\n(.*)\)\n", source.text)
        assert found is not None
        offset, arguments = "0", []
        for parameter in found[1].split(","):
            if parameter.strip() == "unsigned *report":
                arguments.append(f"*(unsigned *const *)(parameters + ({offset} + 7) / 8 * 8)")
                continue
            kind = parameter.split()[1]
            arguments.append(f"*(const {kind} *)(parameters + {offset})")
            offset += f" + sizeof({kind})"
        body = source.text[found.end() :].partition("\n}")[0]
        meets = int("pf_from_lane" in body or "__syncthreads" in body)
        entries.append(_ENTRY.format(number=number, arguments=", ".join(arguments), meets=meets))
    assert ROUGH_RECIPROCAL in source.text
    return _SHIM + source.text.replace(ROUGH_RECIPROCAL, _ROUGH_RECIPROCAL) + "".join(entries)


@cache
def _compiled(text: str, folder: Path) -> ctypes.CDLL:
    assert COMPILER is not None
    stem = folder / hashlib.sha256(text.encode()).hexdigest()
    source, library = stem.with_suffix(".cc"), stem.with_suffix(".so")
    source.write_text(text)
    # Without fortified functions, which take a jump from one coroutine's stack to another's for a mistake.
    flags = (
        "-O1",
        "-std=c++17",
        "-fPIC",
        "-shared",
        "-ffp-contract=off",
        "-fwrapv",
        "-fno-strict-aliasing",
        "-w",
        "-U_FORTIFY_SOURCE",
    )
    done = subprocess.run(
        [COMPILER, *flags, str(source), "-o", str(library)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[:3000]
    return ctypes.CDLL(str(library))


def same_bits(result: Any, expected: Any) -> bool:
    """Whether two arrays, or tuples of them, have the same shapes, dtypes and bits; NaNs are equal."""
    if isinstance(expected, tuple):
        return len(result) == len(expected) and all(map(same_bits, result, expected))
    result, expected = np.asarray(result), np.asarray(expected)
    if (result.dtype, result.shape) != (expected.dtype, expected.shape):
        return False
    if expected.dtype.kind in "fc":
        return bool(np.array_equal(result, expected, equal_nan=True) and _signs(result) == _signs(expected))
    return bool(np.array_equal(result, expected))


def _signs(array: np.ndarray) -> bytes:
    """Which zeros are negative."""
    array = np.ascontiguousarray(array)
    parts = array.view(f"f{array.dtype.itemsize // 2}") if array.dtype.kind == "c" else array
    return bytes((np.signbit(parts) & (parts == 0)).tobytes())


def most_ulps(result: Any, exact: Any) -> float:
    """The largest error in units of the last place of the exact result, which has more digits."""
    result = np.asarray(result)
    with np.errstate(all="ignore"):
        rounded = np.asarray(exact).astype(result.dtype)
        unit = np.spacing(np.abs(rounded)).astype(np.longdouble)
        error = np.abs(result.astype(np.longdouble) - exact) / unit
    is_same = (result == rounded) | (np.isnan(result) & np.isnan(rounded))
    return float(np.where(is_same, np.minimum(np.nan_to_num(error), 0.5), np.nan_to_num(error, nan=np.inf)).max())

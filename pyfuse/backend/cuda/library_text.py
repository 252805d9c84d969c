"""The C library as device functions: the same text under CUDA's words, and the few definitions that read otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from pyfuse.backend.c_library.library import CFunction, closure, functions_with, prelude
from pyfuse.diagnostics import Code, refuse

_OWN_TEXT = Path(__file__).with_name("device_functions.c")

# What C calls by these names, CUDA has without the prefix; of them a device's compiler knows no other.
_BUILTINS = (
    "ceil", "ceilf", "copysign", "fabs", "fabsf", "floor", "floorf", "fma", "fmaf", "rint", "rintf", "sqrt", "sqrtf",
    "trunc", "truncf", "memcpy",
)  # fmt: skip
_OTHER_BUILTINS = (
    "#define __builtin_isunordered(a, b) ((a) != (a) || (b) != (b))",
    "#define __builtin_popcount(x) __popc(x)",
    "#define __builtin_inf() __longlong_as_double(0x7ff0000000000000ll)",
    "#define __builtin_inff() __int_as_float(0x7f800000)",
    '#define __builtin_nan(text) __longlong_as_double(0x7ff8000000000000ll)',
    '#define __builtin_nanf(text) __int_as_float(0x7fc00000)',
)  # fmt: skip

# Within a millionth; no operator means it, and a division takes many instructions.
ROUGH_RECIPROCAL = (
    "static __device__ __forceinline__ pf_f8 pf_rough_reciprocal(pf_f8 x) "
    '{ pf_f8 y; asm("rcp.approx.ftz.f64 %0, %1;" : "=d"(y) : "d"(x)); return y; }'
)

# Words of C that a device has nothing for, and what a user is told of a function that needs them.
_UNUSABLE = {
    "_Complex": "a function of complex numbers that the C library computes",
    "pf_take_memory": "memory that the kernel takes for itself",
    "pf_give_memory_back": "memory that the kernel takes for itself",
    "vector_size": "vector code of the CPU",
    "pf_is_in_tile": "memory that the kernel overwrites",
    "pf_float_flags": "the flags of the CPU",
}
# NumPy raises an exception for some values of these; a kernel on a device is not waited for, so nobody would see it.
_RAISING = frozenset({"pf_power_i"})

_UNALIGNED = re.compile(r"^typedef pf_\w+ pf_\w+_unaligned.*\n", re.MULTILINE)
_EXTERN = re.compile(r"^extern (\w+ \**)(pf_\w+)\((.*)\) __asm__\(\"(\w+)\"\);$", re.MULTILINE)
_INLINE = re.compile(r"^static inline (?:__attribute__\(\(always_inline\)\) )?", re.MULTILINE)
_OUT_OF_LINE = re.compile(r"^static __attribute__\(\(noinline\)\) ", re.MULTILINE)
_TABLE = re.compile(r"^static const ", re.MULTILINE)
_WORD = re.compile(r"\w+")


_COMPLEX_LITERAL = re.compile(r"\((pf_c\d+)\)\{([^{}]*)\}")
_COMPLEX_MAKERS = "\n".join(
    f"static __device__ __forceinline__ pf_c{size} pf_make_c{size}(pf_f{size // 2} re, pf_f{size // 2} im) "
    f"{{ pf_c{size} z; z.re = re; z.im = im; return z; }}"
    for size in (8, 16)
)


@cache
def device_functions() -> Mapping[str, CFunction]:
    """The library's definitions by name, those of ``device_functions.c`` in place of the C ones; still as C text."""
    return functions_with(_OWN_TEXT.read_text(encoding="utf-8"))


@cache
def device_prelude() -> str:
    """Types, status bits, and CUDA's names for what C calls builtins."""
    builtins = [f"#define __builtin_{name} {name}" for name in _BUILTINS]
    return "\n".join(
        [_UNALIGNED.sub("", prelude()).rstrip(), *builtins, *_OTHER_BUILTINS, ROUGH_RECIPROCAL, _COMPLEX_MAKERS]
    )


def in_cuda_words(text: str) -> str:
    """C text whose complex literals are calls: C++ has no compound literals, and NVRTC accepts none."""
    return _COMPLEX_LITERAL.sub(lambda found: f"{found[1].replace('pf_', 'pf_make_')}({found[2]})", text)


def device_closure(names: Iterable[str]) -> list[str]:
    """The texts of the named functions and all they need, as CUDA reads them.

    Raises:
        CannotFuse: one of them cannot run on a device.
    """
    found = closure(names, device_functions())
    for function in found:
        problem = problem_of(function)
        if problem is not None:
            raise refuse(Code.UNSUPPORTED_OPERATION, f"'{_shown(function.name)}' does not run on a device: {problem}")
    return [_as_cuda(function.text) for function in found]


def problem_of(function: CFunction) -> str | None:
    """Why a definition alone, without those that it needs, has no text for a device; None if it has."""
    if function.name.rstrip("0123456789") in _RAISING or function.name.startswith("pf_replay_if_"):
        return "NumPy raises an exception for some values, which a kernel on a device cannot report"
    words = set(_WORD.findall(function.text))
    for word, problem in _UNUSABLE.items():
        if word in words:
            return problem
    return None


def _shown(name: str) -> str:
    return name.removeprefix("pf_").removeprefix("c_libm_").removeprefix("to_c99_")


def _as_cuda(text: str) -> str:
    """A definition of the library in CUDA's words."""
    text = _EXTERN.sub(_library_call, text)
    text = _INLINE.sub("static __device__ __forceinline__ ", text)
    text = _OUT_OF_LINE.sub("static __device__ __noinline__ ", text)
    text = _TABLE.sub("static __device__ const ", text)
    return in_cuda_words(text.replace("#pragma GCC unroll", "#pragma unroll"))


def _library_call(match: re.Match[str]) -> str:
    """A function of C's library under a name of ours: CUDA's own function of that name."""
    result, name, parameters, library_name = match.groups()
    types = [parameter.strip() for parameter in parameters.split(",")]
    taken = ", ".join(f"{kind} x{place}" for place, kind in enumerate(types))
    given = ", ".join(f"x{place}" for place in range(len(types)))
    return f"static __device__ __forceinline__ {result}{name}({taken}) {{ return {library_name}({given}); }}"

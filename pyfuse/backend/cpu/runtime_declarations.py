"""The native runtime's C declarations, and the cffi module made from them.

cffi's ABI mode parses declarations with pycparser, which costs 50 ms in a fresh process; the module that cffi writes
ahead of time costs under 1 ms. ``python -m pyfuse.backend.cpu.runtime_declarations`` writes it again; a test compares.
"""

from __future__ import annotations

from pathlib import Path

DECLARATIONS = """
typedef unsigned (*pf_nest_function)(char *const *operands, const long long *geometry, const char *scalars,
                                     long long outer_begin, long long outer_end,
                                     long long inner_begin, long long inner_end);
typedef struct {
    pf_nest_function run;
    const long long *geometry;
    long long outer;
    long long inner;
    long long depth;
    long long element_cost;
} pf_nest_call;
typedef struct {
    long long operand_count, nest_count, thread_limit;
    long long data_offset;
    const pf_nest_call *nests;
} pf_launch;
unsigned pyfuse_launch(const pf_launch *launch, const char *packed);
int pyfuse_thread_count(void);
unsigned pyfuse_runtime_version(void);
extern const pf_nest_function pyfuse_nests[];
"""

MODULE = "pyfuse.backend.cpu._runtime_ffi"
MODULE_PATH = Path(__file__).with_name("_runtime_ffi.py")


def write_module(path: Path = MODULE_PATH) -> None:
    """Write the cffi module for ``DECLARATIONS``."""
    import cffi

    builder = cffi.FFI()
    builder.cdef(DECLARATIONS)
    builder.set_source(MODULE, None)
    builder.emit_python_code(str(path))


if __name__ == "__main__":
    write_module()

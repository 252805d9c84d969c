"""Does the original run where a kernel gets no memory for the rows that it keeps?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fresh_process import run_program

# Memory of one size is refused: what a kernel wants for a row of 1,000,003 float64, and no array of NumPy's.
STINGY_MALLOC = """\
extern void *__libc_malloc(unsigned long size);
static int refused;
void *malloc(unsigned long size)
{
    if (size != 1000003ul * 8 + 64) return __libc_malloc(size);
    refused++;
    return 0;
}
int how_often_refused(void) { return refused; }
"""

PROGRAM = """\
import ctypes
import numpy as np, pyfuse

@pyfuse.fuse
def softmax(x):
    raised = np.exp(x - x.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)

refused = ctypes.CDLL(None).how_often_refused
for columns, count in ((1000, 0), (1_000_003, 1), (1000, 1), (1_000_003, 2)):
    x = np.linspace(0.0, 1.0, 3 * columns).reshape(3, columns)
    result, expected = softmax(x), softmax.__wrapped__(x)
    np.testing.assert_allclose(result, expected, rtol=1e-15)
    assert (columns == 1000) or result.tobytes() == expected.tobytes(), "it is the original's"
    assert (refused() > 0) == (count > 0)
    assert softmax.cache_info().fallback_calls == count
print(softmax.cache_info().fused_calls, softmax.fallback_reasons())
"""


@pytest.mark.usefixtures("c_compiler")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="puts a malloc in front of glibc's")
def test_a_kernel_without_memory_for_its_rows_leaves_the_call_to_the_original(tmp_path: Path) -> None:
    source, library = tmp_path / "malloc.c", tmp_path / "malloc.so"
    source.write_text(STINGY_MALLOC, encoding="utf-8")
    subprocess.run(["cc", "-O1", "-fno-builtin", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    done = run_program(tmp_path / "program.py", PROGRAM, LD_PRELOAD=str(library))
    assert done.stdout == "2 {'floating-point-report': 2}\n"

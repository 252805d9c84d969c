"""nvcc for tests: it compiles for a device on machines that have none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

NVCC = shutil.which("nvcc")


def nvcc(folder: Path, text: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Compile CUDA text for an H100; the machine code is thrown away."""
    assert NVCC is not None
    source = folder / "kernel.cu"
    source.write_text(text)
    command = [NVCC, "-arch=sm_90", "--cubin", "-fmad=false", *flags, str(source), "-o", str(folder / "kernel.cubin")]
    return subprocess.run(command, capture_output=True, text=True, check=False)

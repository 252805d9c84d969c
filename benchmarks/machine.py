"""What a measurement was taken on."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Facts that a time depends on.

    Attributes:
        cpu: model name.
        cores: logical processors that this process may use.
        system: operating system and C library.
        python: version.
        numpy: version.
        compiler: first line of the C compiler's version; empty when there is none.
    """

    cpu: str
    cores: int
    system: str
    python: str
    numpy: str
    compiler: str


def describe_machine() -> Machine:
    """The machine that this process runs on."""
    return Machine(
        cpu=_cpu_model(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        system=" ".join((platform.system(), platform.machine(), *platform.libc_ver())).strip(),
        python=platform.python_version(),
        numpy=np.__version__,
        compiler=_compiler_version(),
    )


def _cpu_model() -> str:
    """The processor's name as Linux knows it, else as Python does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def compiler_command() -> list[str]:
    """The words of the C compiler that pyfuse would find first; empty when there is none."""
    candidates = (os.environ.get("PYFUSE_CC", ""), os.environ.get("CC", ""), "cc", "gcc", "clang")
    found = (words for words in map(shlex.split, candidates) if words and shutil.which(words[0]))
    return next(found, [])


def _compiler_version() -> str:
    """First line that this compiler says of itself."""
    words = compiler_command()
    if not words:
        return ""
    answer = subprocess.run([*words, "--version"], capture_output=True, text=True, check=False)
    return answer.stdout.partition("\n")[0]

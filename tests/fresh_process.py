"""Programs run in Python processes of their own, and C compilers that note their runs or misbehave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

# A fused function, called; defines ``check()``, which fails unless the result is right and a kernel computed it.
FUSED_PROGRAM = """\
import numpy as np, pyfuse, sys

@pyfuse.fuse
def scaled_sum(a, b):
    return a * 2.5 + b

def check():
    a, b = np.arange(24.0).reshape(2, 12)
    result = scaled_sum(a, b)
    assert result.tobytes() == (a * 2.5 + b).tobytes()
    info = scaled_sum.cache_info()
    assert info.fused_calls == 1, scaled_sum.explain()
"""


def run_program(
    path: Path, text: str, *arguments: str, check: bool = True, timeout: float = 120, **variables: str | None
) -> subprocess.CompletedProcess[str]:
    """Write a program to a file, and run it. A variable that is None is removed from the environment."""
    path.write_text(text, encoding="utf-8")
    return run_python(str(path), *arguments, check=check, timeout=timeout, **variables)


def run_python(
    *words: str, check: bool = True, timeout: float = 120, cwd: Path | None = None, **variables: str | None
) -> subprocess.CompletedProcess[str]:
    """Run Python with these words; a failed process fails the test with what it printed."""
    done = subprocess.run(
        [sys.executable, *words],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        check=False,
    )
    if check:
        assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def environment(**variables: str | None) -> dict[str, str]:
    """This process's environment with changes."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    changed: dict[str, str | None] = {**os.environ, "PYTHONPATH": path, **variables}
    return {name: value for name, value in changed.items() if value is not None}


class NotedCompiler:
    """A compiler command that writes a line for every run, and otherwise is the system's ``cc``.

    Attributes:
        path: the command.
        variables: settings of a process that uses it, with a folder of kernels beside it.
    """

    def __init__(self, folder: Path, path: Path | None = None) -> None:
        self._log = folder / "compiler-runs"
        self.path = path or script(folder / "noted-cc", 'echo "$*" >> "$NOTED_RUNS"\nexec cc "$@"')
        self.kernels = folder / "kernels"
        self.variables = {
            "PYFUSE_CC": str(self.path), "PYFUSE_CACHE_DIR": str(self.kernels), "NOTED_RUNS": str(self._log)
        }  # fmt: skip

    def runs(self) -> list[str]:
        """The arguments of every run so far."""
        return self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []

    def kernel_builds(self) -> list[str]:
        """The runs that built a library other than a probe."""
        return [line for line in self.runs() if "pyfuse-build-" in line and "-pthread" not in line]

    def libraries(self) -> list[Path]:
        """The built kernels on disk, the runtime among them."""
        return sorted(self.kernels.glob("*.so"))


def script(path: Path, body: str) -> Path:
    """An executable shell script."""
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path

"""Do type checkers see the signature of the original through the decorator?"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fresh_process import ROOT, environment

PROGRAM = """\
import numpy as np
from numpy.typing import NDArray
import pyfuse

@pyfuse.fuse
def bare(a: NDArray[np.float64], factor: float = 2.0, *, shift: int = 0) -> NDArray[np.float64]:
    return a * factor + shift

@pyfuse.fuse(strict=True)
def with_options(a: int) -> str:
    return str(a)

class Owner:
    @pyfuse.fuse
    def method(self, a: int, b: str) -> float:
        return 0.0

    @staticmethod
    @pyfuse.fuse
    def static(a: int) -> bytes:
        return b""

reveal_type(bare(np.ones(3)))
reveal_type(with_options(3))
reveal_type(Owner().method(1, "b"))
reveal_type(Owner.method(Owner(), 1, "b"))
reveal_type(Owner.static(1))
reveal_type(pyfuse.fuse(lambda: 3)())
reveal_type(pyfuse.fuse(with_options.__wrapped__, strict=True)(1))
reveal_type(bare.cache_info().fused_calls)
bare("text")  # wrong
with_options()  # wrong
Owner().method("b", 1)  # wrong
Owner().method(1)  # wrong
bare(np.ones(3), shift=0.5)  # wrong
"""
REVEALED = ["ndarray", "str", "float", "float", "bytes", "int", "str", "int"]


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_the_decorated_signature_survives(checker: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    path = tmp_path / "typed_program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    printed = _report(checker, path)
    lines = PROGRAM.splitlines()
    revealed = _notes(printed, r'Revealed type is "(.*)"' if checker == "mypy" else r'Type of ".*" is "(.*)"')
    wanted = [number for number, line in enumerate(lines, 1) if line.startswith("reveal_type")]
    assert sorted(revealed) == wanted, printed
    for number, name in zip(wanted, REVEALED, strict=True):
        assert name in revealed[number].lower(), printed
    errors = sorted(set(_notes(printed, r"error: (.*)")))
    assert errors == [number for number, line in enumerate(lines, 1) if line.endswith("# wrong")], printed


def _report(checker: str, path: Path) -> str:
    words = {
        "mypy": ["-m", "mypy", "--config-file", "", "--cache-dir", str(ROOT / ".mypy_cache" / "types-test"), str(path)],
        "pyright": ["-m", "pyright", "--pythonpath", sys.executable, str(path)],
    }[checker]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, cwd=path.parent, timeout=300,
        env=environment(MYPYPATH=str(ROOT), PYRIGHT_PYTHON_IGNORE_WARNINGS="1"),
    )  # fmt: skip
    if "reveal" not in done.stdout.lower() and "Type of" not in done.stdout:
        pytest.skip(f"{checker} does not run here: {(done.stdout + done.stderr)[-300:]}")
    return done.stdout


def _notes(printed: str, pattern: str) -> dict[int, str]:
    """By line of the program: what a checker says that matches a pattern."""
    found: dict[int, str] = {}
    for line in printed.splitlines():
        place, match = re.search(r"typed_program\.py:(\d+)", line), re.search(pattern, line)
        if place and match:
            found[int(place[1])] = match[1]
    return found

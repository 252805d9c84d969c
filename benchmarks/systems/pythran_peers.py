"""pythran: the NumPy functions as they are, compiled ahead of time and kept in ``benchmarks/.built``."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pythran

from benchmarks.peers import Peer
from benchmarks.systems.module_text import BUILT, load_module, write_module
from benchmarks.workloads import Case

LONGEST_SECONDS = 900  # of a build; a module took 5 to 190 s on a busy machine
_TOO_LONG = f"not built within {LONGEST_SECONDS} s"
FLAGS = ("-O3", "-march=native", "-fopenmp")
VECTORS = "-DUSE_XSIMD"  # left out where the module does not compile with it


def load(_threads: int) -> tuple[tuple[Peer, ...], str]:
    """Modules of one function each; results are NumPy arrays. pythran runs whole-array code with one thread."""
    fact = f"{pythran.__version__}, {' '.join((*FLAGS, VECTORS))}"
    return (Peer(name="pythran", function_for=_function_for),), fact


def _function_for(case: Case) -> Callable[..., Any]:
    """The built function.

    Raises:
        RuntimeError: pythran did not compile it; a failure is kept too, so that it is not tried at every size; remove
            the folder to try again.
    """
    function = case.workload.function
    types = ", ".join(_describe(argument) for argument in case.workload.make_inputs(100, case.dtype))
    text = f"#pythran export {function.__name__}({types})\n{write_module(function)}"
    name = f"{case.workload.name}_{hashlib.sha256((text + pythran.__version__).encode()).hexdigest()[:12]}"
    library = BUILT / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    failure = BUILT / f"{name}.failed"
    if failure.exists():
        raise RuntimeError(failure.read_text(encoding="utf-8"))
    if not library.exists():
        reason = _build(text, name, library, (*FLAGS, VECTORS))
        if reason and reason != _TOO_LONG:
            reason = _build(text, name, library, FLAGS)
        if reason:
            failure.write_text(reason, encoding="utf-8")
            raise RuntimeError(reason)
    return getattr(load_module(name, library), function.__name__)  # type: ignore[no-any-return]


def _build(text: str, name: str, library: Path, flags: Sequence[str]) -> str:
    """Compile a module; the reason in words when that fails."""
    BUILT.mkdir(exist_ok=True)
    source = BUILT / f"{name}.py"
    source.write_text(text, encoding="utf-8")
    words = [sys.executable, "-m", "pythran.run", *flags, "-o", str(library), str(source)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        return _TOO_LONG
    if done.returncode == 0:
        return ""
    lines = (done.stderr + done.stdout).splitlines()
    errors = [line.partition("error:")[2].strip() for line in lines if "error:" in line]
    return errors[0][:200] if errors else "the build failed"


def _describe(argument: Any) -> str:
    """An array's type as pythran writes it."""
    return f"{argument.dtype.name}[{', '.join(':' * argument.ndim)}]"

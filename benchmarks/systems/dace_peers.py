"""dace: the NumPy functions as they are, compiled for the very shapes of a case.

dace 1.0 asks for NumPy 1, which pyfuse does not run on: it takes part only where somebody installed it against that
(``pip install --no-deps dace``, its other requirements, and networkx 3.3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dace
import numpy as np

from benchmarks.peers import Peer
from benchmarks.systems.module_text import BUILT, load_module, write_module
from benchmarks.workloads import Case


def load(_threads: int) -> tuple[tuple[Peer, ...], str]:
    """Programs compiled ahead of the call; a result stays in the buffer of the program, which spares its allocation."""
    dace.Config.set("compiler", "allow_view_arguments", value=True)
    dace.Config.set("default_build_folder", value=str(BUILT / "dace"))
    fact = f"{dace.__version__}, as many threads as OpenMP gives it, results in one buffer"
    return (Peer(name="dace", function_for=_function_for, prepare=np.ascontiguousarray),), fact


def _function_for(case: Case) -> Callable[..., Any]:
    """A call by position of the compiled program."""
    function = case.workload.function
    name = f"dace_{case.workload.name}_{case.dtype}_{case.size}"
    text = write_module(function).replace("\ndef ", "\n@dace.program\ndef ")
    BUILT.mkdir(exist_ok=True)
    file = BUILT / f"{name}.py"
    file.write_text(f"import dace\n{text}\n", encoding="utf-8")
    program = getattr(load_module(name, file), function.__name__)
    sdfg = program.to_sdfg(*case.make_inputs())
    sdfg.name = name
    compiled = sdfg.compile()
    names = function.__code__.co_varnames[: function.__code__.co_argcount]

    def call(*arguments: Any) -> Any:
        result = compiled(**dict(zip(names, arguments, strict=True)))
        return arguments[case.workload.stored_into[0]] if case.workload.stored_into else result

    return call

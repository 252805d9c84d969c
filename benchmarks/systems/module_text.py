"""A NumPy function as a module of its own, for compilers that read text."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

BUILT = Path(__file__).parents[1] / ".built"  # what compilers make of them


def load_module(name: str, file: Path) -> ModuleType:
    """Run a module, of Python or compiled, from its file."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None, file
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_module(function: Callable[..., Any]) -> str:
    """The text of a function and of what it uses from its module, without annotations and docstrings."""
    assert isinstance(function, FunctionType), function
    parts = [*dict.fromkeys(_parts(function))]
    text = "\n".join(("import numpy as np", *parts))
    return text.replace(
        "import numpy as np", "import numpy as np\nfrom scipy import special", 1 if "special." in text else 0
    )


def _parts(function: FunctionType) -> Iterator[str]:
    """Constants and helpers first."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType):
            yield from _parts(value)
        elif isinstance(value, int | float) and math.isfinite(value):
            yield f"{name} = {value!r}"
    (tree,) = ast.parse(inspect.getsource(function)).body
    assert isinstance(tree, ast.FunctionDef), function
    tree.returns = None
    for argument in tree.args.args:
        argument.annotation = None
    if ast.get_docstring(tree) is not None:
        del tree.body[0]
    yield ast.unparse(tree)

"""Functions made of text at test time, whose source can be read like that of a file."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable
from typing import Any

import numpy as np

_numbers = itertools.count()


def function_from(text: str, **names: Any) -> Callable[..., Any]:
    """The last function that a text defines.

    Args:
        text: Python source; ``np`` is NumPy.
        names: further globals.
    """
    filename = f"<parity {next(_numbers)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {"np": np, "__name__": __name__, **names}
    exec(compile(text, filename, "exec"), namespace)
    return [value for value in namespace.values() if getattr(value, "__code__", None) is not None][-1]  # type: ignore[no-any-return]


def returning(expressions: list[str], parameters: list[str], **names: Any) -> Callable[..., Any]:
    """A function that returns a tuple of expressions."""
    body = "".join(f"        {expression},\n" for expression in expressions)
    return function_from(f"def packed({', '.join(parameters)}):\n    return (\n{body}    )\n", **names)

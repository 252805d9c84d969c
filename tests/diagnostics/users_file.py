"""A user's file without a disk: functions defined from text, whose diagnostics name the file ``model.py``."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from typing import Any

import numpy as np

from pyfuse.diagnostics import Diagnostic
from pyfuse.errors import CannotFuse
from pyfuse.prepared_function import prepare
from tests.stage_texts import specialization_of

FILENAME = "model.py"


def define(text: str, name: str = "f") -> Any:
    """What the text defines under a name, as if it stood in ``model.py``."""
    linecache.cache[FILENAME] = (len(text), None, text.splitlines(keepends=True), FILENAME)
    namespace: dict[str, Any] = {"np": np, "__name__": "model"}
    exec(compile(text, FILENAME, "exec"), namespace)
    return namespace[name]


def refusal(function: Callable[..., Any], *arguments: Any) -> Diagnostic:
    """Why a call does not fuse: before any call, or for these arguments."""
    prepared = prepare(function)
    if prepared.refusal is not None:
        return prepared.refusal
    try:
        specialization_of(function, *arguments)
    except CannotFuse as error:
        return error.diagnostic
    raise AssertionError("the call fuses")


def underlined(diagnostic: Diagnostic) -> str:
    """The text above the carets."""
    assert diagnostic.span is not None
    line, column = diagnostic.span.text, diagnostic.span.column
    return line[column : column + diagnostic.span.width]

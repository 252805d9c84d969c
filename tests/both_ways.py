"""A pytest plugin: every fused call of a session runs the Python way and through the extension, and both must agree.

``python -m pytest -p tests.both_ways``. Most tests call a function once for each form: the extension sees later calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pyfuse import fallback
from pyfuse.backend.cpu import dispatch
from pyfuse.executor import Executor
from tests.parity.outcome import assert_same

_NOT_ANSWERED = object()
_compared = 0


class _Extension(dispatch.Dispatcher):
    """The extension alone."""

    def _call_in_python(self, *_: Any) -> Any:
        return _NOT_ANSWERED

    _report = _refuse = _call_in_python


@pytest.fixture(autouse=True, scope="session")
def _every_call_runs_both_ways() -> Iterator[None]:
    real = Executor.call

    def call(self: Executor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = real(self, args, kwargs)
        table = self.table
        if table is not None and len(table):
            global _compared
            extension, counted = _Extension(), (table.fused, table.tiled)
            extension._table = table
            answer = extension(*args, **kwargs)
            table.fused, table.tiled = counted
            if answer is not _NOT_ANSWERED:
                assert_same(answer, result)
                assert _making(answer) == _making(result)
                _compared += 1
        return result

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Executor, "call", call)
        patched.setattr(fallback, "_CALLER", fallback._CALLER + 1)
        yield


def _making(result: Any) -> Any:
    """What of an array's making ``assert_same`` does not look at."""
    if isinstance(result, tuple | list):
        return [_making(item) for item in result]
    if not isinstance(result, np.ndarray):
        return None
    return str(result.flags), type(result.base), result.dtype.isnative


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How often there was something to compare."""
    terminalreporter.write_line(f"{_compared} calls ran both ways and agreed; extension: {dispatch.state}")

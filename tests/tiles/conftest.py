"""What tests of tiles share."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from pyfuse.backend.cpu import backend, dispatch
from pyfuse.diagnostics import Code, refuse


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tile runner is part of the extension."""
    if not dispatch.has_tiles():
        for item in items:
            if "tests/tiles/" in item.nodeid:
                item.add_marker(pytest.mark.skip(reason="there is no tile runner without the extension"))


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a C compiler."""

    def refused(*_: Any) -> NoReturn:
        raise refuse(Code.NO_COMPILER, "no working C compiler was found")

    monkeypatch.setattr(backend, "build", refused)
    monkeypatch.setattr(backend, "may_be_built", refused)

"""What tests of tiles share."""

from __future__ import annotations

import pytest

from pyfuse.backend.cpu import backend, dispatch
from tests.tiles.fuzz import no_compiler


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tile runner is part of the extension."""
    if not dispatch.has_tiles():
        for item in items:
            if "tests/tiles/" in item.nodeid:
                item.add_marker(pytest.mark.skip(reason="there is no tile runner without the extension"))


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a C compiler."""

    monkeypatch.setattr(backend, "build", no_compiler)
    monkeypatch.setattr(backend, "noted", no_compiler)

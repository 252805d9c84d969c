"""Builds in the background that wait until a test lets them through."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pyfuse.backend.cpu import backend


class Gate:
    """Builds that wait until they are let through."""

    def __init__(self) -> None:
        self.begun = 0
        self.opened = threading.Event()
        self.failure: Exception | None = None

    def open(self, fused: Any) -> None:
        """Let all builds through, and wait until none goes on."""
        self.opened.set()
        for entry in fused._executor._cache.entries():
            for build in list(getattr(entry, "builds", {}).values()):
                build.wait(20)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate()
    build = backend.build

    def gated(*given: Any) -> Any:
        made.begun += 1
        assert made.opened.wait(20)
        if made.failure is not None:
            raise made.failure
        return build(*given)

    monkeypatch.setattr(backend, "build", gated)
    monkeypatch.setattr(backend, "noted", lambda *_: None)
    monkeypatch.setenv("PYFUSE_WAIT", "0")  # not by config.set(): threads are to see it
    yield made
    made.opened.set()

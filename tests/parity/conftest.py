"""What tests of parity share."""

from __future__ import annotations

import pytest

from pyfuse import in_place


@pytest.fixture
def every_store_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays that are read and stored are overwritten by the kernel, however small they are."""
    monkeypatch.setattr(in_place, "LEAST_BYTES", 0)
    monkeypatch.setattr(in_place, "LEAST_KEPT_BYTES", 0)

"""What a fallback does beside running the original: quiet, warn, raise, disable, and settings for a while."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import pyfuse

pytestmark = pytest.mark.usefixtures("c_compiler")

A = np.linspace(-1.0, 1.0, 6)


def sorts(a: Any) -> Any:
    return np.sort(a) + 1.0


def adds(a: Any, b: Any) -> Any:
    return a + b


def test_quiet_says_nothing(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("PYFUSE_FALLBACK", raising=False)
    fused = pyfuse.fuse(sorts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (fused(A) == sorts(A)).all()
    assert capfd.readouterr() == ("", "")
    assert fused.fallback_reasons() == {"unknown-call": 1}


def test_warn_warns_once_and_points_at_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYFUSE_FALLBACK", "warn")
    fused = pyfuse.fuse(sorts)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            assert (fused(A) == sorts(A)).all()
    assert [warning.category for warning in caught] == [pyfuse.PyfuseFallbackWarning]
    assert caught[0].filename == __file__
    assert "np.sort(a)" in str(caught[0].message)


def test_raise_raises_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYFUSE_FALLBACK", "raise")
    fused = pyfuse.fuse(sorts)
    for _ in range(2):
        with pytest.raises(pyfuse.FuseError, match="unknown-call"):
            fused(A)
    monkeypatch.setenv("PYFUSE_FALLBACK", "quiet")
    assert (fused(A) == sorts(A)).all()


@pytest.mark.parametrize("mode", ["warn", "raise"])
def test_users_mistakes_are_numpys_own_in_every_mode(mode: str) -> None:
    fused = pyfuse.fuse(adds)
    with pyfuse.config.set(fallback=mode), warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="could not be broadcast"):
            fused(A, A[:3])
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            fused(A)
    assert sum(fused.fallback_reasons().values()) == 2


@pytest.mark.parametrize("text", ["1", "true", "YES", "on"])
def test_disable_is_read_at_every_call(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fused = pyfuse.fuse(adds)
    for is_disabled in (False, True, False):
        if is_disabled:
            monkeypatch.setenv("PYFUSE_DISABLE", text)
        else:
            monkeypatch.delenv("PYFUSE_DISABLE", raising=False)
        assert (fused(A, 1.0) == A + 1.0).all()
    assert (fused.cache_info().fused_calls, fused.fallback_reasons()) == (2, {"disabled": 1})


def test_disable_for_a_while() -> None:
    fused = pyfuse.fuse(adds)
    with pyfuse.config.set(disable=True):
        assert (fused(A, 1.0) == A + 1.0).all()
    assert (fused(A, 1.0) == A + 1.0).all()
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (1, 1)


def test_an_exception_of_the_original_comes_out_as_it_is() -> None:
    def checks(a: Any) -> Any:
        if a.shape[0] < 10:
            raise LookupError("too short")
        return a + 1.0

    with pytest.raises(LookupError, match="too short") as caught:
        pyfuse.fuse(checks)(A)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None

"""Settings: from the environment, for a while, and which mistakes in them are reported."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from pyfuse import config
from pyfuse.config import Config, current, current_at_call, from_environment


def test_defaults() -> None:
    found = from_environment({})
    assert found == Config(num_threads=found.num_threads, pool_limit=found.pool_limit)
    assert found.num_threads >= 1
    assert 0 <= found.pool_limit <= 1 << 30
    assert (found.fallback, found.max_kernels, found.disable, found.verify) == ("quiet", 256, False, False)


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("PYFUSE_DEBUG", "graph, plan", "debug", frozenset({"graph", "plan"})),
        ("PYFUSE_DEBUG", "all", "debug", frozenset(config.DEBUG_TOPICS)),
        ("PYFUSE_DUMP_DIR", "some where", "dump_dir", Path("some where")),
        ("PYFUSE_DISABLE", "1", "disable", True),
        ("PYFUSE_WAIT", "1", "wait", True),
        ("PYFUSE_POOL_LIMIT", "4096", "pool_limit", 4096),
        ("PYFUSE_DISABLE", "0", "disable", False),
        ("PYFUSE_FALLBACK", "WARN", "fallback", "warn"),
        ("PYFUSE_CACHE_DIR", "kernels", "cache_dir", Path("kernels")),
        ("PYFUSE_NUM_THREADS", " 3 ", "num_threads", 3),
        ("PYFUSE_VERIFY", "true", "verify", True),
        ("PYFUSE_CC", "gcc-13 -m64", "cc", "gcc-13 -m64"),
        ("PYFUSE_MAX_KERNELS", "7", "max_kernels", 7),
    ],
)
def test_a_variable_sets_its_setting(variable: str, text: str, name: str, value: Any) -> None:
    assert getattr(from_environment({variable: text}), name) == value


@pytest.mark.parametrize(
    ("variable", "text", "why"),
    [
        ("PYFUSE_DEBUG", "graph,gaph", "unknown debug topic 'gaph'"),
        ("PYFUSE_FALLBACK", "loud", "fallback is one of quiet, warn, raise"),
        ("PYFUSE_NUM_THREADS", "0", "at least 1"),
        ("PYFUSE_NUM_THREADS", "many", "invalid literal"),
        ("PYFUSE_MAX_KERNELS", "-1", "at least 1"),
    ],
)
def test_a_bad_variable_is_reported_and_left_out(
    variable: str, text: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert from_environment({variable: text, "PYFUSE_VERIFY": "1"}) == from_environment({"PYFUSE_VERIFY": "1"})
    printed = capsys.readouterr().err
    assert printed.startswith(f"pyfuse: {variable}={text!r} is ignored: ")
    assert why in printed


@pytest.mark.parametrize("read", [current, current_at_call])
@pytest.mark.parametrize("name", ["disable", "verify"])
def test_a_changed_variable_is_seen_at_once(read: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, value in (("1", True), ("0", False), ("yes", True)):
        monkeypatch.setenv(f"PYFUSE_{name.upper()}", text)
        assert getattr(read(), name) is value
    monkeypatch.delenv(f"PYFUSE_{name.upper()}")
    assert getattr(read(), name) is False


def test_any_changed_variable_is_seen_by_current(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (5, 6):
        monkeypatch.setenv("PYFUSE_MAX_KERNELS", str(number))
        assert current().max_kernels == number


def test_nothing_is_read_anew_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert current() is current()
    assert current_at_call() is current()
    monkeypatch.setenv("PYFUSE_UNRELATED", "1")
    assert current_at_call() is current()


def test_settings_hold_inside_the_block_and_nest() -> None:
    before = current()
    with config.set(max_kernels=3) as outer:
        assert outer is current()
        with config.set(fallback="raise"):
            assert (current().max_kernels, current().fallback) == (3, "raise")
            assert current_at_call() is current()
        assert (current().max_kernels, current().fallback) == (3, before.fallback)
    assert current() == before


def test_settings_end_with_an_exception() -> None:
    before = current()
    with pytest.raises(LookupError), config.set(max_kernels=3):
        raise LookupError
    assert current() == before


def test_settings_are_this_threads_own() -> None:
    seen = []
    with config.set(max_kernels=3):
        thread = threading.Thread(target=lambda: seen.append(current().max_kernels))
        thread.start()
        thread.join()
    assert seen == [current().max_kernels]


def test_settings_are_this_tasks_own() -> None:
    async def inside(number: int) -> int:
        with config.set(max_kernels=number):
            await asyncio.sleep(0.001)
            return current().max_kernels

    async def both() -> list[int]:
        return await asyncio.gather(inside(3), inside(4))

    assert asyncio.run(both()) == [3, 4]


def test_text_is_taken_for_paths_and_topics() -> None:
    with config.set(dump_dir="a", cache_dir="b", debug="graph,plan"):
        assert (current().dump_dir, current().cache_dir) == (Path("a"), Path("b"))
        assert current().debug == frozenset({"graph", "plan"})
    with config.set(debug={"asm"}):
        assert current().debug == frozenset({"asm"})


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"max_kernel": 3}, TypeError, "unknown setting 'max_kernel'; the settings are cache_dir, cc,"),
        ({"fallback": "loud"}, ValueError, "fallback is one of"),
        ({"debug": "gaph"}, ValueError, "unknown debug topic 'gaph'"),
        ({"num_threads": 0}, ValueError, "num_threads"),
        ({"num_threads": 1.5}, ValueError, "num_threads"),
        ({"num_threads": True}, ValueError, "num_threads"),
        ({"max_kernels": 0}, ValueError, "max_kernels"),
        ({"disable": "0"}, ValueError, "disable is True or False"),
        ({"verify": 1}, ValueError, "verify is True or False"),
    ],
)
def test_a_bad_setting_raises(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    before = current()
    with pytest.raises(error, match=message), config.set(**settings):
        pass
    assert current() is before

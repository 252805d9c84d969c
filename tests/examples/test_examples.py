"""The programs in ``examples/``: fused as far as is claimed, and right."""

from __future__ import annotations

import copy

import pytest

from examples.__main__ import EXAMPLES, Example, assert_close, main, plain

pytestmark = pytest.mark.usefixtures("c_compiler")

FUSE_AS_A_WHOLE = {"n-body", "mandelbrot", "julia", "sharpen"}


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_example_is_right_and_fused(example: Example) -> None:
    example.function.cache_clear()
    calls = 0
    for size in (100, 5000):
        for _ in range(2):
            original = example.arguments(size)
            given = copy.deepcopy(original), copy.deepcopy(original)
            expected, actual = plain(example)(*given[0]), example.function(*given[1])
            calls += 1
            assert_close(actual, expected)
            assert_close(given[1], given[0])
    info = example.function.cache_info()
    assert info.fallback_calls == 0, example.function.fallback_reasons()
    assert info.fused_calls == (calls if example.name in FUSE_AS_A_WHOLE else 0), example.function.explain()
    assert info.kernels >= 1
    if example.name not in FUSE_AS_A_WHOLE:
        executors = example.function._executor.drivers.regions()
        assert any(executor.info().fused_calls for executor in executors), example.function.explain()


def test_the_table_of_times(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sizes", "100", "--seconds", "0.01", "--only", "mandelbrot", "sharpen"]) == 0
    printed = capsys.readouterr().out
    assert "| mandelbrot | 100 |" in printed and "geometric mean at 100" in printed

"""Does the benchmark of compile time find the stages that it times?"""

from __future__ import annotations

import re

import pytest

from benchmarks.compile_time import main

pytestmark = pytest.mark.usefixtures("c_compiler")


def test_every_stage_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--only-long", "--operations", "10", "--repeats", "1"])
    row = next(line for line in capsys.readouterr().out.splitlines() if re.match(r"\s*10 ", line))
    trace, text, compiler, together = map(float, row.split()[1:5])
    assert min(trace, text, compiler) > 0
    assert together >= trace + text + compiler - 0.2

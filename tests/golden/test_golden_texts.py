"""Are graph, plan and kernel of small functions what they were when somebody last read them?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sample_programs import PROGRAMS
from tests.stage_texts import stage_texts


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_stage_of_a_program_reads_as_pinned(name: str, golden: Callable[[str, str], None]) -> None:
    program = PROGRAMS[name]
    golden(name, stage_texts(program.function, *program.arguments).page())


def test_a_whole_kernel_reads_as_pinned(golden: Callable[[str, str], None]) -> None:
    program = PROGRAMS["multiply_add"]
    golden("multiply_add_whole_kernel", stage_texts(program.function, *program.arguments).kernel)

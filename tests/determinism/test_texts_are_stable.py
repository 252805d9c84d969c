"""Are graph, plan and kernel text the same in every process, so that a kernel is found by its text?"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest

from tests.sample_programs import PROGRAMS
from tests.stage_texts import stage_texts

ROOT = Path(__file__).parents[2]
ADDRESS = re.compile(r"\bat 0x|0x[0-9a-f]{7,}\b(?!p)")


@cache
def printed_texts(hash_seed: str, folder: str) -> str:
    """What a fresh process prints, started in ``folder``."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-m", "tests.determinism.print_texts"]
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_other_hash_seeds_and_folders_give_the_same_texts(tmp_path: Path) -> None:
    here, there = printed_texts("1", str(ROOT)), printed_texts("2", str(tmp_path))
    assert here.count("#####") == len(PROGRAMS)
    assert here == there


def test_a_process_that_fused_other_functions_before_gives_the_same_texts() -> None:
    backwards = {name: stage_texts(*_call(name)).page() for name in reversed(PROGRAMS)}
    printed = printed_texts("1", str(ROOT))
    for name, page in backwards.items():
        assert f"##### {name}\n{page}" in printed


def test_the_same_function_gives_the_same_text_twice() -> None:
    for name in PROGRAMS:
        assert stage_texts(*_call(name)) == stage_texts(*_call(name))


@pytest.mark.parametrize("what", ["an address", "the date", "a temporary folder", "a file of the project"])
def test_no_text_holds(what: str) -> None:
    text = printed_texts("1", str(ROOT))
    found = {
        "an address": ADDRESS.search(text),
        "the date": re.search(time.strftime(r"\b%Y-%m-%d\b|\b%b %d\b"), text),
        "a temporary folder": re.search(re.escape(tempfile.gettempdir()) + r"/\w", text),
        "a file of the project": re.search(re.escape(str(ROOT)) + r"|\w+\.py\b", text),
    }[what]
    assert found is None


def _call(name: str):  # type: ignore[no-untyped-def]
    program = PROGRAMS[name]
    return (program.function, *program.arguments)

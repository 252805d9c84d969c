"""Prints every text of every sample program; run as a program of its own by the tests beside it."""

from __future__ import annotations

from tests.sample_programs import PROGRAMS
from tests.stage_texts import stage_texts

if __name__ == "__main__":
    for name, program in PROGRAMS.items():
        texts = stage_texts(program.function, *program.arguments)
        print(f"##### {name}\n{texts.page()}\n=== whole kernel\n{texts.kernel}")

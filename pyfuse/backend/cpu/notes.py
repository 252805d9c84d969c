"""Which library in the store is the kernel of a plan: found without writing the kernel's text.

A note's name tells everything that decides the text and what becomes of it: the plan, the layouts, the files of the
generator, the compiler. So a note of another generator or compiler is never found.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pyfuse.array_layout import NestLayout
from pyfuse.backend.cpu.toolchain import Toolchain
from pyfuse.graph.loop_plan import LoopPlan
from pyfuse.version import VERSION

_PACKAGE = Path(__file__).parents[2]
_GENERATOR = ("graph", "backend", "backend/cpu", "backend/c_library")  # whose files decide a plan's text
_IMPORTED_AT = time.time_ns()


def note_key(toolchain: Toolchain, plan: LoopPlan, layouts: Sequence[NestLayout]) -> str | None:
    """The name of a plan's note; None where there can be none."""
    files, text = generator_files(), repr((plan, tuple(layouts)))
    if files is None or "nan" in text:  # whose sign and payload a text does not show
        return None
    facts = "\0".join([VERSION, files, toolchain.identity, text])
    return "note-" + hashlib.sha256(facts.encode()).hexdigest()


@cache
def generator_files() -> str | None:
    """Names, sizes and times of the generator's files; None where one is newer than this process, or cannot be seen."""
    found = []
    try:
        for folder in _GENERATOR:
            with os.scandir(_PACKAGE / folder) as entries:
                for entry in entries:
                    if entry.name.endswith((".py", ".c")):
                        state = entry.stat()
                        found.append((folder, entry.name, state.st_size, state.st_mtime_ns))
    except OSError:  # it was imported from an archive
        return None
    if not found or max(changed for *_, changed in found) >= _IMPORTED_AT:
        return None
    return repr(sorted(found))

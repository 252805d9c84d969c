"""Keep the outcome of a measurement, with what it was taken on, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine


def write_record(path: Path, *, threads: int, **parts: Any) -> None:
    """Write the facts of the machine, the most threads of a kernel, and the other parts in their order.

    The file is replaced as a whole, or not at all.
    """
    record = {"machine": asdict(describe_machine()), "threads": threads, **parts}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)

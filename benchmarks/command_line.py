"""The options that programs of measurement share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pyfuse
from benchmarks.catalogue import CATALOGUE
from benchmarks.workloads import Workload


def add_case_options(
    parser: argparse.ArgumentParser,
    *,
    sizes: Sequence[int],
    names: Sequence[str],
    seconds: float,
    workloads: Sequence[Workload] = CATALOGUE,
) -> None:
    """Add ``--sizes``, ``--workloads``, ``--threads`` and ``--seconds`` with these defaults.

    Any of the workloads may be named; ``threads`` is None unless given.
    """
    every_name = [workload.name for workload in workloads]
    parser.add_argument("--sizes", type=whole_number, nargs="+", default=sizes, help="elements, such as 1000 or 1e5")
    parser.add_argument(
        "--workloads",
        nargs="+",
        choices=every_name,
        default=names,
        metavar="NAME",
        help=f"of {', '.join(every_name)} (default: {names[0]} to {names[-1]})",
    )
    parser.add_argument("--threads", type=whole_number, help="threads of a kernel (default: as pyfuse is set)")
    parser.add_argument("--seconds", type=float, default=seconds, help="per case (default: %(default)s)")


def whole_number(word: str) -> int:
    """A whole number above 0, also written like ``1e5``.

    Raises:
        argparse.ArgumentTypeError: it is not one.
    """
    try:
        number = float(word)
    except ValueError:
        number = 0.0
    if number < 1 or number != int(number):
        raise argparse.ArgumentTypeError(f"{word} is not a whole number above 0")
    return int(number)


@contextmanager
def without_compiler() -> Iterator[None]:
    """Within it, no C compiler is found: programs are looked for nowhere."""
    hidden = {name: os.environ.pop(name, None) for name in ("PATH", "CC", "PYFUSE_CC")}
    os.environ["PATH"] = ""
    try:
        yield
    finally:
        os.environ.update({name: value for name, value in hidden.items() if value is not None})


def thread_setting(threads: int | None) -> AbstractContextManager[Any]:
    """Within it, kernels use at most so many threads; None leaves the settings alone."""
    return nullcontext() if threads is None else pyfuse.config.set(num_threads=threads)

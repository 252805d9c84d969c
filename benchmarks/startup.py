"""What pyfuse costs before its first result, in fresh processes (run: ``python -m benchmarks.startup``)."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyfuse.demo.table import draw_table

DEFAULT_REPEATS = 7
IMPORT_TARGET = 60.0  # ms
KERNEL_TARGET = 150.0  # ms
WARM_TARGET = 5.0  # ms
CALL_TARGET = 5.0  # ms, beside NumPy's own time, which is nothing here

_ROOT = Path(__file__).parent.parent
_PROBE = Path(__file__).with_name("startup_probe.py")


@dataclass(frozen=True, kw_only=True)
class StartupTimes:
    """Milliseconds, one entry for each process.

    Attributes:
        imports: ``import pyfuse`` after ``import numpy``.
        decorator: the first ``fuse`` of a process, which loads what calls need.
        cold: from the decorator to the first fused result, nothing built before: the compiler is probed and the runtime
            built, once on a machine.
        kernel: the same for a kernel that is not built yet, where another has been built before.
        warm: the same in the next process, which finds the kernel on disk.
        call: the first call, after ``fuse``, with a kernel that is not built yet: the original answers meanwhile.
        large_call: the same with so many elements that tiles answer, less 1.2 times NumPy's time.
    """

    imports: tuple[float, ...]
    decorator: tuple[float, ...]
    cold: tuple[float, ...]
    kernel: tuple[float, ...]
    warm: tuple[float, ...]
    call: tuple[float, ...]
    large_call: tuple[float, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a table.

    Returns:
        The exit status: 0 when every median meets its target, 1 otherwise.

    Raises:
        SystemExit: the words are not understood, or help was asked for.
        subprocess.CalledProcessError: a process failed; its message has been printed.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--repeats", type=int, default=DEFAULT_REPEATS, help="processes of each kind (%(default)s)")
    times = measure(parser.parse_args(arguments).repeats)
    rows = (
        ("import pyfuse, over import numpy", times.imports, IMPORT_TARGET),
        ("fuse, the first function", times.decorator, CALL_TARGET),
        ("first fused result of a new kernel", times.kernel, KERNEL_TARGET),
        ("first fused result, kernel on disk", times.warm, WARM_TARGET),
        ("first call, kernel not built yet", times.call, CALL_TARGET),
        ("the same of 1e6, over 1.2 x NumPy", times.large_call, CALL_TARGET),
    )
    header = ("what", "median ms", "least", "most", "target", "")
    print(draw_table(header, [_row(*row) for row in rows], text_columns=(0, 5)))
    cold = statistics.median(times.cold)
    print(f"first fused result on a new machine: {cold:.0f} ms (compiler probed, runtime built)")
    return 0 if all(statistics.median(values) <= target for _, values, target in rows) else 1


def measure(repeats: int) -> StartupTimes:
    """Start ``repeats`` processes of each kind, every cold one with an empty folder of kernels of its own."""
    with tempfile.TemporaryDirectory() as folder:
        _probe("import", folder)  # writes the compiled modules, reads the files into memory
        _probe("first-result", folder)
        imports = [_probe("import", folder) for _ in range(repeats)]
        decorator = [_probe("decorator", folder) for _ in range(repeats)]
    cold, kernel, warm, call, large_call = [], [], [], [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(_probe("first-result", folder))
            warm.append(_probe("first-result", folder))
            call.append(_probe("first-call", folder))
            _forget_kernels(folder)
            large_call.append(_probe("first-large-call", folder))
            _forget_kernels(folder)
            _probe("first-result", folder)
            kernel.append(_probe("another-kernel", folder))
    return StartupTimes(
        imports=tuple(imports),
        decorator=tuple(decorator),
        cold=tuple(cold),
        kernel=tuple(kernel),
        warm=tuple(warm),
        call=tuple(call),
        large_call=tuple(large_call),
    )


def _forget_kernels(folder: str) -> None:
    """Remove what processes left behind, but what is known of the compiler."""
    for pattern in ("*.so", "plan-*"):
        for path in Path(folder).glob(pattern):
            path.unlink()


def _probe(what: str, cache_folder: str) -> float:
    """Milliseconds that a fresh process measured."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    # Modules compiled once, as they are where pyfuse is installed, even if this process keeps none.
    compiled = {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "pyfuse-startup-bytecode")}
    environment = {**os.environ, **compiled, "PYTHONPATH": path, "PYFUSE_CACHE_DIR": cache_folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.pop("PYFUSE_WAIT", None)
    command = [sys.executable, str(_PROBE), what]
    answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(answer.stdout)


def _row(what: str, values: Sequence[float], target: float) -> tuple[str, ...]:
    """The cells of one measurement."""
    median = statistics.median(values)
    numbers = (f"{value:.1f}" for value in (median, min(values), max(values)))
    return (what, *numbers, f"{target:.0f}", "met" if median <= target else "missed")


if __name__ == "__main__":
    sys.exit(main())

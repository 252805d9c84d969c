"""Random functions and random loops over tiles against NumPy, bit for bit: what answers without a compiler.

    python -m tests.tiles.fuzz --examples 3000 --seed 0 --tile-bytes 48

What differs is printed as by ``tests.parity.fuzz`` and ``tests.parity.fuzz_loops``, which draw the functions.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

from pyfuse.backend.cpu import backend
from pyfuse.backend.tiles import tiling
from pyfuse.diagnostics import Code, refuse
from tests.parity import fuzz, fuzz_loops, fuzz_programs


def no_compiler(*_: Any) -> NoReturn:
    """As the CPU backend refuses on a machine without a C compiler."""
    raise refuse(Code.NO_COMPILER, "no working C compiler was found")


@contextmanager
def only_tiles(tile_bytes: int = tiling.TILE_BYTES) -> Iterator[None]:
    """Within it there is no compiler, tiles are so large, and the fuzzers want NumPy's bits of everything."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("build", "noted"):
            patched.setattr(backend, name, no_compiler)
        patched.setattr(tiling, "TILE_BYTES", tile_bytes)
        patched.setattr(fuzz, "_is_exact", lambda _: True)
        patched.setattr(fuzz, "_is_refused", lambda reason: reason in ("internal-error", "unknown-name"))
        patched.setattr(fuzz_programs, "INTERNAL", frozenset({"internal-error"}))
        yield


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=1000, help="of each kind (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first example")
    parser.add_argument("--tile-bytes", type=int, default=tiling.TILE_BYTES, help="small ones make many (%(default)s)")
    options = parser.parse_args()
    with only_tiles(options.tile_bytes):
        functions = fuzz.run(options.seed, options.examples)
        loops = fuzz_loops.run(options.seed, options.examples)
    print(f"functions: {functions.calls} calls, {len(functions.failures)} differ: {dict(functions.reasons)}")
    print(f"loops: {loops.calls} calls, {len(loops.failures)} differ")
    return 1 if functions.failures or loops.failures else 0


if __name__ == "__main__":
    sys.exit(main())

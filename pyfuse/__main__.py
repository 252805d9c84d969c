"""``python -m pyfuse doctor`` and ``python -m pyfuse demo``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

USAGE = """\
usage: python -m pyfuse doctor            check the compiler, the cache folder and a fused function
       python -m pyfuse demo [options]    run real NumPy programs plain and fused, and compare (--help lists options)
       python -m pyfuse --help            show this
       python -m pyfuse --version         show the version
"""
USAGE_ERROR = 2


def main(arguments: Sequence[str]) -> int:
    """Run one command; the result is the exit status: 0 fine, 1 something is wrong, 2 not understood."""
    match list(arguments):
        case ["doctor"]:
            from pyfuse.doctor import main as doctor

            return doctor()
        case ["demo", *options]:
            from pyfuse.demo.run import main as demo

            return demo(options)
        case ["-h" | "--help" | "help"]:
            print(USAGE, end="")
            return 0
        case ["-V" | "--version"]:
            from pyfuse.version import VERSION

            print(f"pyfuse {VERSION}")
            return 0
        case _:
            print(USAGE, end="", file=sys.stderr)
            return USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

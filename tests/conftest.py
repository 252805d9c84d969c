"""What every test shares: a cache folder of the session's own, golden texts, and a way to need a C compiler."""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gated_builds import gate as gate  # a fixture of tests in two folders

GOLDEN = Path(__file__).parent / "golden"
CACHE_VARIABLE = "PYFUSE_CACHE_DIR"
_made_folder: str | None = None

Golden = Callable[[str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden texts instead of comparing them")


def pytest_configure() -> None:
    """Kernels of a test session are built once, and never into the user's own cache.

    Set before collection, and in the environment, so that worker and child processes use the same folder.
    """
    global _made_folder
    if not os.environ.get(CACHE_VARIABLE):
        _made_folder = os.environ[CACHE_VARIABLE] = tempfile.mkdtemp(prefix="pyfuse-tests-")


def pytest_unconfigure() -> None:
    if _made_folder is not None:
        shutil.rmtree(_made_folder, ignore_errors=True)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """``golden(name, text)`` compares a text with ``tests/golden/<name>.txt``; ``--update-golden`` writes it."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
            return
        if not path.exists():
            pytest.fail(f"there is no {path.name}; --update-golden writes it", pytrace=False)
        pinned = path.read_text(encoding="utf-8")
        if pinned != text:
            difference = difflib.unified_diff(
                pinned.splitlines(), text.splitlines(), f"{path.name} (pinned)", f"{path.name} (now)", lineterm=""
            )
            shown = "\n".join(difference) or "only the line ends differ"
            pytest.fail(f"{shown}\n\n--update-golden writes the new text; read the difference as code", pytrace=False)

    return compare


@pytest.fixture(scope="session")
def c_compiler() -> None:
    """Skip what needs a C compiler where there is none: ``@pytest.mark.usefixtures("c_compiler")``."""
    from pyfuse import config
    from pyfuse.backend.cpu.backend import prepare_toolchain
    from pyfuse.errors import CannotFuse

    try:
        prepare_toolchain(config.current())
    except CannotFuse as refusal:
        pytest.skip(refusal.diagnostic.message)

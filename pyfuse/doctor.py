"""``python -m pyfuse doctor``: does everything that fusing needs work here, and what is missing?"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pyfuse import config as settings
from pyfuse.backend.artifact_store import ArtifactStore, default_folder, folder_problem
from pyfuse.backend.cpu import dispatch
from pyfuse.backend.cpu.toolchain import BASE_FLAGS, OPTIONAL_FLAGS, candidates, find_toolchain
from pyfuse.backend.cuda import launcher
from pyfuse.config import Config
from pyfuse.decorator import fuse
from pyfuse.errors import CannotFuse, FuseError, PyfuseError
from pyfuse.records import dataclass
from pyfuse.version import VERSION

_LABEL_WIDTH = 16


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report.

    Attributes:
        label: what was looked at.
        text: what was found; further lines are advice.
        is_fine: whether fusing can work with it.
    """

    label: str
    text: str
    is_fine: bool = True


def main() -> int:
    """Print the report; 0 when a fused function works and its kernels can be kept, else 1."""
    findings = []
    for finding in examine(settings.current()):
        findings.append(finding)
        print(draw(finding), flush=True)
    is_fine = all(finding.is_fine for finding in findings)
    print("everything works" if is_fine else "something is missing: fused functions run, but not all of them fused")
    return 0 if is_fine else 1


def examine(config: Config) -> Iterator[Finding]:
    """Look at one thing after the other; the slow ones last."""
    yield Finding(label="pyfuse", text=VERSION)
    yield Finding(label="Python", text=f"{platform.python_version()} ({sys.executable})")
    yield Finding(label="NumPy", text=np.__version__)
    yield from _extensions()
    yield Finding(label="machine", text=f"{platform.system()} {platform.machine()}")
    yield Finding(label="threads", text=f"{config.num_threads} of {os.cpu_count() or 1} processors")
    if config.disable:
        yield Finding(
            label="settings", text="PYFUSE_DISABLE is set: every function runs as ordinary Python", is_fine=False
        )
    yield _cache_folder(config)
    yield from _compiler(config)
    yield _fused_function()
    yield _tiles()


def draw(finding: Finding) -> str:
    """A finding as text: one line, and its further lines below."""
    first, *rest = finding.text.splitlines() or [""]
    mark = "ok " if finding.is_fine else "NO "
    return "\n".join(
        [f"{mark} {finding.label:<{_LABEL_WIDTH}}{first}", *(" " * (_LABEL_WIDTH + 4) + line for line in rest)]
    )


def _extensions() -> Iterator[Finding]:
    """Not a fault where they are not there: calls cost more, that is all."""
    advice = "each call takes microseconds more; pip builds it where there is a C compiler"
    for label, found in (("call extension", dispatch), ("device launcher", launcher)):
        is_there = found.extension is not None
        yield Finding(label=label, text=found.state if is_there else f"{found.state}\n{advice}")


def _cache_folder(config: Config) -> Finding:
    folder = config.cache_dir if config.cache_dir is not None else default_folder()
    problem = folder_problem(folder) or _writing_problem(folder)
    if problem is None:
        return Finding(label="cache folder", text=f"{folder} (private, writable)")
    advice = "kernels are built again in every process; PYFUSE_CACHE_DIR names another folder"
    return Finding(label="cache folder", text=f"{folder}: {problem}\n{advice}", is_fine=False)


def _writing_problem(folder: Path) -> str | None:
    store, key = ArtifactStore(folder), f"doctor-{os.getpid()}"
    is_kept = store.put(key, b"written by pyfuse doctor") is not None and store.get(key) is not None
    store.discard(key)
    return None if is_kept else "nothing can be written to it"


def _compiler(config: Config) -> Iterator[Finding]:
    """The compiler that is used, probed anew: in a folder of its own, so that nothing remembered is believed."""
    import tempfile

    yield Finding(label="compilers", text=", ".join(" ".join(words) for words in candidates(config)) or "none found")
    try:
        with tempfile.TemporaryDirectory(prefix="pyfuse-doctor-") as folder:
            toolchain = find_toolchain(config, ArtifactStore(Path(folder)))
    except CannotFuse as refusal:
        text = (
            f"{_lines(refusal)}\nelementwise functions are answered by tiles all the same"
            if dispatch.has_tiles()
            else _lines(refusal)
        )
        yield Finding(label="compiler", text=text, is_fine=False)
        return
    except OSError as error:
        yield Finding(label="compiler", text=f"no place for temporary files: {error}", is_fine=False)
        return
    yield Finding(label="compiler", text=f"{' '.join(toolchain.command)}: {toolchain.version or 'of unknown version'}")
    yield Finding(label="flags", text=f"{' '.join(flag for flag in toolchain.flags if flag in BASE_FLAGS)}")
    for flag in OPTIONAL_FLAGS:
        yield Finding(
            label="optional flag", text=f"{flag} {'works' if flag in toolchain.flags else 'does not work: left out'}"
        )


def _lines(refusal: CannotFuse) -> str:
    diagnostic = refusal.diagnostic
    return "\n".join([diagnostic.message, *diagnostic.notes, *diagnostic.hints])


def _fused_function() -> Finding:
    """A real function on real arrays, against NumPy."""
    x = np.linspace(-3.0, 3.0, 10_007)
    function: Callable[[np.ndarray, np.ndarray], np.ndarray] = _hypotenuse_and_more
    fused = fuse(_hypotenuse_and_more, strict=True)
    try:
        with settings.set(disable=False):
            result = fused(x, x[::-1])
    except (FuseError, PyfuseError) as error:
        return Finding(label="fused function", text=str(error), is_fine=False)
    if fused.cache_info().fused_calls != 1:
        return Finding(
            label="fused function", text=f"it ran as ordinary Python: {fused.fallback_reasons()}", is_fine=False
        )
    if not np.array_equal(result, function(x, x[::-1])):
        return Finding(label="fused function", text="its result is not NumPy's: please report this", is_fine=False)
    return Finding(label="fused function", text="built, loaded and run; its result is NumPy's, bit for bit")


def _tiles() -> Finding:
    """What answers while a kernel is built, and where there is no compiler."""
    if not dispatch.has_tiles():
        text = "not there without the call extension: originals answer where there is no kernel"
        return Finding(label="tiles", text=text)
    x = np.linspace(-3.0, 3.0, 10_007)
    fused = fuse(_bell, math="numpy")
    with settings.set(disable=False):
        result = fused(x)
    if fused.cache_info().tiled_calls != 1 or result.tobytes() != _bell(x).tobytes():
        text = f"NumPy's own loops are not used: {fused.fallback_reasons() or 'results differ, please report this'}"
        return Finding(label="tiles", text=text, is_fine=False)
    return Finding(label="tiles", text="NumPy's own loops, for want of a kernel: as NumPy, bit for bit")


def _bell(a: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * a * a)  # type: ignore[no-any-return]


def _hypotenuse_and_more(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Operations that are bit-identical to NumPy's on every machine."""
    return np.sqrt(a * a + b * b) / (1.0 + abs(a)) - np.floor(b) * 0.5  # type: ignore[no-any-return]

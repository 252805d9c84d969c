"""What a backend is: text from a plan, a built kernel from text, a loaded kernel from what was built."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from pyfuse.array_layout import NestLayout
from pyfuse.config import Config
from pyfuse.graph.loop_plan import LoopPlan
from pyfuse.records import dataclass


@dataclass(frozen=True, kw_only=True)
class KernelSource:
    """A kernel as text.

    Attributes:
        language: ``c`` or ``cuda``.
        text: complete, self-contained, the same in every process.
        nest_count: loop nests that the text defines.
    """

    language: str
    text: str
    nest_count: int


@dataclass(frozen=True, kw_only=True)
class BuiltKernel:
    """A kernel as a library on disk.

    Attributes:
        path: the loadable file.
        was_cached: found in the artifact store, not built now.
        build_seconds: time of the build, 0 when found.
    """

    path: Path
    was_cached: bool
    build_seconds: float


class Kernel(Protocol):
    """A loaded kernel: loop nests that can be launched over arrays."""

    nest_count: int

    def prepare(self, launch: Any, config: Config) -> Any:
        """Fix geometry and limits of a launch, so that the launch itself only passes addresses and numbers."""

    def launch(self, prepared: Any, arrays: Sequence[Any], scalars: bytes) -> int:
        """Run; the result is a set of status bits (docs/c-library.md, rule 5)."""


class Backend(Protocol):
    """Three jobs, one after the other; none knows the others' insides."""

    name: str

    def write(self, plan: LoopPlan, layouts: Sequence[NestLayout]) -> KernelSource:
        """The text of a kernel. Raises CannotFuse for an operation that the backend has no text for."""

    def build(self, source: KernelSource, config: Config) -> BuiltKernel:
        """Build it, or find it built. Raises CannotFuse when no compiler works or the disk refuses."""

    def load(self, source: KernelSource, built: BuiltKernel, config: Config) -> Kernel:
        """Load it into this process. Raises CannotFuse when the system refuses."""

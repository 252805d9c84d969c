"""What a backend is: text from a plan, a built kernel from text, a loaded kernel from what was built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
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


class Writes(IntEnum):
    """How a nest writes its results; the numbers stand in kernels' text.

    ``IF_CLEAR`` is for results that lie where operands are read, of plans that may overwrite them: before a tile of
    them is written, nothing that is reported must have been met. See ``record_size``.
    """

    AS_THEY_COME = 0
    PAST_CACHES = 1
    IF_CLEAR = 2


@dataclass(frozen=True, kw_only=True)
class NestLaunch:
    """One nest of a launch, in numbers.

    Attributes:
        geometry: what the kernel's text reads of extents, strides and places, in its order.
        outer, inner: rows, and cells in each; threads share them.
        depth: elements behind each cell.
        element_cost: estimated picoseconds for one element on one core.
        writes: how results had better be written; what is not ``IF_CLEAR`` a backend may ignore.
    """

    geometry: tuple[int, ...]
    outer: int
    inner: int
    depth: int
    element_cost: int
    writes: Writes = Writes.AS_THEY_COME


CHUNKS_PER_THREAD = 4  # as in runtime.c


def record_size(thread_limit: int) -> int:
    """How many 8-byte numbers the record of a call holds whose results go into arrays that it reads.

    First the status bits that are reported, then how many parts of the row were left as they were, then of each where
    it begins and ends.
    """
    return 2 + 2 * CHUNKS_PER_THREAD * (thread_limit + 1)


class PreparedLaunch:
    """A launch whose geometry is fixed.

    Attributes:
        start: runs the kernel on packed addresses and scalars, and returns its status bits; only while this object
            lives, which owns the C structures.
        addresses: of the C function behind ``start`` and of its first argument, for the compiled dispatcher; None where
            there are none.
        address: what ``start`` wants for an array: where the object is, or its data.
        is_tiled: whether NumPy's own loops run the nests over tiles.
    """

    __slots__ = ("_kept", "address", "addresses", "is_tiled", "start")

    def __init__(
        self,
        start: Callable[[bytes], int],
        kept: tuple[Any, ...],
        addresses: tuple[int, int] | None = None,
        *,
        address: Callable[[Any], int] = id,
        is_tiled: bool = False,
    ) -> None:
        self.start = start
        self.addresses = addresses
        self.address = address
        self.is_tiled = is_tiled
        self._kept = kept


class Kernel(Protocol):
    """A loaded kernel: loop nests that can be launched over arrays."""

    nest_count: int

    def prepare(self, nests: Sequence[NestLaunch], operand_count: int, thread_limit: int) -> PreparedLaunch:
        """Fix the geometry of a launch; it may be used by many threads at once."""

    def launch(self, prepared: PreparedLaunch, packed: bytes) -> int:
        """Run; ``packed`` holds an 8-byte address for each operand, then the scalars.

        Returns:
            Status bits (docs/c-library.md, rule 5).
        """


class Backend(Protocol):
    """Three jobs, one after the other; none knows the others' insides."""

    name: str

    def write(self, plan: LoopPlan, layouts: Sequence[NestLayout]) -> KernelSource:
        """The text of a kernel. Raises CannotFuse for an operation that the backend has no text for."""

    def build(self, source: KernelSource, config: Config) -> BuiltKernel:
        """Build it, or find it built. Raises CannotFuse when no compiler works or the disk refuses."""

    def noted(self, plan: LoopPlan, layouts: Sequence[NestLayout], config: Config) -> tuple[BuiltKernel, Kernel] | None:
        """A plan's kernel, where it is built and its text need not be written to find it.

        Raises:
            CannotFuse: no compiler works, as was found before.
        """

    def note(
        self,
        plan: LoopPlan,
        layouts: Sequence[NestLayout],
        source: KernelSource,
        built: BuiltKernel,
        config: Config,
    ) -> None:
        """Have ``noted`` find it from now on."""

    def load(self, source: KernelSource, built: BuiltKernel, config: Config) -> Kernel:
        """Load it into this process. Raises CannotFuse when the system refuses."""

    def assembly_of(self, source: KernelSource, config: Config) -> str:
        """The kernel's assembly, or why there is none. Raises CannotFuse when no compiler works."""

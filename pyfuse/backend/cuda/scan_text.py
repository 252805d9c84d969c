"""Scans, as CUDA kernels: each is a thread's, a block's, or the work of many blocks in three kernels (``scan_shape``).

A block takes a tile of elements at a time. They are loaded as they lie and turned in shared memory, so that each thread
has a few neighbours, of which it makes a scan; those of the threads before it come by shuffles, and what is before the
tile from the tile before. Of many blocks each first stores its chunk's last result only; one block makes a scan of
those, in place; and then each goes through its chunk again, from where the one before it ends.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import numpy as np

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_text import HALF, SINGLE, c_type, cast
from pyfuse.backend.cpu.step_text import block, without_unused
from pyfuse.backend.cuda.device_fold import WARP
from pyfuse.backend.cuda.kernel_text import ROW_BLOCK, WrittenNest, finished_kernel
from pyfuse.backend.cuda.launch_shape import NestShape, NestTraits, Walk
from pyfuse.backend.cuda.reduction_text import ReductionText, each
from pyfuse.backend.cuda.scan_shape import SCAN_THREADS, SINGLE_THREADS, Way
from pyfuse.diagnostics import Code, refuse
from pyfuse.graph.loop_plan import ReductionNest, Style

_IN_ORDER_ONLY = frozenset({"subtract", "divide"})
_BATCH_BYTES = 32  # loads in flight of a thread that goes alone
_LARGE = 8  # bytes of an element of which a thread takes fewer


class _Part(enum.Enum):
    """What a kernel does of a scan."""

    ALL = "all of it"
    ENDS = "the last result of each chunk, from the chunk's elements alone"
    JOINED = "the last results of all chunks"
    REST = "all other results"


def write_scan(
    names: Sequence[str], nest: ReductionNest, layout: NestLayout, input_count: int, *, traits: NestTraits,
    has_scalars: bool,
) -> list[WrittenNest]:  # fmt: skip
    """The kernels of a nest that is a scan.

    Args:
        names: of three kernels; only ``Way.BLOCKS`` has the last two.
        nest, layout, input_count, has_scalars: as in ``map_text.write_map``.
        traits: of the nest; ``traits.scan`` says which way it goes.

    Raises:
        CannotFuse: an operation has no text, or goes from element to element where threads would share them.
    """
    assert len(nest.accumulations) == len(nest.stores) == 1
    parts = list(_Part)[1:] if traits.scan is Way.BLOCKS else [_Part.ALL]
    written = []
    for name, part in zip(names, parts, strict=False):
        text = ScanText(nest, layout, input_count, traits)
        body = text.alone() if traits.scan is Way.THREAD else text.together(part)
        calls = text.text.steps.calls
        written.append(finished_kernel(name, without_unused(body), text.shape(part), calls, has_scalars=has_scalars))
    return written


class ScanText:
    """Writes one kernel.

    Attributes:
        text: of the nest's parts.
    """

    def __init__(self, nest: ReductionNest, layout: NestLayout, input_count: int, traits: NestTraits) -> None:
        self._kept = layout.outer_rank + (nest.style is Style.COLUMNS)
        self.text = ReductionText(nest, layout, input_count, self._kept)
        self._way = traits.scan
        (self._fold,) = self.text.folds
        operation, self._dtype = self._fold.accumulation.operation, self._fold.dtype
        if operation in _IN_ORDER_ONLY and self._way is not Way.THREAD:
            raise refuse(
                Code.UNSUPPORTED_OPERATION,
                f"a scan by '{operation}' goes from element to element, which threads do not share",
            )
        self._adds_half = operation == "add" and self._dtype == HALF and self._way is not Way.THREAD
        self._kind = c_type(SINGLE if self._adds_half else self._dtype)
        self._sinks = self.text.sinks(0)
        self._loads = self.text.loads(self._sinks)
        sizes = [nest.steps[position].dtype.itemsize for position in self._loads]
        if self._way is Way.THREAD:
            self._count = max(1, _BATCH_BYTES // max(4, *sizes, 4))
            self._width = SINGLE_THREADS
        else:
            self._count = 8 if self._dtype.itemsize <= _LARGE else 4
            self._width = min(SCAN_THREADS, max(WARP, traits.bound // self._count))

    def shape(self, part: _Part) -> NestShape:
        """How a kernel is launched."""
        walk = Walk.JOINED if part is _Part.JOINED else Walk.CHUNKS if part in (_Part.ENDS, _Part.REST) else Walk.SCANS
        if self._way is Way.THREAD:
            walk = Walk.SINGLE_SCANS
        follows = part in (_Part.JOINED, _Part.REST)
        return NestShape(per_thread=self._count, widest=self._width, walk=walk, reduced=self._kept, follows=follows)

    def alone(self) -> list[str]:
        """The kernel's statements where each thread has a scan."""
        text, count, acc = self.text, self._count, self._fold.acc
        lines = self._beginning(f"blockIdx.x * (pf_index){self._width} + threadIdx.x")
        with text.steps.scope():
            element = ["const pf_index j = base + k;", *text.values(self._sinks)]
            value = text.steps.names[self._fold.accumulation.step]
            element.append(f"{acc} = j == 0 ? {value} : {self._fold.combined(acc, value)};")
            element.append(f"if (j < length) {text.element(0)} = {acc};")
        body = [
            *text.load_declarations(self._loads, count),
            *each(count, text.batch(self._loads, "base + k")),
            *each(count, element),
        ]
        return [
            *lines,
            f"{self._kind} {acc} = {self._fold.nothing()};",
            *block(f"for (pf_index base = 0; base < length; base += {count})", body),
        ]

    def together(self, part: _Part) -> list[str]:
        """The kernel's statements where a block goes along a scan."""
        first = {_Part.ALL: "0", _Part.JOINED: "0"}.get(part, "blockIdx.x * chunk")
        end = {_Part.ALL: "length", _Part.JOINED: "(length + chunk - 1) / chunk"}.get(
            part, "length - begin < chunk ? length : begin + chunk"
        )
        carried = ["const pf_index j = begin - 1;", f"carry = {self._wide(self.text.element(0))};"]
        is_carried = part is _Part.REST
        tile = [*self._taken(part), *self._scanned(), *self._stored(part), "__syncthreads();"]
        return [
            *self._beginning(ROW_BLOCK),
            "const pf_index chunk = geometry.at[1];",
            f"const pf_index begin = {first};",
            f"const pf_index end = {end};",
            f"__shared__ {self._kind} turned[{self._width * (self._count + 1)}];",
            f"__shared__ {self._kind} totals[{self._width // WARP}];",
            f"const int lane = threadIdx.x % {WARP}, own = threadIdx.x * {self._count + 1};",
            f"{self._kind} carry = {'0' if self._adds_half else self._fold.nothing()};",
            f"int is_carried = {'begin > 0' if is_carried else '0'};",
            *(block("if (begin > 0)", carried) if is_carried else []),
            *block(f"for (pf_index base = begin; base < end; base += {self._width * self._count})", tile),
        ]

    def _beginning(self, row: str) -> list[str]:
        text = self.text
        return [
            f"const pf_index row = {row};",
            "if (row >= geometry.at[0]) return;",
            *text.length(),
            *text.kept_indices("row", self._kept),
            *text.pointers([f"x{axis}" for axis in range(self._kept)]),
            *text.row_values(self._sinks),
        ]

    def _taken(self, part: _Part) -> list[str]:
        """A tile's elements come to shared memory."""
        text, place = self.text, f"turned[at + at / {self._count}]"
        at = f"const int at = threadIdx.x + k * {self._width};"
        if part is _Part.JOINED:
            end = "const pf_index beside = base + at, chunks = beside < end ? beside + 1 : end;"
            last = "const pf_index j = chunks < end ? chunks * chunk - 1 : length - 1;"
            return [
                *each(self._count, [at, end, last, f"{place} = {self._wide(text.element(0))};"]),
                "__syncthreads();",
            ]
        index = f"base + threadIdx.x + k * (pf_index){self._width}"
        with text.steps.scope():
            element = [f"const pf_index j = {index};", *text.values(self._sinks)]
            value = text.steps.names[self._fold.accumulation.step]
        return [
            *text.load_declarations(self._loads, self._count),
            *each(self._count, text.batch(self._loads, index)),
            *each(self._count, [at, *element, f"{place} = {self._wide(value)};"]),
            "__syncthreads();",
        ]

    def _scanned(self) -> list[str]:
        """The tile's elements in shared memory become results; those beyond the last one are nobody's."""
        kind, warps = self._kind, self._width // WARP
        return [
            f"{kind} total = turned[own];",
            "#pragma unroll",
            *block(
                f"for (int k = 1; k < {self._count}; ++k)",
                [f"total = {self._combined('total', 'turned[own + k]')};", "turned[own + k] = total;"],
            ),
            "#pragma unroll",
            *block(
                f"for (int distance = 1; distance < {WARP}; distance *= 2)",
                [
                    f"const {kind} lower = pf_from_lower_lane(total, distance);",
                    f"if (lane >= distance) total = {self._combined('lower', 'total')};",
                ],
            ),
            f"if (lane == {WARP - 1}) totals[threadIdx.x / {WARP}] = total;",
            f"const {kind} lower = pf_from_lower_lane(total, 1);",
            "__syncthreads();",
            f"{kind} before = carry;",
            "int is_after = is_carried;",
            "#pragma unroll",
            *block(
                f"for (int warp = 0; warp < {warps}; ++warp)",
                [
                    f"if (warp == threadIdx.x / {WARP}) {{ before = carry; is_after = is_carried; }}",
                    f"carry = is_carried ? {self._combined('carry', 'totals[warp]')} : totals[warp];",
                    "is_carried = 1;",
                ],
            ),
            f"if (lane > 0) before = is_after ? {self._combined('before', 'lower')} : lower;",
            "if (lane > 0) is_after = 1;",
            "#pragma unroll",
            *block(
                f"for (int k = 0; k < {self._count}; ++k)",
                [f"if (is_after) turned[own + k] = {self._combined('before', 'turned[own + k]')};"],
            ),
            "__syncthreads();",
        ]

    def _stored(self, part: _Part) -> list[str]:
        """The tile's results go to memory."""
        result, to = self._narrow(f"turned[at + at / {self._count}]"), self.text.element(0)
        lines = [f"const int at = threadIdx.x + k * {self._width};"]
        if part is _Part.JOINED:
            lines += [
                "const pf_index chunks = base + at + 1;",
                "const pf_index j = chunks < end ? chunks * chunk - 1 : length - 1;",
                f"if (chunks <= end) {to} = {result};",
            ]
        else:
            which = {_Part.ALL: "j < end", _Part.ENDS: "j == end - 1", _Part.REST: "j < end - 1"}[part]
            lines += ["const pf_index j = base + at;", f"if ({which}) {to} = {result};"]
        return each(self._count, lines)

    def _combined(self, left: str, right: str) -> str:
        return f"{left} + {right}" if self._adds_half else self._fold.combined(left, right)

    def _wide(self, value: str) -> str:
        """A value as it is combined: float16 is added in float32."""
        return self._cast(value, HALF, SINGLE)

    def _narrow(self, value: str) -> str:
        return self._cast(value, SINGLE, HALF)

    def _cast(self, value: str, source: np.dtype, target: np.dtype) -> str:
        if not self._adds_half:
            return value
        made = cast(value, source, target)
        self.text.steps.calls.update(made.calls)
        return made.text

"""A nest without reductions whose operands lie across each other, as a CUDA kernel: squares, turned in shared memory.

A block computes 32 by 32 elements. Operands that lie along the columns are read as in ``map_text``. Those that lie
along the rows are read with neighbouring threads along the rows, and put into shared memory, from which each thread
takes the elements that it computes.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_text import c_type
from pyfuse.backend.cpu.step_text import block
from pyfuse.backend.cuda.device_steps import DeviceSteps
from pyfuse.backend.cuda.kernel_text import WrittenNest, finished_kernel
from pyfuse.backend.cuda.launch_shape import LEAST_NUMBERS, THREADS, TILE, NestShape, Walk
from pyfuse.backend.cuda.map_text import varying_steps
from pyfuse.graph.loop_plan import LoadStep, Nest

_HEIGHT = THREADS // TILE
_COUNT = TILE // _HEIGHT  # elements of a thread, rows apart
_EVERY = f"for (int k = 0; k < {_COUNT}; ++k)"


def write_tiles(
    name: str, nest: Nest, layout: NestLayout, input_count: int, turned: Sequence[int], *, has_scalars: bool
) -> WrittenNest:
    """The kernel of a nest.

    Args:
        name, nest, layout, input_count, has_scalars: as in ``map_text.write_map``.
        turned: the loads that lie along the rows, as ``launch_shape.NestTraits`` has them.

    Raises:
        CannotFuse: an operation has no text.
    """
    text = _TileText(nest, layout, input_count, turned)
    shape = NestShape(per_thread=_COUNT, widest=TILE, height=_HEIGHT, walk=Walk.TILES, reduced=layout.outer_rank)
    return finished_kernel(name, text.body(), shape, text.steps.calls, has_scalars=has_scalars)


class _TileText:
    def __init__(self, nest: Nest, layout: NestLayout, input_count: int, turned: Sequence[int]) -> None:
        self.steps = DeviceSteps(nest, layout, input_count)
        self._nest = nest
        self._rank = layout.outer_rank
        self._varying = varying_steps(nest, layout)
        loads = {
            position: step.source.load for position, step in enumerate(nest.steps) if isinstance(step.source, LoadStep)
        }
        self._turned = [position for position, load in loads.items() if load in turned]
        self._straight = [position for position in loads if position not in self._turned]

    def body(self) -> list[str]:
        """The kernel's statements."""
        kinds = {position: c_type(self._nest.steps[position].dtype) for position in (*self._turned, *self._straight)}
        stores = [
            f"{self._element(place, 'row', 'i')} = {self.steps.names[store.step]};"
            for place, store in enumerate(self._nest.stores)
        ]
        rows = self._extent(self._rank - 1)
        return [
            f"const pf_index columns = geometry.at[1], rows = {rows};",
            f"const pf_index first_row = blockIdx.y * {TILE}, first_column = blockIdx.x * {TILE};",
            *self._outer_indices(),
            *self._pointers(),
            *[f"__shared__ {kinds[position]} turned_{position}[{TILE}][{TILE + 1}];" for position in self._turned],
            *[f"{kind} loaded_{position}[{_COUNT}];" for position, kind in kinds.items()],
            "#pragma unroll",
            *block(_EVERY, self._turned_loads()),
            *(["#pragma unroll", *block(_EVERY, self._straight_loads())] if self._straight else []),
            "#pragma unroll",
            *block(
                _EVERY, [f"turned_{p}[threadIdx.y + k * {_HEIGHT}][threadIdx.x] = loaded_{p}[k];" for p in self._turned]
            ),
            "__syncthreads();",
            "#pragma unroll",
            *block(
                _EVERY,
                [
                    f"const pf_index row = first_row + threadIdx.y + k * {_HEIGHT}, i = first_column + threadIdx.x;",
                    *self._values(),
                    *block("if (row < rows && i < columns)", stores),
                ],
            ),
        ]

    def _values(self) -> list[str]:
        lines = []
        for position, step in enumerate(self._nest.steps):
            element = None
            if position in self._turned:
                element = f"turned_{position}[threadIdx.x][threadIdx.y + k * {_HEIGHT}]"
            elif isinstance(step.source, LoadStep):
                element = f"loaded_{position}[k]"
            lines += self.steps.declaration(position, element)
        return lines

    def _turned_loads(self) -> list[str]:
        lines = [
            "const pf_index low = first_row + threadIdx.x, row = low < rows ? low : rows - 1;",
            f"const pf_index beside = first_column + threadIdx.y + k * {_HEIGHT};",
            "const pf_index i = beside < columns ? beside : columns - 1;",
        ]
        for position in self._turned:
            lines.append(f"loaded_{position}[k] = {self._element(self._operand(position), 'row', 'i')};")
        return lines

    def _straight_loads(self) -> list[str]:
        lines = [
            f"const pf_index low = first_row + threadIdx.y + k * {_HEIGHT}, row = low < rows ? low : rows - 1;",
            "const pf_index beside = first_column + threadIdx.x, i = beside < columns ? beside : columns - 1;",
        ]
        for position in self._straight:
            lines.append(f"loaded_{position}[k] = {self._element(self._operand(position), 'row', 'i')};")
        return lines

    def _operand(self, position: int) -> int:
        source = self._nest.steps[position].source
        assert isinstance(source, LoadStep)
        return self.steps.load_position(source.load)

    def _extent(self, axis: int) -> str:
        return f"geometry.at[{LEAST_NUMBERS + axis}]"

    def _stride(self, operand: int, axis: int) -> str:
        return f"geometry.at[{LEAST_NUMBERS + self._rank + operand * (self._rank + 1) + axis}]"

    def _element(self, operand: int, row: str, column: str) -> str:
        address = f"p{operand} + {row} * {self._stride(operand, self._rank - 1)}"
        if self.steps.is_unit(operand):
            const = "" if operand < len(self._nest.stores) else "const "
            return f"(({const}{self.steps.element_type(operand)} *)({address}))[{column}]"
        return self.steps.element_at(operand, f"{address} + {column} * {self._stride(operand, self._rank)}")

    def _outer_indices(self) -> list[str]:
        """``x<n>``: indices of the outer dimensions but the last."""
        if self._rank < 2:
            return []
        lines = ["pf_index rest = blockIdx.z;"]
        for axis in reversed(range(1, self._rank - 1)):
            lines.append(f"const pf_index x{axis} = rest % {self._extent(axis)}; rest /= {self._extent(axis)};")
        return [*lines, "const pf_index x0 = rest;"]

    def _pointers(self) -> list[str]:
        """``p<n>``: where an operand's square of rows and columns begins."""
        operands, starts = self.steps.operands(), self.steps.start_indices()
        lines = []
        for operand, (number, _, is_stored) in enumerate(operands):
            offset = "".join(f" + x{axis} * {self._stride(operand, axis)}" for axis in range(self._rank - 1))
            if operand in starts:
                first = LEAST_NUMBERS + self._rank + len(operands) * (self._rank + 1)
                offset += f" + geometry.at[{first + starts[operand]}]"
            lines.append(f"{'' if is_stored else 'const '}char *p{operand} = operands.at[{number}]{offset};")
        return lines

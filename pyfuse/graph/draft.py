"""A graph while it is being written: nodes are appended, dimensions unified as broadcasting demands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyfuse.diagnostics import Code, refuse
from pyfuse.graph.nodes import (
    ALONG,
    ONE,
    Apply,
    Assemble,
    Carried,
    Constant,
    Dims,
    Extent,
    Gather,
    Graph,
    HostExtent,
    Input,
    InputExtent,
    Loop,
    Looped,
    LoopIndex,
    Node,
    Number,
    Origin,
    Output,
    Reduce,
    Reshape,
    Scalar,
    Scan,
    Slice,
    View,
)

MAX_NODES = 20_000  # unrolled loops end here: beyond it a kernel would take minutes to compile


class GraphDraft:
    """Appends nodes and keeps which dimensions must be equal; ``finish`` freezes the result."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._sources: list[list[Extent]] = []  # by provisional dimension
        self._parent: list[int] = []  # union-find over provisional dimensions
        self._scalar_dtypes: list[np.dtype] = []
        self._input_count = 0
        self._extent_count = 0
        self._loops: list[Loop] = []
        self._updates: list[dict[int, int]] = []

    def __len__(self) -> int:
        return len(self._nodes)

    def __getitem__(self, index: int) -> Node:
        return self._nodes[index]

    def dims(self, index: int) -> Dims:
        """The dimensions of a node, equal ones with equal numbers."""
        return tuple(self._root(dim) for dim in self._nodes[index].dims)

    def add_input(self, dtype: np.dtype, is_one: Sequence[bool], origin: Origin) -> int:
        """An array of the call; ``is_one`` says of each axis whether its extent is one."""
        index = self._input_count
        self._input_count += 1
        dims = tuple(
            ONE if one else self._new_dim(InputExtent(index=index, axis=axis)) for axis, one in enumerate(is_one)
        )
        return self._append(Input(dtype=dtype, dims=dims, index=index, origin=origin))

    def source(self, dim: int) -> Extent:
        """What a dimension's extent is read from."""
        return self._sources[self._root(dim)][0]

    def add_scalar(self, dtype: np.dtype, origin: Origin) -> int:
        """A number of the call, converted to ``dtype``."""
        self._scalar_dtypes.append(dtype)
        return self._append(Scalar(dtype=dtype, dims=(), slot=len(self._scalar_dtypes) - 1, origin=origin))

    def add_constant(self, value: Number, dtype: np.dtype, dims: Dims = (), origin: Origin | None = None) -> int:
        """A known number, of rank 0 or filling an array."""
        return self._append(Constant(dtype=dtype, dims=dims, value=value, origin=origin or Origin()))

    def add_extent(self) -> int:
        """A dimension whose extent, not one, the call computes; each needs its own slot, in order of these calls."""
        return self._new_dim(self.add_host_number())

    def add_host_number(self) -> HostExtent:
        """A whole number that the call computes, such as where a slice starts; it takes a slot as extents do."""
        self._extent_count += 1
        return HostExtent(slot=self._extent_count - 1)

    def apply(
        self,
        operation: str,
        operands: Sequence[int],
        dtypes: Sequence[np.dtype],
        origin: Origin,
        *,
        is_implicit: bool = False,
    ) -> tuple[int, ...]:
        """An elementwise operation on broadcast operands; one node for each result dtype."""
        dims = self.broadcast([self.dims(operand) for operand in operands])
        return tuple(
            self._append(
                Apply(
                    dtype=dtype,
                    dims=dims,
                    operation=operation,
                    operands=tuple(operands),
                    result=result,
                    is_implicit=is_implicit,
                    origin=origin,
                )
            )
            for result, dtype in enumerate(dtypes)
        )

    def cast(self, operand: int, dtype: np.dtype, origin: Origin, *, is_implicit: bool) -> int:
        """The operand as ``dtype``; an implicit cast to its own dtype is the operand itself."""
        if is_implicit and self._nodes[operand].dtype == dtype:
            return operand
        return self.apply("cast", (operand,), (dtype,), origin, is_implicit=is_implicit)[0]

    def store(
        self, target: int, value: int, origin: Origin, dtype: np.dtype | None = None, *, is_implicit: bool = False
    ) -> int:
        """``target[...] = value``: the value in the target's shape and memory order, and its dtype unless one is given.

        Args:
            target: whose shape and order are kept.
            value: what is stored.
            origin: where the store is written.
            dtype: of the result, if it is not the target's.
            is_implicit: the array itself is written, and not a new one that is like it.

        Raises:
            CannotFuse: the value's shape does not fit (NumPy raises its own error).
        """
        dims = self.dims(target)
        broadcast = self.broadcast([dims, self.dims(value)])
        if tuple(self._root(dim) for dim in dims) != broadcast:
            raise refuse(
                Code.NUMPY_RAISES, "a value is stored into an array of a smaller shape: NumPy raises its own error"
            )
        node = Apply(
            dtype=dtype if dtype is not None else self._nodes[target].dtype,
            dims=self.dims(target),
            operation="cast",
            operands=(value,),
            is_implicit=is_implicit,
            kept_layout=target,
            origin=origin,
        )
        return self._append(node)

    def copy_in_c_order(self, operand: int, origin: Origin) -> int:
        """A new array of the same elements in C order."""
        return self.apply("contiguous", (operand,), (self._nodes[operand].dtype,), origin)[0]

    def view(self, operand: int, axes: Sequence[int | None], origin: Origin) -> int:
        """The operand under other axes (see ``View``)."""
        dims = self.dims(operand)
        viewed = tuple(ONE if axis is None else dims[axis] for axis in axes)
        node = View(dtype=self._nodes[operand].dtype, dims=viewed, operand=operand, axes=tuple(axes), origin=origin)
        return self._append(node)

    def reduce(
        self,
        operation: str,
        operand: int,
        axes: Sequence[int],
        dtype: np.dtype,
        origin: Origin,
        *,
        keepdims: bool = False,
        initial: int | None = None,
        where: int | None = None,
    ) -> int:
        """One result for all elements along ``axes`` (see ``Reduce``); ``keepdims``: these stay, with extent one."""
        reduced = sorted(set(axes))
        dims = self.dims(operand)
        kept = [axis for axis in range(len(dims)) if axis not in reduced]
        node = Reduce(
            dtype=dtype,
            dims=tuple(dims[axis] for axis in kept),
            operation=operation,
            operand=operand,
            axes=tuple(reduced),
            initial=initial,
            where=where,
            origin=origin,
        )
        index = self._append(node)
        if not keepdims:
            return index
        return self.view(index, [kept.index(axis) if axis in kept else None for axis in range(len(dims))], origin)

    def scan(self, operation: str, operand: int, axis: int, origin: Origin) -> int:
        """All results along ``axis`` (see ``Scan``)."""
        dtype, dims = self._nodes[operand].dtype, self.dims(operand)
        return self._append(
            Scan(dtype=dtype, dims=dims, operation=operation, operand=operand, axis=axis, origin=origin)
        )

    def slice(
        self,
        operand: int,
        axis: int,
        start: int | HostExtent,
        dim: int,
        origin: Origin,
        *,
        step: int = 1,
        siblings: int = 0,
    ) -> int:
        """Some elements along ``axis``; ``dim`` is their number's dimension (see ``Slice``)."""
        node = Slice(
            dtype=self._nodes[operand].dtype,
            dims=tuple(dim if place == axis else own for place, own in enumerate(self.dims(operand))),
            operand=operand,
            axis=axis,
            start=start,
            step=step,
            siblings=siblings,
            origin=origin,
        )
        return self._append(node)

    def reshape(self, operand: int, dims: Dims, origin: Origin) -> int:
        """The elements of a node in C order under other dimensions (see ``Reshape``)."""
        return self._append(Reshape(dtype=self._nodes[operand].dtype, dims=dims, operand=operand, origin=origin))

    def assemble(
        self,
        pieces: Sequence[int],
        axis: int,
        starts: Sequence[int | HostExtent],
        dim: int,
        origin: Origin,
        *,
        step: int = 1,
        layout: int | str = "C",
    ) -> int:
        """A new array of pieces along ``axis``, whose extent is ``dim`` (see ``Assemble``).

        Raises:
            CannotFuse: two pieces differ in another extent, where one is known to be one (NumPy raises its own error).
        """
        dims = list(self.dims(pieces[0]))
        for piece in pieces[1:]:
            for place, other in enumerate(self.dims(piece)):
                if place == axis:
                    continue
                if (dims[place] == ONE) != (other == ONE):
                    raise refuse(Code.NUMPY_RAISES, "pieces of different shapes are joined: NumPy raises its own error")
                if other != ONE:
                    self._unify(dims[place], other)
        dims[axis] = dim
        node = Assemble(
            dtype=self._nodes[pieces[0]].dtype,
            dims=tuple(self._root(own) for own in dims),
            pieces=tuple(pieces),
            axis=axis,
            starts=tuple(starts),
            step=step,
            layout=layout,
            origin=origin,
        )
        return self._append(node)

    def gather(
        self, operand: int, indices: Sequence[int], axes: Sequence[int], place: int, kind: str, origin: Origin,
        mode: str = "raise",
    ) -> int:  # fmt: skip
        """The elements of a node that integer nodes choose (see ``Gather``)."""
        dims = self.dims(operand)
        chosen = self.broadcast([self.dims(index) for index in indices])
        rest = tuple(dim for axis, dim in enumerate(dims) if axis not in axes)
        if kind == ALONG:
            shape = self.broadcast([tuple(ONE if axis in axes else dim for axis, dim in enumerate(dims)), chosen])
        else:
            shape = (*rest[:place], *chosen, *rest[place:])
        node = Gather(
            dtype=self._nodes[operand].dtype,
            dims=shape,
            operand=operand,
            indices=tuple(indices),
            axes=tuple(axes),
            place=place,
            kind=kind,
            mode=mode,
            origin=origin,
        )
        return self._append(node)

    def add_loop(self, start: int, stop: int, step: int) -> int:
        """The number of a new loop over ``range(start, stop, step)``; the bounds are int64 nodes of rank 0."""
        self._loops.append(Loop(start=start, stop=stop, step=step, updates=()))
        self._updates.append({})
        return len(self._loops) - 1

    def loop_index(self, loop: int, origin: Origin) -> int:
        """The index of a loop in the iteration at hand."""
        return self._append(LoopIndex(dtype=np.dtype("i8"), dims=(), loop=loop, origin=origin))

    def carry(self, loop: int, initial: int, origin: Origin) -> int:
        """A value that goes from iteration to iteration; until ``update`` says otherwise it stays as it is."""
        updates = self._updates[loop]
        dtype, dims = self._nodes[initial].dtype, self.dims(initial)
        node = Carried(dtype=dtype, dims=dims, loop=loop, slot=len(updates), initial=initial, origin=origin)
        index = self._append(node)
        updates[index] = index
        return index

    def update(self, carried: int, value: int) -> None:
        """Say what the next iteration finds in the place of a carried value."""
        node = self._nodes[carried]
        assert isinstance(node, Carried)
        self._updates[node.loop][carried] = value

    def looped(self, loop: int, operand: int, origin: Origin) -> int:
        """What a value is in the last iteration of a loop."""
        dtype, dims = self._nodes[operand].dtype, self.dims(operand)
        return self._append(Looped(dtype=dtype, dims=dims, loop=loop, operand=operand, origin=origin))

    def broadcast(self, shapes: Sequence[Dims]) -> Dims:
        """The dimensions of a broadcast result; dimensions that meet are made one, to be checked at each call.

        Source: NumPy user guide, "Broadcasting".
        """
        rank = max((len(dims) for dims in shapes), default=0)
        result = [ONE] * rank
        for dims in shapes:
            for position, dim in enumerate(dims, start=rank - len(dims)):
                if dim != ONE:
                    result[position] = dim if result[position] == ONE else self._unify(result[position], dim)
        return tuple(self._root(dim) for dim in result)  # a later axis may have made an earlier one's dimension another

    def rename(self, index: int, origin: Origin) -> None:
        """Give a node the user's name for it, where it has none yet."""
        node = self._nodes[index]
        if not node.origin.name:
            self._nodes[index] = replace(node, origin=Origin(name=origin.name, span=node.origin.span or origin.span))

    def finish(self, outputs: Sequence[Output]) -> Graph:
        """The graph, with dimensions renumbered in order of first appearance."""
        numbers: dict[int, int] = {}
        sources: list[tuple[Extent, ...]] = []
        for root in [self._root(dim) for node in self._nodes for dim in node.dims]:
            if root != ONE and root not in numbers:
                numbers[root] = len(sources)
                members = [self._sources[dim][0] for dim in range(len(self._parent)) if self._root(dim) == root]
                sources.append(tuple(members))
        nodes = tuple(
            replace(node, dims=tuple(ONE if dim == ONE else numbers[self._root(dim)] for dim in node.dims))
            for node in self._nodes
        )
        return Graph(
            nodes=nodes,
            dims=tuple(sources),
            outputs=tuple(outputs),
            input_count=self._input_count,
            scalar_dtypes=tuple(self._scalar_dtypes),
            extent_count=self._extent_count,
            loops=tuple(
                replace(loop, updates=tuple(updates.items()))
                for loop, updates in zip(self._loops, self._updates, strict=True)
            ),
        )

    def _append(self, node: Node) -> int:
        if len(self._nodes) >= MAX_NODES:
            raise refuse(Code.TOO_LARGE, f"the function unrolls to more than {MAX_NODES} operations", node.origin.span)
        self._nodes.append(node)
        return len(self._nodes) - 1

    def _new_dim(self, source: Extent) -> int:
        self._sources.append([source])
        self._parent.append(len(self._parent))
        return len(self._parent) - 1

    def _root(self, dim: int) -> int:
        if dim == ONE:
            return ONE
        while self._parent[dim] != dim:
            self._parent[dim] = self._parent[self._parent[dim]]
            dim = self._parent[dim]
        return dim

    def _unify(self, first: int, second: int) -> int:
        low, high = sorted((self._root(first), self._root(second)))
        self._parent[high] = low
        return low

"""Exact model of the order in which ``ufunc.reduce`` combines elements.

The model is a port of what NumPy's nditer does for a reduction whose result is
freshly allocated (``PyUFunc_ReduceWrapper``: BUFFERED | EXTERNAL_LOOP |
GROWINNER | DONT_NEGATE_STRIDES, order 'K'):

1. axes are sorted by |stride| (``npyiter_find_best_axis_ordering``); no axis is
   ever flipped, negative strides are walked in logical order;
2. adjacent axes are coalesced (``npyiter_coalesce_axes``);
3. the length of one inner-loop call is chosen by a cost heuristic
   (``npyiter_find_buffering_setup``), which may copy a *castless* operand to the
   buffer just to glue several non-coalescing reduced axes into one longer row.

Valid for NumPy >= 2.3, where step 3 has this form.  With ``legacy=True`` step 3
is that of NumPy 2.0 to 2.2: one row is all the innermost reduced axes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from math import prod

Group = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class ReductionOrder:
    """How the elements which belong to one element of the result are combined.

    Axes of length 1 are left out.  Within a group the axes are outermost first,
    and so are the groups.  All axes are walked from index 0 upwards.

    If ``inner`` is empty, the result is the left fold of the elements in the
    order of ``outer``.  Else, for each index of ``outer`` in turn, the elements
    of ``inner`` (flattened: one row) are cut in pieces of ``chunk`` elements (the
    last may be shorter) and each piece is one call of the ufunc's reduce loop,
    ``out = out + pairwise(piece)`` for a float add.
    """

    outer: tuple[Group, ...]
    inner: tuple[Group, ...]
    row: int
    chunk: int

    @property
    def is_inner(self) -> bool:
        """Whether the innermost iterated dimension is a reduced one."""
        return bool(self.inner)

    @property
    def axes(self) -> tuple[Group, ...]:
        """The reduced axes in iteration order, outermost first."""
        return self.outer + self.inner


@dataclasses.dataclass
class _Dim:
    """One dimension of the iterator; ``strides`` is (result, operand[, mask])."""

    axes: Group
    size: int
    strides: tuple[int, ...]


def _sorted_axes(axes: Sequence[int], strides: Sequence[Sequence[int]]) -> list[int]:
    """Order axes innermost first (npyiter_find_best_axis_ordering)."""
    order: list[int] = []
    for axis in reversed(axes):  # C order, innermost first
        position = len(order)
        for candidate in range(len(order) - 1, -1, -1):
            # The result is not allocated yet: only the operands are compared.
            pairs = [(abs(s[axis]), abs(s[order[candidate]])) for s in strides]
            pairs = [pair for pair in pairs if all(pair)]
            if not pairs:
                continue  # ambiguous
            # On a conflict between operands, C order wins.
            if any(other <= mine for mine, other in pairs):
                break
            position = candidate
        order.insert(position, axis)
    return order


def _coalesced(dims: list[_Dim]) -> list[_Dim]:
    """Merge neighbours of one stride (npyiter_coalesce_axes), innermost first."""
    merged: list[_Dim] = []
    for dim in dims:
        last = merged[-1] if merged else None
        if last and all(s * last.size == t for s, t in zip(last.strides, dim.strides, strict=True)):
            # NumPy: a zero stride takes the other's (which is zero too).
            merged[-1] = _Dim(dim.axes + last.axes, last.size * dim.size, last.strides)
        else:
            merged.append(dim)
    return merged


def _buffering(dims: list[_Dim], reduced_run: int, casts: Sequence[bool], limit: int) -> tuple[int, int]:
    """Number of dims of a row, and elements per call (npyiter_find_buffering_setup).

    ``reduced_run`` counts the innermost dims, all reduced; ``casts`` says which
    of (result, operand[, mask]) is buffered in any case.
    """
    single = [1] * len(casts)  # dims which the operand walks with one stride
    cost = 1 + sum(casts)
    size = best_size = dims[0].size
    best_dim, best_cost, best_core = 0, cost, 1
    for idim in range(1, min(len(dims), reduced_run + 1)):
        if size >= limit and cost > 1:
            break
        previous, this = dims[idim - 1], dims[idim]
        for iop, cast in enumerate(casts):
            if single[iop] == idim:
                if previous.strides[iop] * previous.size == this.strides[iop]:
                    single[iop] += 1
                elif not cast:
                    cost += 1
        core = size
        size *= this.size
        capped = min(size, limit) if cost > 1 else size
        if cost * best_size <= best_cost * capped:
            best_dim, best_cost, best_core, best_size = idim, cost, core, size
    if best_dim == reduced_run:  # "reduce mode": a call covers exactly the core
        return reduced_run, best_core
    is_buffered = any(cast or count <= best_dim for cast, count in zip(casts, single, strict=True))
    if is_buffered and best_size > limit:
        return best_dim + 1, best_core * (limit // best_core)
    return best_dim + 1, best_size


def reduction_order(
    shape: Sequence[int],
    strides: Sequence[int],
    reduced_axes: Iterable[int],
    *,
    is_buffered: bool,
    buffer_size: int = 8192,
    mask_strides: Sequence[int] | None = None,
    legacy: bool = False,
) -> ReductionOrder:
    """Model ``ufunc.reduce(operand, axis=reduced_axes)`` without ``out=``.

    ``shape`` and ``strides`` (bytes) are the operand's; ``is_buffered`` says that
    the loop needs a cast, or that the operand is unaligned or byteswapped.
    ``mask_strides`` are the strides of ``where=`` once broadcast to ``shape``.
    """
    reduced = frozenset(reduced_axes)
    operands = [strides] if mask_strides is None else [strides, mask_strides]
    if prod(shape) == 0:
        return ReductionOrder((), (), 0, 0)
    dims: list[_Dim] = []
    step = 1  # of the result, allocated in iteration order
    for axis in _sorted_axes([a for a, n in enumerate(shape) if n != 1], operands):
        result_stride = 0 if axis in reduced else step
        dims.append(_Dim((axis,), shape[axis], (result_stride, *(s[axis] for s in operands))))
        if axis not in reduced:
            step *= shape[axis]
    dims = _coalesced(dims)
    run = next((i for i, d in enumerate(dims) if d.strides[0]), len(dims))
    if run == 0:
        outer = tuple(d.axes for d in reversed(dims) if not d.strides[0])
        return ReductionOrder(outer, (), 0, 0)
    if legacy:  # the whole reduced run, cut every buffer_size elements
        count, chunk = run, min(buffer_size, prod(d.size for d in dims[:run]))
    else:
        casts = [False, is_buffered, False][: 1 + len(operands)]
        count, chunk = _buffering(dims, run, casts, buffer_size)
    outer = tuple(d.axes for d in reversed(dims[count:]) if not d.strides[0])
    inner = tuple(d.axes for d in reversed(dims[:count]))
    return ReductionOrder(outer, inner, prod(d.size for d in dims[:count]), chunk)

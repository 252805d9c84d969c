"""NumPy functions inside a fused function, beyond ufuncs: which handler says what a call means on values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pyfuse.frontend import (
    array_facts,
    array_makers,
    axis_calls,
    choosing,
    differences,
    gathers,
    input_views,
    joining,
    masks,
    nan_reductions,
    norms,
    padding,
    products,
    reductions,
    repeating,
    scans,
    splitting,
    statistics,
    ufunc_methods,
)
from pyfuse.frontend.rounding import round_array
from pyfuse.frontend.values import Value

Handler = Callable[..., Value]


def handler_of(function: object) -> Handler | None:
    """The handler ``(tracer, *arguments, **keywords)`` of a NumPy function, or None."""
    try:
        return _HANDLERS.get(function) or ufunc_methods.handler_of(function)
    except TypeError:  # unhashable callable
        return None


_OF_UNKNOWN_SHAPE = (np.nonzero, np.flatnonzero, np.argwhere, np.compress, np.extract)

_HANDLERS: dict[Any, Handler] = {
    np.where: choosing.where,
    np.clip: choosing.clip,
    np.select: choosing.select,
    np.piecewise: choosing.piecewise,
    np.nan_to_num: choosing.nan_to_num,
    np.round: round_array,
    np.around: round_array,
    np.full: array_makers.full,
    np.full_like: array_makers.full_like,
    np.zeros: array_makers.filled(0),
    np.ones: array_makers.filled(1),
    np.zeros_like: array_makers.filled_like(0),
    np.ones_like: array_makers.filled_like(1),
    np.copy: array_makers.copy_of,
    np.array: array_makers.array_of,
    np.asarray: array_makers.asarray,
    np.asanyarray: array_makers.asarray,
    np.transpose: axis_calls.transpose,
    np.permute_dims: axis_calls.transpose,
    np.expand_dims: axis_calls.expand_dims,
    np.moveaxis: axis_calls.moveaxis,
    np.swapaxes: axis_calls.swapaxes,
    np.rollaxis: axis_calls.rollaxis,
    np.squeeze: axis_calls.squeeze,
    np.atleast_1d: axis_calls.at_least(1),
    np.atleast_2d: axis_calls.at_least(2),
    np.atleast_3d: axis_calls.at_least(3),
    np.shape: array_facts.shape,
    np.ndim: array_facts.ndim,
    np.size: array_facts.size,
    np.result_type: array_facts.result_type_of,
    np.iscomplexobj: array_facts.kind_test(lambda kind: kind == "c"),
    np.isrealobj: array_facts.kind_test(lambda kind: kind != "c"),
    np.isscalar: array_facts.isscalar,
    np.real: array_facts.real_of,
    np.imag: array_facts.imag_of,
    **{function: input_views.view_function(function) for function in input_views.FUNCTIONS},
    np.sum: reductions.summing("add"),
    np.prod: reductions.summing("multiply"),
    np.min: reductions.extreme("minimum"),
    np.max: reductions.extreme("maximum"),
    np.amin: reductions.extreme("minimum"),
    np.amax: reductions.extreme("maximum"),
    np.any: reductions.truth_of("logical_or"),
    np.all: reductions.truth_of("logical_and"),
    np.count_nonzero: reductions.count_nonzero,
    np.ptp: reductions.ptp,
    np.argmin: reductions.index_of("argmin"),
    np.argmax: reductions.index_of("argmax"),
    np.mean: statistics.mean,
    np.var: statistics.var,
    np.std: statistics.std,
    np.average: statistics.average,
    np.nansum: nan_reductions.nan_summing("add"),
    np.nanprod: nan_reductions.nan_summing("multiply"),
    np.nanmin: nan_reductions.nan_extreme("fmin"),
    np.nanmax: nan_reductions.nan_extreme("fmax"),
    np.nanargmin: nan_reductions.nan_index_of("argmin"),
    np.nanargmax: nan_reductions.nan_index_of("argmax"),
    np.nanmean: nan_reductions.nanmean,
    np.nanvar: nan_reductions.nanvar,
    np.nanstd: nan_reductions.nanstd,
    np.nancumsum: nan_reductions.nan_scanning("add"),
    np.nancumprod: nan_reductions.nan_scanning("multiply"),
    np.cumsum: scans.scanning("add"),
    np.cumprod: scans.scanning("multiply"),
    np.cumulative_sum: scans.cumulative("add"),
    np.cumulative_prod: scans.cumulative("multiply"),
    np.diff: differences.diff,
    np.gradient: differences.gradient,
    np.concatenate: joining.concatenate,
    np.stack: joining.stack,
    np.hstack: joining.stacking(1, 1),
    np.vstack: joining.stacking(2, 0),
    np.dstack: joining.dstack,
    np.column_stack: joining.column_stack,
    np.append: joining.append,
    np.pad: padding.pad,
    np.tile: repeating.tile,
    np.repeat: repeating.repeat,
    np.roll: repeating.roll,
    np.split: splitting.splitting(np.split, 0, None),
    np.array_split: splitting.splitting(np.array_split, 0, None),
    np.hsplit: splitting.splitting(np.hsplit, 1, 1),
    np.vsplit: splitting.splitting(np.vsplit, 2, 0),
    np.dsplit: splitting.splitting(np.dsplit, 3, 2),
    np.unstack: splitting.unstack,
    np.putmask: masks.putmask,
    np.place: masks.place,
    **{function: masks.shape_from_values(f"np.{function.__name__}") for function in _OF_UNKNOWN_SHAPE},
    np.take: gathers.take,
    np.take_along_axis: gathers.take_along_axis,
    np.dot: products.product("dot"),
    np.matmul: products.product("matmul"),
    np.inner: products.product("inner"),
    np.vdot: products.product("vdot"),
    np.einsum: products.einsum,
    np.trace: products.trace,
    np.linalg.trace: products.linalg_trace,
    np.linalg.norm: norms.norm,
    np.linalg.vector_norm: norms.vector_norm,
}

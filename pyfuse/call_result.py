"""What a call returns, put together of a kernel's outputs, and what is stored into its place."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyfuse.compiler import Specialization
from pyfuse.diagnostics import Code, refuse
from pyfuse.errors import CannotFuse
from pyfuse.frontend.build_graph import (
    ContainerRecipe,
    CutRecipe,
    HostRecipe,
    NumberRecipe,
    OutputRecipe,
    Recipe,
    ReshapeRecipe,
    StoreRecipe,
    ViewRecipe,
)
from pyfuse.host_values import HostArgument, HostCall, HostConstant, HostExpression, cut_of, evaluation_of, view_of
from pyfuse.memory_overlap import may_overlap, overlaps_itself


def finisher(specialization: Specialization) -> Callable[[Sequence[Any], Sequence[Any]], Any]:
    """A function of outputs and arguments that puts the result together, and what is stored into its place."""
    outputs, stores = specialization.graph.outputs, specialization.stores
    recipe = specialization.result
    if not stores and isinstance(recipe, OutputRecipe) and not outputs[recipe.index].is_scalar:
        index = recipe.index
        return lambda made, _: made[index]
    if stores and isinstance(recipe, HostRecipe) and isinstance(recipe.expression, HostArgument | HostConstant):
        return _storer(stores, recipe.expression)

    def finish(made: Sequence[Any], arguments: Sequence[Any]) -> Any:
        arrays = [array[()] if output.is_scalar else array for array, output in zip(made, outputs, strict=True)]
        known: dict[int, Any] = {}
        try:
            result = built_result(recipe, arrays, arguments, known)
            targets = [_evaluated(store.target, arguments, known) for store in stores]
            apart = [[_evaluated(array, arguments, known) for array in store.apart] for store in stores]
        except MemoryError:
            raise
        except Exception as error:  # an index out of range, or a number's own: the original raises it again, in order
            raise _raises(error) from error
        for target, others in zip(targets, apart, strict=True):
            check_store(target, others)
        for store, target in zip(stores, targets, strict=True):
            target[...] = arrays[store.index]
        return result

    return finish


def _storer(stores: Sequence[StoreRecipe], result: HostArgument | HostConstant) -> Callable[..., Any]:
    """``_finisher`` where the result is an object of the call, and nothing but stores is to be done."""
    indices, count = [store.index for store in stores], len(stores)
    evaluate = evaluation_of(
        [*(store.target for store in stores), *(array for store in stores for array in store.apart)]
    )
    ends = list(itertools.accumulate((len(store.apart) for store in stores), initial=count))
    read = result.evaluate

    def finish(made: Sequence[Any], arguments: Sequence[Any]) -> Any:
        try:
            found = evaluate(arguments)
        except MemoryError:
            raise
        except Exception as error:
            raise _raises(error) from error
        for number in range(count):
            check_store(found[number], found[ends[number] : ends[number + 1]])
        for number in range(count):
            found[number][...] = made[indices[number]]
        return read(arguments)

    return finish


def _raises(error: Exception) -> CannotFuse:
    return refuse(Code.HOST_ERROR, "computing a result raises", notes=(str(error),))


def check_store(target: np.ndarray, others: Sequence[np.ndarray]) -> None:
    """Whether what a kernel has made may go into an array of the caller.

    Args:
        target: the array.
        others: arrays that are read after the store.

    Raises:
        CannotFuse: NumPy raises, or the order of reads and stores matters.
    """
    flags = target.flags
    if not flags.writeable:
        raise refuse(Code.HOST_ERROR, "an array is read-only: NumPy raises its own error")
    if not flags.c_contiguous and overlaps_itself(target):
        raise refuse(Code.HOST_ERROR, "elements of an array share memory: the order of stores matters")
    if others and any(may_overlap(target, other) for other in others):
        raise refuse(Code.HOST_ERROR, "an array is read after a store into its memory: the original does it in order")


def built_result(recipe: Recipe, arrays: Sequence[Any], arguments: Sequence[Any], known: dict[int, Any]) -> Any:
    """The object of a recipe; a recipe that stands in two places is one object in both."""
    if id(recipe) not in known:
        known[id(recipe)] = _build(recipe, arrays, arguments, known)
    return known[id(recipe)]


def _build(recipe: Recipe, arrays: Sequence[Any], arguments: Sequence[Any], known: dict[int, Any]) -> Any:
    match recipe:
        case OutputRecipe(index=index):
            return arrays[index]
        case NumberRecipe(index=index):
            return arrays[index].item()
        case HostRecipe(expression=expression):
            return _evaluated(expression, arguments, known)
        case ViewRecipe(base=base, axes=axes, part=part):
            return view_of(built_result(base, arrays, arguments, known), axes, part)
        case CutRecipe(base=base, axis=axis, start=start, extent=extent, step=step):
            first, count = (int(_evaluated(number, arguments, known)) for number in (start, extent))
            return cut_of(built_result(base, arrays, arguments, known), axis, first, count, step)
        case ReshapeRecipe(base=base, extents=extents):
            shape = [int(_evaluated(number, arguments, known)) for number in extents]
            return built_result(base, arrays, arguments, known).reshape(shape)
        case ContainerRecipe(kind=kind, items=items, keys=keys):
            values = [built_result(item, arrays, arguments, known) for item in items]
            return dict(zip(keys, values, strict=True)) if kind is dict else kind(values)


def _evaluated(expression: HostExpression, arguments: Sequence[Any], known: dict[int, Any]) -> Any:
    """The value of an expression; a part of several results is computed once, so that they share its memory."""
    if not isinstance(expression, HostCall):
        return expression.evaluate(arguments)
    if id(expression) not in known:
        operands = [_evaluated(operand, arguments, known) for operand in expression.operands]
        known[id(expression)] = expression.function(*operands)
    return known[id(expression)]

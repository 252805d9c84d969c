"""A launch as the compiled dispatcher takes it: which calls it can run, and what it must know of them."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import partial
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from pyfuse.backend.cpu.dispatch import Evaluation, KnownLaunch, make_known
from pyfuse.call_signature import exact_key
from pyfuse.frontend.build_graph import ContainerRecipe, HostRecipe, NumberRecipe, OutputRecipe, Recipe
from pyfuse.frontend.input_views import at_index
from pyfuse.frontend.names import cell_contents, global_value, is_absent
from pyfuse.graph.nodes import Output
from pyfuse.host_values import (
    Guard,
    HostArgument,
    HostCall,
    HostConstant,
    HostExpression,
    cut_of,
    evaluation_of,
    view_of,
)
from pyfuse.in_place import raise_left
from pyfuse.known_values import Values, is_among, is_of_form, rest_of, scalars_of, values_of
from pyfuse.launch import InPlaceStores, Launch, NewArray
from pyfuse.memory_overlap import overlaps_itself
from pyfuse.prepared_function import PreparedFunction
from pyfuse.runner import checked_guards, computes_arrays, guards_check

# Below this the GIL is kept: taking it back from a busy thread may last longer than the kernel (5 ms).
GIL_KEPT_BELOW_PICOSECONDS = 10_000_000

_IN_DICTIONARY, _IN_CELL, _CODE, _DEFAULTS, _KEYWORD_DEFAULTS = range(5)  # as in dispatcher.c: fact_kind
_OF_FUNCTIONS = (_CODE, _DEFAULTS, _KEYWORD_DEFAULTS)
_ARRAY, _SCALAR, _NUMBER = range(3)  # as in dispatcher.c: result_kind
Result = tuple[int, int]

Fact = tuple[Any, ...]
Places = tuple[tuple[int, ...], tuple[int, ...], tuple[Any, ...]]

_VIEWS: tuple[Any, ...] = (operator.getitem, at_index, view_of, cut_of)


def known_launch(
    prepared: PreparedFunction, launch: Launch, arguments: Sequence[Any], thread_limit: int
) -> KnownLaunch | None:
    """A launch for the dispatcher, or None where its calls go the Python way.

    That is: complex numbers, containers among the arguments, parameters that are more than positions.

    Args:
        prepared: the function.
        launch: to run.
        arguments: of the call that the launch was made for, one for each parameter.
        thread_limit: as the settings of that call say.
    """
    specialization, addresses, binder = launch.specialization, launch.prepared.addresses, prepared.binder
    assert binder is not None
    if addresses is None or binder.plain_count != len(arguments) or launch.has_complex_scalars:
        return None
    read = _read_inputs(launch, arguments)
    if read is None:
        return None
    recipe = _results(specialization.result, specialization.graph.outputs) if not specialization.stores else None
    scalars, numbers = scalars_of(specialization.scalars, specialization.graph.scalar_dtypes, arguments)
    results, items, container = recipe if recipe is not None else ((), (), None)
    facts, rest = (None, None) if launch.depends_on_buffer else facts_and_rest(checked_guards(launch), len(arguments))
    start, structure = addresses
    stores, returned = _stores(launch, arguments) if read.arrays is None else ((), (None,))
    return make_known(
        code=prepared.code,
        names=binder.names,
        positional_only=binder.positional_only_count,
        arguments=tuple(arguments),
        thread_limit=thread_limit,
        start=start,
        launch=structure,
        keeper=launch.prepared,
        inputs=read.inputs,
        offsets=read.offsets,
        scalars=scalars,
        outputs=tuple(_array(made) for made in launch.outputs),
        temporaries=tuple(made if isinstance(made, int) else _array(made) for made in launch.own_arrays),
        results=results,
        items=items,
        container=container,
        facts=facts,
        rest=rest,
        holds=guards_check(launch),
        numbers=numbers,
        arrays=read.arrays,
        computed=read.computed,
        array_count=len(specialization.inputs),
        finish=launch.finish if recipe is None else None,
        replay_bits=launch.replay_bits,
        is_tiled=launch.prepared.is_tiled,
        is_long=not 0 < launch.work < GIL_KEPT_BELOW_PICOSECONDS,
        stores=stores,
        returned=returned,
        left=partial(raise_left, launch) if isinstance(launch.own_stores, InPlaceStores) else None,
    )


def _stores(launch: Launch, arguments: Sequence[Any]) -> tuple[tuple[int, ...], int | tuple[object]]:
    """Into which argument each output goes, where the dispatcher can do that; and what is returned then."""
    targets, result = launch.specialization.targets, launch.specialization.result
    if targets is None:
        return (), (None,)
    for target, made in zip(targets, launch.outputs, strict=True):
        array = arguments[target]
        if (
            type(array) is not np.ndarray
            or overlaps_itself(array)
            or (array.dtype, array.shape) != (made.dtype, made.shape)
        ):
            return (), (None,)
    assert isinstance(result, HostRecipe)
    returned = result.expression
    return targets, returned.index if isinstance(returned, HostArgument) else (returned.evaluate(arguments),)


class _Inputs(NamedTuple):
    """Where the arrays are that a kernel reads.

    Attributes:
        inputs: for each, the argument, or its number among what ``arrays`` computes.
        offsets: bytes from the first element of that to the input's.
        arrays: what computes them and the extents, if that must be done at each call.
        computed: what it gave now.
    """

    inputs: tuple[int, ...]
    offsets: tuple[int, ...]
    arrays: Values | None = None
    computed: tuple[Any, ...] = ()


def _read_inputs(launch: Launch, arguments: Sequence[Any]) -> _Inputs | None:
    """Where inputs are; None where they cannot be read, or are not as they were when the launch was made."""
    count = len(launch.specialization.inputs)
    try:
        places = places_of(launch, arguments)
        arrays, computed = _arrays(launch, arguments) if places is None else (None, ())
    except MemoryError:
        raise
    except Exception:  # an attribute that is not there any more
        return None
    if places is not None:
        read, used = _Inputs(places[0], places[1]), places[2]
    elif arrays is not None:
        read, used = _Inputs(tuple(range(count)), (0,) * count, arrays, computed), computed
    else:
        indices = launch.input_indices or ()
        read, used = _Inputs(indices, (0,) * count), tuple(arguments[index] for index in indices)
    is_as_it_was = (*exact_key(used[:count]), *used[count:]) == launch.input_key
    return read if is_as_it_was else None  # another thread has put something else there meanwhile


def places_of(launch: Launch, arguments: Sequence[Any]) -> Places | None:
    """Where inputs lie that are views of arguments, always in the same way for arguments of one exact form.

    Returns:
        For each input, the argument and the bytes from its first element to the input's; and the inputs and extents of
        this call. None where nothing is computed, or there is more to compute.
    """
    specialization = launch.specialization
    expressions = specialization.inputs
    if not computes_arrays(launch) or not all(map(is_of_form, specialization.extents)):
        return None
    if not all(_root(expression) is not None for expression in expressions):
        return None
    count, evaluate = len(expressions), evaluation_of([*expressions, *specialization.extents])
    values = evaluate(arguments)
    inputs, offsets = [], []
    for expression, array in zip(expressions, values[:count], strict=True):
        index = _root(expression)
        assert index is not None
        whole = arguments[index]
        if type(array) is not np.ndarray or type(whole) is not np.ndarray or not array.size:
            return None
        if array is not whole and not np.may_share_memory(array, whole):
            return None
        inputs.append(index)
        offsets.append(_address(array) - _address(whole))
    return tuple(inputs), tuple(offsets), (*values[:count], *map(int, values[count:]))


def _root(expression: HostExpression) -> int | None:
    """The argument that an expression is, or is a view of whatever its elements are; None for another expression."""
    match expression:
        case HostArgument(index=index):
            return index
        case HostCall(function=function, operands=(base, *rest)) if is_among(function, _VIEWS):
            is_fixed = all(is_of_form(operand) and _is_plain_index(operand) for operand in rest)
            return _root(base) if is_fixed else None
        case _:
            return None


def _is_plain_index(expression: HostExpression) -> bool:
    """Whether it may be an index that makes a view: not an array, a list or a truth value."""
    return not isinstance(expression, HostConstant) or not isinstance(expression.value, bool)


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def _arrays(launch: Launch, arguments: Sequence[Any]) -> tuple[Values | None, tuple[Any, ...]]:
    """What computes the inputs and extents of a call where arguments alone do not tell them, and those of this call."""
    if not computes_arrays(launch):
        return None, ()
    specialization = launch.specialization
    count = len(specialization.inputs)
    evaluate = values_of([*specialization.inputs, *specialization.extents], len(arguments))
    values = evaluate(tuple(arguments))
    return evaluate, (*values[:count], *map(int, values[count:]))


def _array(made: NewArray) -> tuple[Any, ...]:
    """dtype, shape to make, whether in Fortran's order, and how to transpose afterwards: as ``launch.allocator``."""
    shape, order = made.shape, made.order
    if order == tuple(range(len(shape))) or math.prod(shape) <= 1:
        return (made.dtype, shape, False, None)
    if order == tuple(reversed(range(len(shape)))):
        return (made.dtype, shape, True, None)
    permuted = tuple(shape[axis] for axis in order)
    return (made.dtype, permuted, False, tuple(order.index(axis) for axis in range(len(order))))


def _results(
    recipe: Recipe, outputs: Sequence[Output]
) -> tuple[tuple[Result, ...], tuple[int, ...], type | None] | None:
    """Different results, which of them stands where, and the container of them; None: only Python can build it."""
    items = recipe.items if isinstance(recipe, ContainerRecipe) and recipe.kind in (tuple, list) else (recipe,)
    results: list[Result] = []
    places = []
    for item in items:
        match item:
            case OutputRecipe(index=index):
                result = (index, _SCALAR if outputs[index].is_scalar else _ARRAY)
            case NumberRecipe(index=index):
                result = (index, _NUMBER)
            case _:
                return None
        if result not in results:
            results.append(result)
        places.append(results.index(result))
    return tuple(results), tuple(places), recipe.kind if isinstance(recipe, ContainerRecipe) else None


def facts_and_rest(guards: Sequence[Guard], argument_count: int) -> tuple[tuple[Fact, ...] | None, Evaluation | None]:
    """Places and the objects that settle guards when they are found there, and what looks at the other guards.

    None where guards must be asked in another way.
    """
    facts, others = _settled(guards)
    rest = rest_of(others, argument_count) if others else None
    return (facts, rest) if rest is not None or not others else (None, None)


def facts_of(guards: Sequence[Guard]) -> tuple[Fact, ...] | None:
    """Places and the objects that settle all guards when they are found there, or None if that is not how they are."""
    facts, others = _settled(guards)
    return None if others else facts


def _settled(guards: Sequence[Guard]) -> tuple[tuple[Fact, ...], list[Guard]]:
    """The facts that settle guards, and the guards that no facts settle."""
    facts: list[Fact] = []
    others = []
    for guard in guards:
        found = _facts_of(guard)
        if found is None:
            others.append(guard)
        else:
            facts += found
    return tuple(facts), others


def _facts_of(guard: Guard) -> list[Fact] | None:
    """Of each place its kind (as in dispatcher.c), the place, its key, and what must be there, if anything."""
    settled = guard.settled_by
    if is_of_form(guard.expression):
        return []  # it holds for all calls of the form, or the launch would not have been made
    match guard.expression:
        case HostConstant(value=FunctionType() as helper) if len(settled) == len(_OF_FUNCTIONS):
            return [
                (kind, helper, None, wanted) if wanted is not None else (kind, helper, None)
                for kind, wanted in zip(_OF_FUNCTIONS, settled, strict=True)
            ]
        case HostConstant(value=value) if len(settled) == 1 and settled[0] is value:
            return []  # it is the same at every call
        case HostCall(function=function, operands=operands):
            places = [operand.value for operand in operands if isinstance(operand, HostConstant)]
        case _:
            return None
    if function is is_absent and guard.holds_for is bool:
        return [(_IN_DICTIONARY, *places)]
    if len(settled) == 1 and len(places) == len(operands):
        if function is global_value:
            return [(_IN_DICTIONARY, *places, *settled)]
        if function is cell_contents:
            return [(_IN_CELL, *places, None, *settled)]
    return None

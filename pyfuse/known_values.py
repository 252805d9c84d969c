"""Values that are computed at each call for the compiled dispatcher, and those on which calls of one form agree."""

from __future__ import annotations

import contextvars
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyfuse.backend.cpu.dispatch import Evaluation, make_evaluation
from pyfuse.frontend import computed_views, slicing
from pyfuse.frontend.input_views import tuple_of
from pyfuse.frontend.padding import lies_in_cs_order, lies_in_fortrans_order
from pyfuse.frontend.repeating import offset_of
from pyfuse.frontend.statistics import degrees_left
from pyfuse.frontend.tracer import extent_of, is_one
from pyfuse.graph.nodes import code_of
from pyfuse.host_values import (
    Guard,
    HostArgument,
    HostCall,
    HostConstant,
    HostExpression,
    evaluation_of,
    may_report,
    program_of,
)
from pyfuse.launch import PACKED
from pyfuse.runner import does_not_fit

_PYTHONS_NUMBERS: tuple[type, ...] = (bool, int, float)
_NUMBERS: tuple[type, ...] = (*_PYTHONS_NUMBERS, *(np.dtype(code).type for code in "?bBhHiIlLqQefd"))

Scalars = tuple[tuple[int | bytes | None, np.dtype], ...]
Values = Callable[[Sequence[Any]], list[Any]]

# Functions of whole numbers, and the modules of pyfuse whose functions in expressions are such; what they compute from
# extents and plain constants is the same for all calls of one form.
_OF_NUMBERS: tuple[Any, ...] = (int, float, bool, np.intp, degrees_left, is_one, offset_of, tuple_of)
_MODULES_OF_NUMBERS = frozenset({"_operator", computed_views.__name__, slicing.__name__})
_OF_FORMS: tuple[Any, ...] = (
    extent_of,
    lies_in_cs_order,
    lies_in_fortrans_order,
)  # look at nothing of an array but its form


# What np.errstate(all="raise") makes of the state of floating-point errors, to be entered: np.errstate takes 1.9 us.
_RAISING = contextvars.Context()
_RAISING.run(np.seterr, all="raise")


def values_of(expressions: Sequence[HostExpression], argument_count: int) -> Values:
    """What computes expressions from the tuple of a call's arguments: the extension, if they are not too many."""
    return _evaluation(expressions, argument_count) or evaluation_of(expressions)


def rest_of(guards: Sequence[Guard], argument_count: int) -> Evaluation | None:
    """What says whether guards hold; None where they are too many."""
    expressions = [guard.expression for guard in guards]
    context = _RAISING if any(map(may_report, expressions)) else None
    predicates = tuple(guard.holds_for for guard in guards)
    return _evaluation(expressions, argument_count, predicates=predicates, context=context)


def _evaluation(
    expressions: Sequence[HostExpression],
    argument_count: int,
    predicates: tuple[Callable[[Any], bool], ...] | None = None,
    context: contextvars.Context | None = None,
    otherwise: Values | None = None,
) -> Evaluation | None:
    constants, indices, steps, results = program_of(expressions)
    return make_evaluation(
        constants=constants,
        argument_count=argument_count,
        indices=indices,
        steps=steps,
        results=results,
        predicates=predicates,
        context=context,
        otherwise=otherwise,
    )


def scalars_of(
    expressions: Sequence[HostExpression], dtypes: Sequence[np.dtype], arguments: Sequence[Any]
) -> tuple[Scalars, Values | None]:
    """Where each number is: an argument, packed here once for all calls of the form, or None: computed at each call.

    And what computes those, in their order; None where there are none.
    """
    places: list[tuple[int | bytes | None, np.dtype]] = []
    computed = []
    for expression, dtype in zip(expressions, dtypes, strict=True):
        place: int | bytes | None = None
        if isinstance(expression, HostArgument):
            place = expression.index
        elif is_of_form(expression):
            place = _packed(expression, dtype, arguments)
        if place is None:
            computed.append(expression)
        places.append((place, dtype))
    if not computed:
        return tuple(places), None
    evaluate = evaluation_of(computed)

    def numbers(arguments: Sequence[Any]) -> list[Any]:
        try:
            with np.errstate(all="raise"):  # as Launch.scalars
                return evaluate(arguments)
        except MemoryError:
            raise
        except Exception as error:
            raise does_not_fit(error) from error

    count = len(arguments)
    if all(_computes_with(expression, arguments, _PYTHONS_NUMBERS) for expression in computed):
        return tuple(places), _evaluation(computed, count, otherwise=numbers) or numbers
    if all(_computes_with(expression, arguments, _NUMBERS) for expression in computed):
        return tuple(places), _evaluation(computed, count, context=_RAISING, otherwise=numbers) or numbers
    return tuple(places), numbers


def _packed(expression: HostExpression, dtype: np.dtype, arguments: Sequence[Any]) -> bytes | None:
    """A number as the kernel reads it; None where that raises, as it will at every call."""
    try:
        with np.errstate(all="raise"):
            return struct.pack(f"={PACKED[code_of(dtype)]}", expression.evaluate(arguments))
    except MemoryError:
        raise
    except Exception:
        return None


def is_among(function: object, known: Sequence[object]) -> bool:
    """By identity: functions of users may have an equality of their own."""
    return any(function is other for other in known)


def is_of_form(expression: HostExpression) -> bool:
    """Whether calls of one exact form agree in a value: it is computed from extents, strides and plain constants."""
    match expression:
        case HostConstant(value=value):
            return _is_plain(value)
        case HostCall(function=function, operands=(HostArgument(), *rest)) if is_among(function, _OF_FORMS):
            return all(map(is_of_form, rest))
        case HostCall(function=function, operands=operands):
            own = getattr(function, "func", function)  # of functools.partial
            is_of_numbers = is_among(own, _OF_NUMBERS) or getattr(own, "__module__", None) in _MODULES_OF_NUMBERS
            return is_of_numbers and all(map(is_of_form, operands))
        case _:
            return False


def _is_plain(value: Any) -> bool:
    if type(value) is tuple:
        return all(map(_is_plain, value))
    if type(value) is slice:
        return all(map(_is_plain, (value.start, value.stop, value.step)))
    return value is None or value is Ellipsis or type(value) in (bool, int, float, str)


def _computes_with(expression: HostExpression, arguments: Sequence[Any], kinds: tuple[type, ...]) -> bool:
    """Whether Python's operators and NumPy's functions compute a value, from numbers of these types.

    With Python's own alone no state of floating-point errors says anything about it; and none of the user's code runs.
    """
    match expression:
        case HostConstant(value=value):
            return type(value) in kinds
        case HostArgument(index=index):
            return type(arguments[index]) in kinds
        case HostCall(function=function, operands=operands):
            is_operator = getattr(function, "__module__", None) == "_operator"
            is_numpys = len(kinds) > len(_PYTHONS_NUMBERS) and (type(function) is np.ufunc or function in kinds)
            return (is_operator or is_numpys) and all(_computes_with(operand, arguments, kinds) for operand in operands)
        case _:
            return False

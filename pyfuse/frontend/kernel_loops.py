"""``for i in range(...)``: when it becomes a loop inside the kernel, and when it is unrolled.

A loop of few turns that is known is unrolled. Else the body is traced once, on values as an iteration finds them
(``loop_body``), for any number of turns from one on: none is another specialisation. Where an iteration leaves values
of another type or shape than it found, one or two iterations are unrolled first; where that does not help, or the body
is not elementwise, the loop is unrolled as a whole. Each such change of mind starts the tracing anew: what a trace has
written down need not be taken back.
"""

from __future__ import annotations

import ast
import builtins
import operator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pyfuse.errors import CannotFuse
from pyfuse.frontend import python_calls
from pyfuse.frontend.call import Caller
from pyfuse.frontend.loop_body import UNROLL, LoopBody
from pyfuse.frontend.tracer import Tracer
from pyfuse.frontend.values import ArrayValue, HostValue, Place, TryAgain, Value, constant
from pyfuse.host_values import Guard
from pyfuse.records import dataclass

if TYPE_CHECKING:
    from pyfuse.frontend.interpret import Frame

# Of a loop whose number of turns is known; more are a loop in the kernel. Bodies of a few operations on 10,000 elements
# take, unrolled, 0.3 to 0.8 of the loop's time with 2 turns, 0.3 to 1 with 4, 1 to 1.4 with 8, 2 to 4 with 32.
UNROLLED_TURNS = 4
MOST_PEELED = 2  # iterations before the loop in the kernel: after them each value comes from an iteration


@dataclass(frozen=True, kw_only=True, eq=False)
class KernelLoop:
    """A loop in the kernel, behind the iterations that are unrolled.

    Attributes:
        place: of the statement.
        way: how many iterations are unrolled.
        start, stop: of those that are not: whole numbers.
        step: not zero.
    """

    place: Place
    way: int
    start: HostValue
    stop: HostValue
    step: int


def items_of(frame: Frame, statement: ast.For) -> tuple[list[Value], KernelLoop | None]:
    """What a loop assigns in the iterations that are unrolled, and the loop that comes after them.

    Raises:
        CannotFuse: the loop is over something that is not known.
    """
    bounds = _called_range(frame, statement)
    if bounds is None:
        return python_calls.iterate(frame.tracer, frame.evaluate(statement.iter)), None
    found = _kernel_loop(frame, statement, bounds)
    if found is None:
        frame.point_at(statement.iter)
        turns = Caller(frame).call(constant(range), bounds, {})
        return python_calls.iterate(frame.tracer, turns), None
    before, loop = found
    return before, loop


def run(frame: Frame, statement: ast.For, loop: KernelLoop) -> None:
    """Trace the body of a loop in the kernel, and bind what comes out of it.

    Raises:
        TryAgain: it cannot be one, or not in this way.
    """
    tracer = frame.tracer
    assert isinstance(statement.target, ast.Name)
    index = np.dtype("i8")
    bounds = [tracer.operand(bound, index) for bound in (loop.start, loop.stop)]
    number = tracer.draft.add_loop(bounds[0], bounds[1], loop.step)
    body = LoopBody(frame, statement, number, TryAgain(loop.place, loop.way + 1))
    tracer.loop_is_open = True
    try:
        node = tracer.draft.loop_index(number, tracer.origin(statement.target.id))
        body.run(ArrayValue(node=node, weak=int, limits=(loop.start, loop.stop)))
    except CannotFuse as error:
        raise TryAgain(loop.place, UNROLL) from error
    finally:
        tracer.loop_is_open = False
    tracer.kernel_loops.append(loop.place)
    last = tracer.host_call(_last, [loop.start, loop.stop, constant(loop.step)], "last of range")
    frame.scope.local[statement.target.id] = last


def _called_range(frame: Frame, statement: ast.For) -> list[Value] | None:
    """The arguments of ``range(...)``, if that is what a loop is over."""
    call = statement.iter
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.keywords:
        return None
    if not 1 <= len(call.args) <= 3 or any(isinstance(node, ast.Starred | ast.GeneratorExp) for node in call.args):
        return None
    function = frame.evaluate(call.func)
    if not isinstance(function, HostValue) or not function.is_constant or function.value is not builtins.range:
        return None
    return [frame.evaluate(node) for node in call.args]


def _kernel_loop(frame: Frame, statement: ast.For, given: list[Value]) -> tuple[list[Value], KernelLoop | None] | None:
    """The iterations before a loop in the kernel, and that loop, None where none are left; None: it is unrolled."""
    tracer, place = frame.tracer, _place(frame, statement)
    way = tracer.loop_ways.get(place, 0)
    bounds = [bound for bound in given if isinstance(bound, HostValue) and _is_whole(bound.value)]
    if way > MOST_PEELED or tracer.loop_is_open or not isinstance(statement.target, ast.Name):
        return None
    if len(bounds) < len(given) or (len(bounds) == 3 and not (bounds[2].is_constant and bounds[2].value)):
        return None
    start = bounds[0] if len(bounds) > 1 else constant(0)
    stop = bounds[min(1, len(bounds) - 1)]
    step = int(bounds[2].value) if len(bounds) == 3 else 1
    if start.is_constant and stop.is_constant and len(range(start.value, stop.value, step)) <= UNROLLED_TURNS:
        return None
    if not _has_more_turns(tracer, start, stop, step, way):
        return ([], None) if way == 0 else None
    before: list[Value] = [_moved(tracer, start, number * step) for number in range(way)]
    first = _moved(tracer, start, way * step)
    return before, KernelLoop(place=place, way=way, start=first, stop=stop, step=step)


def _has_more_turns(tracer: Tracer, start: HostValue, stop: HostValue, step: int, count: int) -> bool:
    """Whether a range has more than ``count`` numbers; relied on from then on."""
    if not start.is_constant or step < 0:
        longer = tracer.host_call(_is_longer, [start, stop, constant(step), constant(count)], "range is longer")
        return tracer.truth(longer)
    limit = int(start.value) + count * step
    is_longer = bool(stop.value > limit)
    if not stop.is_constant:
        # Looked at in every call: 0.6 us, where truth() of an expression takes 2.3.
        compare = operator.lt if is_longer else operator.ge
        text = f"{stop.expression.text} {'>' if is_longer else '<='} {limit}"
        tracer.add_guard(Guard(expression=stop.expression, holds_for=partial(compare, limit), text=text))
    return is_longer


def _moved(tracer: Tracer, start: HostValue, distance: int) -> HostValue:
    """A number of the range, as Python's ``range`` gives it."""
    if start.is_constant:
        return constant(int(start.value) + distance)
    if type(start.value) is int and not distance:
        return start
    return tracer.host_call(_add, [start, constant(distance)], "add")


def _place(frame: Frame, statement: ast.For) -> Place:
    return (frame.source.filename, frame.source.first_line + statement.lineno, statement.col_offset)


def _is_whole(number: Any) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def _is_longer(start: int, stop: int, step: int, count: int) -> bool:
    return len(range(start, stop, step)) > count


def _add(start: int, distance: int) -> int:
    return operator.index(start) + distance


def _last(start: int, stop: int, step: int) -> int:
    return range(start, stop, step)[-1]

"""Reads at computed places as C: where an index points to is checked, and the element there is read.

``g<n>_<k>`` and ``e<n>_<k>`` are the stride and the extent of the axis along which the k-th index of operand n chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyfuse.array_layout import GATHERED_UNIT, UNIT
from pyfuse.backend.c_library.library import functions
from pyfuse.backend.c_text import c_type
from pyfuse.graph.loop_plan import ApplyStep, GatherStep, Load, Step
from pyfuse.graph.ops import Cost, by_name

if TYPE_CHECKING:
    from pyfuse.backend.cpu.step_text import StepText

# Of a loop that reads at computed places: picoseconds of arithmetic from which on it is worth making vectors of it, and
# the same where the elements that are read are of one or two bytes, which gcc picks out of vectors one by one.
VECTORS_ABOVE = 2 * int(Cost.SIMPLE)
SMALL_VECTORS_ABOVE, SMALL = 16 * int(Cost.SIMPLE), 2


def reads_singly(steps: Sequence[Step]) -> bool:
    """Whether a nest that reads at computed places goes from element to element: see ``c_library/places.c``."""
    cost = sum(int(by_name(step.source.operation).cost) for step in steps if isinstance(step.source, ApplyStep))
    sizes = [step.dtype.itemsize for step in steps if isinstance(step.source, GatherStep)]
    return bool(sizes) and cost <= (SMALL_VECTORS_ABOVE if min(sizes) <= SMALL else VECTORS_ABOVE)


def gathered_axes(loads: Sequence[Load], first_place: int, first_number: int) -> list[str]:
    """The declarations of strides and extents.

    Args:
        loads: of the nest.
        first_place: how many operands come before them.
        first_number: where in ``geometry`` the numbers stand.
    """
    names = [
        f"{kind}{place}_{number}"
        for place, load in enumerate(loads, first_place)
        for number in range(len(load.gathered))
        for kind in "ge"
    ]
    return [f"const pf_i8 {name} = geometry[{at}];" for at, name in enumerate(names, first_number)]


def gathered(steps: StepText, position: int, pointer: str) -> list[str]:
    """The declarations of places, and of the element that is there; ``pointer`` as in ``element_there``."""
    lines, offset = places(steps, position)
    return [*lines, *element_there(steps, position, offset, pointer)]


def places(steps: StepText, position: int) -> tuple[list[str], str]:
    """Declarations of where the indices of a step point to, and their offsets in bytes, each with a plus before it."""
    step = steps.step(position)
    assert isinstance(step.source, GatherStep)
    place = steps.load_position(step.source.load)
    lines, offset = [], ""
    for number, index in enumerate(step.source.operands):
        check = f"pf_place_{step.source.mode}{'_singly' if steps.is_single(index) else ''}"
        steps.calls.add(check)
        status = ", &status" if functions()[check].takes_status else ""
        name = f"k{position}_{number}"
        lines.append(f"const pf_i8 {name} = {check}((pf_i8){steps.names[index]}, e{place}_{number}{status});")
        is_counted = number == len(step.source.operands) - 1 and GATHERED_UNIT in steps.layout_of(place)
        stride = f"(pf_i8)sizeof({steps.element_type(place)})" if is_counted else f"g{place}_{number}"
        offset += f" + {name} * {stride}"
    return lines, offset


def element_there(steps: StepText, position: int, offset: str, pointer: str) -> list[str]:
    """The declaration of the element that a step reads.

    Args:
        steps: of the nest.
        position: of the step.
        offset: in bytes, with a plus before it.
        pointer: the letter of the pointer that is added to: ``p`` that of the innermost loop, which walks the operand.
    """
    step = steps.step(position)
    assert isinstance(step.source, GatherStep)
    place = steps.load_position(step.source.load)
    text = steps.element_at(place, f"{pointer}{place}{offset}")
    if pointer == "p" and steps.layout_of(place).startswith(UNIT):
        text = f"((const {steps.element_type(place)} *)(p{place}{offset}))[i]"
    elif pointer == "p" and not steps.is_still(place):
        text = steps.element_at(place, f"p{place} + i * d{place}{offset}")
    if step.dtype.kind == "b":
        text = f"{text} != 0"
    return [f"const {c_type(step.dtype)} {steps.names[position]} = {text};"]

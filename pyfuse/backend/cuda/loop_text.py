"""The loop of a nest for each element, as CUDA: a thread takes its element through all iterations in registers.

As on the CPU (``cpu/loop_text.py``), a few turns that leave what is carried as it was are not taken again; a warp is
done when all its threads are.
"""

from __future__ import annotations

from pyfuse.backend.c_text import as_bits, c_type
from pyfuse.backend.cpu.step_text import block
from pyfuse.backend.cuda.device_steps import DeviceSteps
from pyfuse.graph.element_cost import repeated_steps
from pyfuse.graph.loop_plan import CarriedStep, IndexStep, Nest

TURNS_BETWEEN_LOOKS = 4  # at whether anything has changed


def loop_lines(nest: Nest, steps: DeviceSteps) -> list[str]:
    """The iterations of one element, where all that comes before them is declared; stored steps get their last values.

    Args:
        nest: with a loop.
        steps: of the nest; the names of stored steps become those of variables that outlive the loop.
    """
    loop = nest.loop
    assert loop is not None
    repeated, updates = repeated_steps(nest.steps), dict(loop.updates)
    before: list[str] = []
    inside: list[str] = []
    after: list[int] = []
    for place in sorted(repeated):
        step, name = nest.steps[place], steps.names[place]
        match step.source:
            case CarriedStep(initial=initial):
                before.append(f"{c_type(step.dtype)} carried_{place} = {steps.names[initial]};")
                inside.append(f"const {c_type(step.dtype)} {name} = carried_{place};")
            case IndexStep():
                inside.append(f"const pf_i8 {name} = index;")
            case _:
                inside += steps.declaration(place)
    for place in sorted({store.step for store in nest.stores} & repeated):
        before.append(f"{c_type(nest.steps[place].dtype)} last_{place};")
        inside.append(f"last_{place} = {steps.names[place]};")
        after.append(place)
    inside += [f"carried_{place} = {steps.names[update]};" for place, update in updates.items()]
    if updates and not any(isinstance(nest.steps[place].source, IndexStep) for place in repeated):
        turns = _turns_until_they_repeat(nest, steps, list(updates), inside)
    else:
        turns = [
            f"pf_i8 index = {steps.names[loop.start]};",
            *block(f"for (pf_u8 turn = 0; turn < turns; ++turn, index += {loop.step})", inside),
        ]
    lines = [*before, *turns]
    steps.names.update({place: f"last_{place}" for place in after})
    return lines


def _turns_until_they_repeat(nest: Nest, steps: DeviceSteps, carried: list[int], inside: list[str]) -> list[str]:
    kept, compared = [], []
    for place in carried:
        dtype = nest.steps[place].dtype
        kept.append(f"const {c_type(dtype)} before_{place} = carried_{place};")
        for part in (".re", ".im") if dtype.kind == "c" else ("",):
            now, before = (as_bits(f"{name}_{place}{part}", dtype, steps.calls) for name in ("carried", "before"))
            compared.append(f"moved |= {now} ^ {before};")
    return block(
        "for (pf_u8 left = turns; left != 0;)",
        [
            f"const pf_u8 some = left < {TURNS_BETWEEN_LOOKS} ? left : {TURNS_BETWEEN_LOOKS};",
            *kept,
            *block("for (pf_u8 turn = 0; turn < some; ++turn)", inside),
            "left -= some;",
            "pf_u8 moved = 0;",
            *compared,
            f"if (moved == 0) left %= {TURNS_BETWEEN_LOOKS};",
        ],
    )

"""The steps of a nest as CUDA declarations: as in C, without what keeps C's floating-point flags."""

from __future__ import annotations

import re

from pyfuse.array_layout import NestLayout
from pyfuse.backend.c_text import HIDDEN_ZERO, literal
from pyfuse.backend.cpu.step_text import StepText
from pyfuse.backend.cuda.launch_shape import LEAST_NUMBERS
from pyfuse.graph.loop_plan import ConstantStep, Nest, ReductionNest

_NUMBER = re.compile(r"geometry\[(\d+)\]")
_SCALARS = "((const char *)scalars.at + "


class DeviceSteps(StepText):
    """Writes the steps of one nest for a device.

    A device has no floating-point flags, so its compiler may compute with constants.

    Attributes:
        has_gathers: whether something is read at computed places.

    Args:
        nest, layout, input_count: as in ``StepText``.
    """

    def __init__(self, nest: Nest | ReductionNest, layout: NestLayout, input_count: int) -> None:
        super().__init__(nest, layout, input_count)
        for position, step in enumerate(nest.steps):
            if isinstance(step.source, ConstantStep):
                self.names[position] = literal(step.source.value, step.dtype)
        self._opaque = set()
        self._reads_singly = False  # threads are no vectors
        self.has_gathers = any(load.gathered for load in nest.loads)

    def declaration(self, position: int, element: str | None = None) -> list[str]:
        """The declaration of a step's value, as in ``StepText``."""
        lines = super().declaration(position, element)
        return [line.replace(f" + {HIDDEN_ZERO}", "").replace("(scalars + ", _SCALARS) for line in lines]

    def gathered_axes(self) -> list[str]:
        """Declarations of the axes along which computed places choose."""
        return [
            _NUMBER.sub(lambda found: f"geometry.at[{LEAST_NUMBERS + int(found[1])}]", line)
            for line in super().gathered_axes()
        ]

    def device_pointer(self, position: int, address: str) -> list[str]:
        """Declarations of ``p<position>``, and of nothing else: see ``StepText.element``."""
        const = "" if position < len(self._nest.stores) else "const "
        if self.is_unit(position):
            kind = f"{const}{self.element_type(position)} *"
            return [f"{kind}__restrict__ p{position} = ({kind})({address});"]
        return [f"{const}char *p{position} = {address};"]

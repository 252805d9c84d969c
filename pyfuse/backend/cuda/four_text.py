"""Four neighbouring float32 a thread, in one load and one store: what a full block of an elementwise kernel does.

The rows of all operands lie a multiple of 16 bytes apart, as the geometry said (``NestTraits``). Their addresses may
still be others, as of ``a[1:]``, so each block looks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from pyfuse.backend.cpu.step_text import block
from pyfuse.backend.cuda.device_steps import DeviceSteps
from pyfuse.graph.loop_plan import LoadStep, Nest

FLOATS = 4  # in 16 bytes
_LOADED = re.compile(r"loaded_(\d+)\[k\]")


def in_fours(nest: Nest, steps: DeviceSteps, varying: set[int], inner: Sequence[str]) -> list[str]:
    """The lines of a full block whose operands are aligned; it is done after them.

    Nothing where an operand is of another dtype or not contiguous, or where no array is read.

    Args:
        nest, steps: what is written.
        varying: steps whose value changes along the columns.
        inner: the lines of one element, whose loaded values are ``loaded_<step>[k]``.
    """
    places = {
        position: steps.load_position(step.source.load)
        for position, step in enumerate(nest.steps)
        if position in varying and isinstance(step.source, LoadStep)
    }
    stored = range(len(nest.stores))
    used = [*stored, *places.values()]
    dtypes = {steps.operands()[place][1] for place in used}
    if not places or not all(map(steps.is_unit, used)) or dtypes != {np.dtype("f4")}:
        return []
    addresses = " | ".join(f"(pf_u8)p{place}" for place in used)
    made = [f"made_{place}.at[k] = {steps.names[nest.stores[place].step]};" for place in stored]
    elements = [*(_LOADED.sub(r"taken_\1.at[k]", line) for line in inner), *made]
    lines = [
        f"struct alignas(16) four {{ pf_f4 at[{FLOATS}]; }};",
        f"const pf_index at = {FLOATS} * (blockIdx.x * (pf_index)blockDim.x + threadIdx.x);",
        *[f"const four taken_{position} = *(const four *)(p{place} + at);" for position, place in places.items()],
        *[f"four made_{place};" for place in stored],
        "#pragma unroll",
        *block(f"for (int k = 0; k < {FLOATS}; ++k)", elements),
        *[f"*(four *)(p{place} + at) = made_{place};" for place in stored],
        "return;",
    ]
    is_full = f"(blockIdx.x + 1) * ({FLOATS} * (pf_index)blockDim.x) <= columns"
    return block(f"if ({is_full} && (({addresses}) & 15) == 0)", lines)

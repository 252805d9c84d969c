"""What the compiler is told of a loop that it would not find out.

Measured on Zen 4 with gcc 12, one thread, 10,000 to 1,000,000 elements, against loops without either: a polynomial of
three arrays 1.0 to 1.4 times as fast, a five-point stencil 1.1 to 1.2, ``a * b + c`` 1.0 to 1.1; an exponential
unrolled 0.98, in narrow vectors 0.7 (docs/decisions/0022).
"""

from __future__ import annotations

from pyfuse.backend.cpu.piece_text import is_long, weight_of
from pyfuse.graph.loop_plan import ApplyStep, LoopPlan, Nest
from pyfuse.graph.ops import Cost, by_name

LONGEST_UNROLLED = 24  # C statements: longer bodies keep the processor busy, and gcc longer
TURNS = 4

# Arrays of NumPy's begin 16 bytes behind a cache line: every vector of a whole line is read from two. What is little
# else but reads goes better in vectors of half a line; what computes does not.
NARROW_VECTORS = """\
#if defined(__x86_64__) && !defined(__clang__)
#pragma GCC target("prefer-vector-width=256")
#endif
"""
# gcc's scheduler before registers are given, which it leaves out on x86: long bodies are many chains of operations,
# written one behind the other, and longer than the processor looks ahead. 1.0 to 1.13 times as fast (decision 0022).
SCHEDULED = """\
#if defined(__x86_64__) && !defined(__clang__)
#pragma GCC optimize("schedule-insns")
#endif
"""


def hints(plan: LoopPlan) -> list[str]:
    """What opens the text of a kernel."""
    if reads_more_than_it_computes(plan):
        return [NARROW_VECTORS.rstrip()]
    return [SCHEDULED.rstrip()] if computes_long_in_floats(plan) else []


def unrolled(nest: Nest) -> list[str]:
    """Before the innermost loop of a nest."""
    return [f"#pragma GCC unroll {TURNS}"] if is_short(nest) else []


def is_short(nest: Nest) -> bool:
    """Whether the body of a nest is worth unrolling."""
    return weight_of(nest) <= LONGEST_UNROLLED and not any(load.gathered for load in nest.loads)


def reads_more_than_it_computes(plan: LoopPlan) -> bool:
    """Whether all nests do little but read and write: a few additions and multiplications."""
    return not plan.overwrites and all(isinstance(nest, Nest) and _is_plain(nest) for nest in plan.nests)


def _is_plain(nest: Nest) -> bool:
    if nest.loop is not None or any(load.gathered for load in nest.loads) or weight_of(nest) > LONGEST_UNROLLED:
        return False
    sources = [step.source for step in nest.steps if step.varies_along]
    return all(by_name(source.operation).cost == Cost.SIMPLE for source in sources if isinstance(source, ApplyStep))


def computes_long_in_floats(plan: LoopPlan) -> bool:
    """Whether all nests are long bodies of floats or doubles, in one loop each."""
    return not plan.overwrites and all(isinstance(nest, Nest) and _is_of_floats(nest) for nest in plan.nests)


def _is_of_floats(nest: Nest) -> bool:
    if nest.loop is not None or any(load.gathered for load in nest.loads) or is_long(nest):
        return False
    computed = (step.dtype for step in nest.steps if step.varies_along)
    return weight_of(nest) > LONGEST_UNROLLED and all(dtype.kind == "b" or dtype.char in "df" for dtype in computed)

"""Loop plans as text, for explanations and golden tests."""

from __future__ import annotations

from pyfuse.graph.loop_plan import (
    EPILOGUE,
    Accumulation,
    ApplyStep,
    CarriedStep,
    ConstantStep,
    GatherStep,
    IndexStep,
    LoadStep,
    LoopPlan,
    Nest,
    Offset,
    ReducedStep,
    ReductionNest,
    ScalarStep,
    Step,
    Sum,
    Temporary,
)
from pyfuse.graph.nodes import ONE, Dims, HostExtent, code_of


def plan_text(plan: LoopPlan) -> str:
    """The stable text form of a plan, ending in a newline."""
    lines = [
        f"tmp{number} : {code_of(temporary.dtype)}[{_dims_text(temporary.dims)}]{_shared_text(temporary, plan)}"
        for number, temporary in enumerate(plan.temporaries)
    ]
    for number, nest in enumerate(plan.nests):
        lines.append(f"nest {number} over {_loops_text(nest)}, {nest.element_cost} ps an element")
        lines += [f"  {_step_text(position, step, nest, plan)}" for position, step in enumerate(nest.steps)]
        if isinstance(nest, Nest) and nest.loop is not None:
            lines += [f"  t{carried} becomes t{update}" for carried, update in nest.loop.updates]
        lines += [f"  {_store_text(position, nest, plan)}" for position in range(len(nest.stores))]
    if plan.overwrites:
        lines.append("what is stored may be what is read")
    return "\n".join(lines) + "\n"


def _shared_text(temporary: Temporary, plan: LoopPlan) -> str:
    return "" if temporary.shares is None else f" in {_operand_text(plan.input_count + temporary.shares, plan)}"


def _loops_text(nest: Nest | ReductionNest) -> str:
    if isinstance(nest, Nest):
        loop = nest.loop
        turns = "" if loop is None else f", each from t{loop.start} to t{loop.stop} step {loop.step}"
        return f"[{_dims_text(nest.dims)}]{turns}"
    lead = f" lead [{_dims_text(nest.lead)}]" if nest.lead else ""
    return f"[{_dims_text(nest.kept)}] {nest.style.value}{lead} [{_dims_text(nest.row)}]"


def _dims_text(dims: Dims | None) -> str:
    return "parts" if dims is None else ", ".join("1" if dim == ONE else f"d{dim}" for dim in dims)


def _step_text(position: int, step: Step, nest: Nest | ReductionNest, plan: LoopPlan) -> str:
    match step.source:
        case LoadStep(load=load):
            operand = nest.loads[load]
            text = (
                f"load {_operand_text(operand.index, plan)}{_axes_text(operand.axes)}{_offsets_text(operand.offsets)}"
            )
        case GatherStep(load=load, operands=indices, mode=mode):
            operand = nest.loads[load]
            chosen = ", ".join(f"t{i} on axis {axis}" for i, axis in zip(indices, operand.gathered, strict=True))
            text = f"gather {_operand_text(operand.index, plan)}{_axes_text(operand.axes)} by {chosen}"
            text += f"{_offsets_text(operand.offsets)}{'' if mode == 'raise' else f' {mode}'}"
        case ScalarStep(slot=slot):
            text = f"scalar s{slot}"
        case ConstantStep(value=value):
            text = f"constant {value!r}"
        case ApplyStep(operation=operation, operands=operands, result=result):
            text = f"{operation}{f'.{result}' if result else ''} {', '.join(f't{operand}' for operand in operands)}"
        case CarriedStep(initial=initial):
            text = f"carried from t{initial}"
        case IndexStep():
            text = "index"
        case ReducedStep(accumulation=number):
            assert isinstance(nest, ReductionNest)
            text = _accumulation_text(nest.accumulations[number])
    name = f"  # {step.name}" if step.name else ""
    return f"t{position} = {text} : {code_of(step.dtype)}{name}"


def _accumulation_text(accumulation: Accumulation) -> str:
    form = accumulation.form
    notes = [
        note
        for note, holds in (("in pieces", form.is_chunked), ("short", form.is_short), ("along memory", form.is_inner))
        if holds
    ]
    start = "" if accumulation.initial is None else f" from t{accumulation.initial}"
    kind = "scan" if accumulation.scan_store is not None else "count" if accumulation.counts else "reduce"
    return (
        f"{kind} {accumulation.operation} t{accumulation.step}{start} in pass {accumulation.phase} ({', '.join(notes)})"
    )


def _store_text(position: int, nest: Nest | ReductionNest, plan: LoopPlan) -> str:
    store = nest.stores[position]
    where = f"{_operand_text(plan.input_count + store.output, plan)} : {code_of(store.dtype)}{_axes_text(store.axes)}"
    phase = ""
    if isinstance(nest, ReductionNest):
        number = nest.store_phases[position]
        phase = " after all passes" if number == EPILOGUE else f" in pass {number}"
    scans = [value for value in getattr(nest, "accumulations", ()) if value.scan_store == position]
    value = _accumulation_text(scans[0]) if scans else f"t{store.step}"
    return f"store {value} to {where}{_offsets_text(store.offsets)}{phase}"


def _operand_text(index: int, plan: LoopPlan) -> str:
    if index < plan.input_count:
        return f"a{index}"
    buffer = index - plan.input_count
    return f"out{buffer}" if buffer < plan.output_count else f"tmp{buffer - plan.output_count}"


def _axes_text(axes: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("-" if axis is None else str(axis) for axis in axes) + "]"


def _offsets_text(offsets: tuple[Offset, ...]) -> str:
    return "".join(f" axis {offset.axis} from {sum_text(offset.start)} step {offset.step}" for offset in offsets)


def sum_text(terms: Sum) -> str:
    """A sum as text, such as ``2*n0 + 3``."""
    parts = [
        ("" if factor == 1 else f"{factor}*") + (f"n{number.slot}" if isinstance(number, HostExtent) else str(number))
        for factor, number in terms
    ]
    return " + ".join(parts) or "0"

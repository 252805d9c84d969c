"""A graph as text: one line a node, the same in every process."""

from __future__ import annotations

from pyfuse.graph.nodes import (
    INDEX,
    ONE,
    Apply,
    Assemble,
    Carried,
    Constant,
    Dims,
    Extent,
    Gather,
    Graph,
    HostExtent,
    Input,
    InputExtent,
    Looped,
    LoopIndex,
    Node,
    Reduce,
    Reshape,
    Scalar,
    Scan,
    Slice,
    View,
    code_of,
)


def graph_text(graph: Graph) -> str:
    """The stable text form of a graph, ending in a newline.

    Example::

        d0 = a0.shape[0] = a1.shape[0]
        %0 = input a0                    : f8[d0]  # x
        %1 = input a1                    : f8[d0]  # y
        %2 = multiply %0, %1             : f8[d0]
        return %2
    """
    lines = [
        f"d{number} = " + " = ".join(_extent_text(source) for source in sources)
        for number, sources in enumerate(graph.dims)
    ]
    for index, node in enumerate(graph.nodes):
        name = f"  # {node.origin.name}" if node.origin.name else ""
        lines.append(f"%{index} = {node_text(node):<28} : {code_of(node.dtype)}[{_dims_text(node.dims)}]{name}")
    lines += [_loop_text(graph, number) for number in range(len(graph.loops))]
    lines += [_output_text(graph, number) for number in range(len(graph.outputs))]
    return "\n".join(lines) + "\n"


def node_text(node: Node) -> str:
    """What a node is, without its type."""
    match node:
        case Input(index=index):
            return f"input a{index}"
        case Scalar(slot=slot):
            return f"scalar s{slot}"
        case Constant(value=value):
            return f"constant {value!r}"
        case View(operand=operand, axes=axes):
            return f"view %{operand} axes ({', '.join('new' if axis is None else str(axis) for axis in axes)})"
        case Apply():
            return _apply_text(node)
        case Reduce():
            start = "" if node.initial is None else f" from %{node.initial}"
            mask = "" if node.where is None else f" where %{node.where}"
            return f"reduce {node.operation} %{node.operand} axes {_axes_text(node.axes)}{start}{mask}"
        case Scan():
            return f"scan {node.operation} %{node.operand} axis {node.axis}"
        case Slice():
            step = "" if node.step == 1 else f" step {node.step}"
            return f"slice %{node.operand} axis {node.axis} from {_number_text(node.start)}{step}"
        case Reshape(operand=operand):
            return f"reshape %{operand}"
        case Assemble():
            return _assemble_text(node)
        case Gather():
            return _gather_text(node)
        case LoopIndex(loop=loop):
            return f"index of loop {loop}"
        case Carried():
            return f"carried by loop {node.loop} from %{node.initial}"
        case Looped(loop=loop, operand=operand):
            return f"after loop {loop} %{operand}"
        case _:
            raise AssertionError(f"unknown node {node!r}")


def _apply_text(node: Apply) -> str:
    operands = ", ".join(f"%{operand}" for operand in node.operands)
    result = f".{node.result}" if node.result else ""
    notes = " implicit" if node.is_implicit and node.kept_layout is None else ""
    if node.kept_layout is not None:
        notes += f" into %{node.kept_layout}"
    return f"{node.operation}{result} {operands}{notes}"


def _axes_text(axes: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, axes))})"


def _number_text(number: int | HostExtent) -> str:
    return str(number) if isinstance(number, int) else _extent_text(number)


def _assemble_text(node: Assemble) -> str:
    pieces = ", ".join(
        f"%{piece} at {_number_text(start)}" for piece, start in zip(node.pieces, node.starts, strict=True)
    )
    step = "" if node.step == 1 else f" step {node.step}"
    layout = f"like %{node.layout}" if isinstance(node.layout, int) else str(node.layout)
    return f"assemble {pieces} axis {node.axis}{step} {layout}"


def _gather_text(node: Gather) -> str:
    chosen = ", ".join(f"%{index} on axis {axis}" for index, axis in zip(node.indices, node.axes, strict=True))
    place = f" at {node.place}" if node.kind == INDEX else ""
    mode = "" if node.mode == "raise" else f" {node.mode}"
    return f"gather {node.kind} %{node.operand} by {chosen}{place}{mode}"


def _loop_text(graph: Graph, number: int) -> str:
    loop = graph.loops[number]
    updates = ", ".join(f"%{carried} becomes %{update}" for carried, update in loop.updates)
    return f"loop {number} from %{loop.start} to %{loop.stop} step {loop.step}: {updates}"


def _extent_text(extent: Extent) -> str:
    if isinstance(extent, InputExtent):
        return f"a{extent.index}.shape[{extent.axis}]"
    return f"n{extent.slot}"


def _dims_text(dims: Dims) -> str:
    return ", ".join("1" if dim == ONE else f"d{dim}" for dim in dims)


def _output_text(graph: Graph, number: int) -> str:
    output = graph.outputs[number]
    kind = " as a scalar" if output.is_scalar else ""
    return f"{'compute' if output.is_discarded else 'return'} %{output.node}{kind}"

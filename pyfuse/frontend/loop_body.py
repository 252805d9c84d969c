"""The body of a loop inside the kernel: which values it carries from iteration to iteration, and what is left after it.

Names that the body assigns are bound to carried values when an iteration begins; an array that it changes in place is
carried as the object that it is, so that all its names see the change. What a name is bound to at the end of the body
is what the next iteration finds, and after the loop what the name means. ``TryAgain`` says that this does not hold.
"""

from __future__ import annotations

import ast
import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from pyfuse.frontend.loop_names import (
    arrays_in,
    changed_and_assigned,
    identities_in,
    is_number,
    may_change,
    values_of,
)
from pyfuse.frontend.stores import arrays_apart, store_into
from pyfuse.frontend.values import (
    ArrayValue,
    HostValue,
    LocalFunction,
    TryAgain,
    Unsettled,
    Value,
)
from pyfuse.graph.drop_unused_values import node_may_report
from pyfuse.graph.infer import is_number_dtype
from pyfuse.graph.loops import body_of
from pyfuse.graph.nodes import ONE, Apply, Carried, LoopIndex, Node, View, layout_node, operands_of

if TYPE_CHECKING:
    from pyfuse.frontend.interpret import Frame


@dataclasses.dataclass(kw_only=True, eq=False)
class Slot:
    """A value that goes from iteration to iteration.

    Attributes:
        original: what was there before the loop.
        found: what an iteration finds; the original itself, if it is changed in place only.
        node: the carried node.
        update: what the next iteration finds.
    """

    original: ArrayValue
    found: ArrayValue
    node: int
    update: int


class LoopBody:
    """Runs the body of one loop.

    Args:
        frame: that runs the statement.
        statement: the loop.
        number: of the loop in the graph.
        try_again: how the loop is traced where this way does not do.
    """

    def __init__(self, frame: Frame, statement: ast.For, number: int, try_again: TryAgain) -> None:
        self._frame = frame
        self._tracer = frame.tracer
        self._statement = statement
        self._number = number
        self._try_again = try_again
        self._unroll = TryAgain(try_again.place, UNROLL)
        self._before = dict(frame.scope.local)
        self._objects = {id(array): array for array in arrays_in(values_of(frame.scope)) if array.base is None}
        self._slots: dict[int, Slot] = {}  # by id of the original
        self._of_name: dict[str, Slot] = {}
        self._given: list[Slot] = []  # arrays of the caller that are changed in place
        self._results: dict[int, ArrayValue] = {}

    def run(self, index: ArrayValue) -> None:
        """Trace the body and bind what comes out of the loop.

        Args:
            index: bound to the loop's variable.

        Raises:
            CannotFuse: a statement of the body is not fused.
            TryAgain: an iteration does not leave what it found, or does more than elementwise operations.
        """
        from pyfuse.frontend.statements import Flow, run_block

        assert isinstance(self._statement.target, ast.Name)
        target, local = self._statement.target.id, self._frame.scope.local
        changed, assigned = changed_and_assigned(self._statement.body)
        assigned |= {name for name in changed & local.keys() if not may_change(local[name])}
        if target in assigned:
            raise self._unroll
        held, containers = len(self._tracer.stores), self._contents()
        nodes = {place: array.node for place, array in self._objects.items()}
        for name in sorted(assigned & local.keys()):
            local[name] = self._found(name, local[name])
        for name in sorted(changed - assigned):
            if name in local:
                self._carry_in_place(name, local[name])
        local[target] = index
        bound = {name: value for name, value in local.items() if name not in assigned}
        if run_block(self._frame, self._statement.body) not in (Flow.NEXT, Flow.CONTINUE):
            raise self._unroll
        if any(local.get(name) is not value for name, value in bound.items()):
            raise self._unroll
        if len(self._tracer.stores) != held or containers != self._contents():
            raise self._unroll
        in_place = {id(slot.original) for slot in self._slots.values() if slot.found is slot.original}
        if any(array.node != nodes[place] for place, array in self._objects.items() if place not in in_place):
            raise self._unroll
        self._check_identities(assigned)
        self._settle(sorted(assigned & local.keys()))
        self._check_body()
        for slot in self._given:
            self._store(slot)

    # --- when an iteration begins -----------------------------------------------------------------------------------

    def _found(self, name: str, value: Value) -> Value:
        """What an iteration finds in the place of a value that the body replaces."""
        value = self._as_number(value)
        if not isinstance(value, ArrayValue):
            return Unsettled(otherwise=self._try_again)
        slot = self._slots.get(id(value))
        if slot is None:
            carried = self._carry(self._tracer.node_of(value), name)
            found = ArrayValue(node=carried, is_scalar=value.is_scalar, weak=value.weak)
            slot = self._slots[id(value)] = Slot(original=value, found=found, node=carried, update=carried)
        self._of_name[name] = slot
        return slot.found

    def _as_number(self, value: Value) -> Value:
        """A Python number, or a NumPy scalar, that the kernel will compute with; other values as they are."""
        if not isinstance(value, HostValue):
            return value
        if type(value.value) in (int, float):
            kind = type(value.value)
            dtype = np.dtype("i8" if kind is int else "f8")
            return ArrayValue(node=self._tracer.operand(value, dtype), weak=kind)
        if isinstance(value.value, np.generic) and is_number_dtype(value.value.dtype):
            return ArrayValue(node=self._tracer.operand(value, value.value.dtype), is_scalar=True)
        return value

    def _carry_in_place(self, name: str, value: Value) -> None:
        if not isinstance(value, ArrayValue) or any(slot.found is value for slot in self._slots.values()):
            return
        slot = self._slots.get(id(value))
        if slot is not None:
            raise self._try_again
        if value.base is not None or value.is_reshaped:
            raise self._unroll
        local = self._frame.scope.local
        names = [other for other, held in local.items() if held is value]
        if value.argument is None:
            value.node = self._carry(value.node, name)
            slot = Slot(original=value, found=value, node=value.node, update=value.node)
        else:  # of the caller: its place is taken by another, and it is stored into when the loop has run
            if arrays_in(values_of(self._frame.scope)).count(value) > len(names) or self._frame.depth:
                raise self._unroll
            carried = self._carry(self._tracer.node_of(value), name)
            slot = Slot(original=value, found=ArrayValue(node=carried), node=carried, update=carried)
            self._given.append(slot)
            local.update(dict.fromkeys(names, slot.found))
        self._slots[id(value)] = slot
        self._of_name |= dict.fromkeys(names, slot)

    def _carry(self, node: int, name: str) -> int:
        return self._tracer.draft.carry(self._number, node, self._tracer.origin(name))

    def _contents(self) -> list[Any]:
        """The items of all containers and iterators that the names held before the loop."""
        return [identities_in(value) for value in self._before.values()]

    # --- when it ends -----------------------------------------------------------------------------------------------

    def _check_identities(self, assigned: frozenset[str]) -> None:
        """Which names share an array must not change, nor matter where an array is stored into or passed on.

        Raises:
            TryAgain: it does.
        """
        local = self._frame.scope.local
        found = {id(slot.found): slot for slot in self._slots.values()}
        ends = {name: local[name] for name in self._of_name if name in local}
        by_end: dict[int, Slot] = {}
        for name, end in ends.items():
            if by_end.setdefault(id(end), self._of_name[name]) is not self._of_name[name] and not is_number(end):
                raise self._try_again
        for slot in self._slots.values():
            if (
                not is_number(slot.found)
                and len({id(end) for name, end in ends.items() if self._of_name[name] is slot}) > 1
            ):
                raise self._try_again
        others = [value for name, value in self._before.items() if name not in assigned]
        elsewhere = {id(array) for array in arrays_in(others)}
        for name in assigned & local.keys():
            moved = found.get(id(local[name]))
            if moved is not None and moved is not self._of_name.get(name) and not is_number(moved.found):
                self._check_is_own(moved, elsewhere)
        for slot in self._slots.values():
            if slot.found is not slot.original and slot.found.node != slot.node and slot not in self._given:
                self._check_is_own(slot, elsewhere)
                self._check_is_new([end for name, end in ends.items() if self._of_name[name] is slot], slot)

    def _check_is_new(self, ends: list[Value], slot: Slot) -> None:
        """An array that is stored into before its name gets another: which must be one of this iteration."""
        found = {id(other.found) for other in self._slots.values() if other is not slot}
        if any(id(end) in self._objects or id(end) in found for end in ends):
            raise self._try_again

    def _check_is_own(self, slot: Slot, elsewhere: set[int]) -> None:
        value = slot.original
        is_own = value.argument is None and value.base is None and not value.is_reshaped
        if not is_own or id(value) in elsewhere or self._frame.depth:
            raise self._try_again

    def _settle(self, names: list[str]) -> None:
        """Say what the next iteration finds, and bind names to what comes out of the last one."""
        local = self._frame.scope.local
        if not self._before.keys() <= local.keys():  # a name was deleted: the next iteration does not find it
            raise self._try_again
        for name in names:
            end, slot = local[name], self._of_name.get(name)
            if slot is None:
                continue
            if isinstance(end, ArrayValue) and end.base is None and self._fits(end, slot):
                slot.update = end.node
            else:
                self._check_unread(slot)
        for slot in self._slots.values():
            if slot.found is slot.original or slot in self._given:
                slot.update = slot.found.node
            self._tracer.draft.update(slot.node, slot.update)
        for slot in self._slots.values():
            if slot.found is slot.original:
                slot.found.node = self._tracer.draft.looped(self._number, slot.update, self._tracer.origin())
        for name in names:
            local[name] = self._result(name, local[name])

    def _store(self, slot: Slot) -> None:
        """Put what a loop has made of an array of the caller into it: nothing that the loop reads may lie there too."""
        tracer, local = self._tracer, self._frame.scope.local
        apart = arrays_apart(tracer, slot.original)
        if apart is None:
            raise self._unroll
        local.update({name: slot.original for name, value in local.items() if value is slot.found})
        made = ArrayValue(node=tracer.draft.looped(self._number, slot.update, tracer.origin()))
        store_into(tracer, slot.original, made)
        tracer.stores[-1].apart.extend(apart)

    def _fits(self, end: ArrayValue, slot: Slot) -> bool:
        draft = self._tracer.draft
        same_kind = (end.is_scalar, end.weak) == (slot.found.is_scalar, slot.found.weak)
        return (
            same_kind
            and draft[end.node].dtype == draft[slot.node].dtype
            and draft.dims(end.node) == draft.dims(slot.node)
        )

    def _check_unread(self, slot: Slot) -> None:
        """A value that is of another kind afterwards: the body must not have looked at it."""
        draft = self._tracer.draft
        readers = [draft[index] for index in range(slot.node + 1, len(draft))]
        ends = [value for value in self._frame.scope.local.values() if isinstance(value, ArrayValue)]
        if any(slot.node in _read_by(node) for node in readers) or any(end.node == slot.node for end in ends):
            raise self._try_again

    def _result(self, name: str, end: Value) -> Value:
        """What a name means after the loop."""
        slot = self._of_name.get(name)
        if isinstance(end, Unsettled):
            return self._before[name]  # assigned in a branch that is not taken
        if isinstance(end, ArrayValue):
            if slot is not None and end is slot.found and slot.update == slot.node:
                return self._before[name]
            if end.base is not None:
                return Unsettled(otherwise=self._unroll)
            if end.argument is not None or id(end) in self._objects:
                return end
            if id(end) not in self._results:
                node = self._tracer.draft.looped(self._number, end.node, self._tracer.origin(name))
                self._results[id(end)] = ArrayValue(node=node, is_scalar=end.is_scalar, weak=end.weak)
            return self._results[id(end)]
        return end if isinstance(end, HostValue | LocalFunction) else Unsettled(otherwise=self._unroll)

    def _check_body(self) -> None:
        """Elementwise operations only, and what may report must be needed in the next iteration.

        The compiler would leave out, or do once after the loop, what only the last iteration's result needs.

        Raises:
            TryAgain: it is not so.
        """
        draft = self._tracer.draft
        nodes = [draft[index] for index in range(len(draft))]
        body = body_of(nodes, self._number)
        for index in body:
            if not _is_elementwise(nodes[index], draft.dims(index)):
                raise self._unroll
        live, needed = list(self._slots.values()), set[int]()
        while True:
            needed = _cone({slot.update for slot in live}, body, nodes)
            kept = [slot for slot in live if slot.node in needed]
            if len(kept) == len(live):
                break
            live = kept
        if any(node_may_report(nodes, nodes[index]) for index in body if index not in needed):
            raise self._unroll


UNROLL = 99  # a way of tracing a loop: beyond all others


def _read_by(node: Node) -> tuple[int, ...]:
    kept = layout_node(node)
    return operands_of(node) if kept is None else (*operands_of(node), kept)


def _cone(results: set[int], body: list[int], nodes: list[Node]) -> set[int]:
    """What results need, in one iteration."""
    cone = set(results)
    for index in reversed(body):
        if index in cone:
            cone.update(operands_of(nodes[index]))
    return cone


def _is_elementwise(node: Node, dims: tuple[int, ...]) -> bool:
    if isinstance(node, View):
        kept = [axis for axis, dim in zip(node.axes, dims, strict=True) if axis is not None and dim != ONE]
        return kept == sorted(kept)
    return isinstance(node, Apply | Carried | LoopIndex)

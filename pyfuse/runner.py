"""A launch as one Python function of a call's arguments: the hot path, with everything looked up beforehand."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np

from pyfuse.backend.cpu.dispatch import KnownLaunch
from pyfuse.background import Build
from pyfuse.call_signature import exact_key
from pyfuse.diagnostics import Code, Diagnostic, refuse
from pyfuse.errors import CannotFuse
from pyfuse.frontend.build_graph import OutputRecipe
from pyfuse.host_values import Guard, HostCall, HostConstant, evaluation_of, may_report
from pyfuse.launch import Launch, all_buffers, must_report
from pyfuse.records import dataclass
from pyfuse.trial import Trial

Arguments = Sequence[Any]
Run = Callable[[Arguments], tuple[Any, int]]
Check = Callable[[Arguments], bool]
Address = Callable[[Any], int]
Looked = tuple[Callable[[Arguments], Any], Callable[[Any], bool]]  # what to look at, and whether that is as it was


@dataclass(frozen=True, kw_only=True, eq=False)
class Runner:
    """What the executor needs of a launch.

    Attributes:
        holds: whether every guarded fact still holds for a call; None where nothing is guarded.
        run: the result and the kernel's status bits; raises CannotFuse where a number does not fit its place.
        replay_bits: as in ``Launch``.
        launch: what runs; it owns the memory that ``run`` passes to the kernel. None where ``run`` only refuses.
        known: the same for the compiled dispatcher, where it can run such calls.
        reason: why such calls do not fuse; ``run`` is not called then.
        build: what such calls wait for; ``run`` answers meanwhile, or for ``reason`` the original.
        trial: whether the original answers such calls faster.
    """

    holds: Check | None
    run: Run
    replay_bits: int
    launch: Launch | None
    known: KnownLaunch | None = None
    reason: Diagnostic | None = None
    build: Build[Any] | None = None
    trial: Trial | KnownLaunch = field(default_factory=Trial)

    @property
    def is_tiled(self) -> bool:
        """Whether NumPy's own loops run it over tiles."""
        return self.launch is not None and self.launch.prepared.is_tiled


def make_refusing_runner(diagnostic: Diagnostic, guards: Sequence[Guard], build: Build[Any] | None = None) -> Runner:
    """A runner of calls that are known not to fuse while the guards hold, or until something is built."""

    def run(_: Arguments) -> tuple[Any, int]:
        raise CannotFuse(diagnostic)

    holds = _all_hold(_guard_checks(guards)) if guards else None
    return Runner(holds=holds, run=run, replay_bits=0, launch=None, reason=diagnostic, build=build)


def make_runner(launch: Launch, address: Address, arguments: Arguments) -> Runner:
    """The functions of a launch.

    Args:
        launch: what to run.
        address: what the kernel takes for an array.
        arguments: of the call that the launch was made for.
    """
    return Runner(
        holds=_check(launch, arguments), run=_run(launch, address), replay_bits=launch.replay_bits, launch=launch
    )


def _check(launch: Launch, arguments: Arguments) -> Check | None:
    """Whether the launch suits another call whose arguments have the same exact form."""
    specialization = launch.specialization
    checks = _guard_checks(checked_guards(launch))
    if computes_arrays(launch):
        evaluate = evaluation_of([*specialization.inputs, *specialization.extents])
        read_form = partial(_form, evaluate, len(specialization.inputs))
        checks.append((read_form, partial(operator.eq, read_form(arguments))))
    checks += _buffer_checks(launch)
    return _all_hold(checks) if checks else None


def guards_check(launch: Launch) -> Check | None:
    """Whether what a launch relies on holds, for one who compares the forms of its arrays himself."""
    return guards_hold(launch, checked_guards(launch))


def guards_hold(launch: Launch, guards: Sequence[Guard]) -> Check | None:
    """The same of some guards."""
    checks = [*_guard_checks(guards), *_buffer_checks(launch)]
    return _all_hold(checks) if checks else None


def computes_arrays(launch: Launch) -> bool:
    """Whether arrays or extents of a call come from elsewhere than its arguments, and must be looked at each time."""
    return launch.input_indices is None or bool(launch.specialization.extents)


def checked_guards(launch: Launch) -> list[Guard]:
    """The guards of a launch but those that its exact form implies."""
    specialization = launch.specialization
    compared = {id(expression) for expression in specialization.inputs} if computes_arrays(launch) else frozenset()
    return [guard for guard in specialization.guards if not (guard.is_of_form and id(guard.expression) in compared)]


def _buffer_checks(launch: Launch) -> list[Looked]:
    if not launch.depends_on_buffer:
        return []
    return [(lambda _: np.getbufsize(), partial(operator.eq, np.getbufsize()))]


def _guard_checks(guards: Sequence[Guard]) -> list[Looked]:
    return [(_reader(guard), guard.holds_for) for guard in guards]


def _form(evaluate: Callable[[Arguments], list[Any]], count: int, arguments: Arguments) -> tuple[Any, ...]:
    """The exact form of arrays that are no arguments (attributes, globals, views), and computed extents."""
    values = evaluate(arguments)
    return (*exact_key(values[:count]), *map(int, values[count:]))


def _run(launch: Launch, address: Address) -> Run:
    if launch.input_indices is None or len(launch.allocate) != 1 or launch.temporaries:
        return _run_of_anything(launch, address)
    if not launch.specialization.scalars:
        return _run_of_arrays(launch, address)
    if launch.scalar_indices is None or launch.has_complex_scalars:
        return _run_of_anything(launch, address)
    return _run_of_arrays_and_numbers(launch, address)


def _run_of_arrays(launch: Launch, address: Address) -> Run:
    """Arrays of the call in, one output, no scalars: nothing can fail but memory."""
    assert launch.input_indices is not None
    start, pack, finish, (allocate,) = launch.prepared.start, launch.pack, launch.finish, launch.allocate
    pick = _picker(launch.input_indices)
    finished = _finished(launch.replay_bits)
    if not _is_the_result(launch):

        def run_and_finish(arguments: Arguments) -> tuple[Any, int]:
            output = allocate()
            status = start(pack(*map(address, pick(arguments)), address(output)))
            return finished(finish, (output,), arguments, status)

        return run_and_finish

    def run(arguments: Arguments) -> tuple[Any, int]:
        output = allocate()
        return output, start(pack(*map(address, pick(arguments)), address(output)))

    return run


def _run_of_arrays_and_numbers(launch: Launch, address: Address) -> Run:
    """Arrays and numbers of the call in, one output."""
    assert launch.input_indices is not None
    assert launch.scalar_indices is not None
    start, pack, finish, (allocate,) = launch.prepared.start, launch.pack, launch.finish, launch.allocate
    pick, pick_numbers = _picker(launch.input_indices), _picker(launch.scalar_indices)
    finished = _finished(launch.replay_bits)

    def run(arguments: Arguments) -> tuple[Any, int]:
        output = allocate()
        try:
            packed = pack(*map(address, pick(arguments)), address(output), *pick_numbers(arguments))
        except MemoryError:
            raise
        except Exception as error:
            raise does_not_fit(error) from error
        return finished(finish, (output,), arguments, start(packed))

    return run


def _finished(replay_bits: int) -> Callable[..., tuple[Any, int]]:
    """What puts a result together, unless the original will run: then nothing of the user's arithmetic runs twice."""

    def finished(
        finish: Callable[[Sequence[Any], Arguments], Any], made: Sequence[Any], arguments: Arguments, status: int
    ) -> tuple[Any, int]:
        if status and must_report(status, replay_bits):
            return None, status
        return finish(made, arguments), status

    return finished


def _picker(indices: tuple[int, ...]) -> Callable[[Arguments], Iterable[Any]]:
    """A function of a call's arguments: those at ``indices``."""
    if len(indices) == 1:
        (index,) = indices
        return lambda arguments: (arguments[index],)
    return itemgetter(*indices)


def _is_the_result(launch: Launch) -> bool:
    """Whether the one output array is what the function returns."""
    specialization = launch.specialization
    is_array = isinstance(specialization.result, OutputRecipe) and not specialization.graph.outputs[0].is_scalar
    return is_array and not specialization.stores


def _run_of_anything(launch: Launch, address: Address) -> Run:
    specialization, indices = launch.specialization, launch.input_indices
    start, pack, finish, count = launch.prepared.start, launch.pack, launch.finish, len(launch.allocate)
    evaluate = evaluation_of(specialization.inputs)
    has_scalars = bool(specialization.scalars)
    finished = _finished(launch.replay_bits)

    def run(arguments: Arguments) -> tuple[Any, int]:
        if indices is not None:
            inputs = [arguments[index] for index in indices]
        else:
            inputs = evaluate(arguments)
        buffers = all_buffers(launch)
        try:
            scalars = launch.scalars(arguments) if has_scalars else ()
            packed = pack(*map(address, inputs), *map(address, buffers), *scalars)
        except MemoryError:
            raise
        except Exception as error:  # Python's scalar arithmetic may raise anything; the original raises it again
            raise does_not_fit(error) from error
        return finished(finish, buffers[:count], arguments, start(packed))

    return run


def does_not_fit(error: Exception) -> CannotFuse:
    """The refusal of a call whose numbers cannot be computed or packed."""
    return refuse(
        Code.SCALAR_RANGE,
        "a number of this call does not fit its place: NumPy says so itself",
        notes=(f"{type(error).__name__}: {error}",),
    )


def _all_hold(checks: Sequence[Looked]) -> Check:
    """All checks as one function; a fact that cannot be looked at does not hold."""

    def all_hold(arguments: Arguments) -> bool:
        try:
            for read, holds_for in checks:
                if not holds_for(read(arguments)):
                    return False
        except MemoryError:
            raise
        except Exception:
            return False
        return True

    return all_hold


def _reader(guard: Guard) -> Callable[[Arguments], Any]:
    """What a guard looks at. Most look at a global or a closure cell, whose place is known now."""
    expression = guard.expression
    if isinstance(expression, HostCall):
        places = [operand for operand in expression.operands if isinstance(operand, HostConstant)]
        if len(places) == len(expression.operands):
            function, values = expression.function, [place.value for place in places]
            return lambda arguments: function(*values)  # noqa: ARG005  every reader takes the arguments
    return guard.read if may_report(expression) else expression.evaluate

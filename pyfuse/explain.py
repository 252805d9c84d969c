"""Whether and why a call fuses, and everything made on the way, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyfuse import config as settings
from pyfuse.backend.interface import KernelSource
from pyfuse.call_geometry import call_geometry, evaluate_inputs
from pyfuse.call_signature import signature_text
from pyfuse.compiler import Specialization, write_source
from pyfuse.config import Config
from pyfuse.diagnostics import Diagnostic
from pyfuse.errors import CannotFuse
from pyfuse.executor import Executor
from pyfuse.graph.loop_plan import LoopPlan
from pyfuse.graph.plan_text import plan_text
from pyfuse.graph.text import graph_text
from pyfuse.tile_tier import NUMPYS_MATH, inexact_operation

if TYPE_CHECKING:
    from pyfuse.region_driver import RegionDriver


_FASTER = "It is answered by the original, which was faster when both were timed.\n\n"


def explain(executor: Executor, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """What would happen to a call; nothing is built and nothing runs but shape arithmetic."""
    prepared = executor.prepared()
    if prepared.refusal is not None:
        return f"{name} runs as ordinary Python.\n\n{prepared.refusal.draw()}\n"
    assert prepared.binder is not None
    if not args and not kwargs and prepared.binder.names:
        return _summary(executor, name)
    arguments = prepared.binder.bind(args, kwargs)
    if arguments is None:
        return f"{name} cannot be called with these arguments.\n"
    try:
        specialization, plan, source = _stages(executor, arguments, settings.current())
    except CannotFuse as refusal:
        driver = executor.drivers.preview(refusal.diagnostic, args, kwargs)
        if driver is not None:
            note = _FASTER if driver.trials.prefer_plain(args) else ""
            return note + _in_regions(name, refusal.diagnostic, driver)
        return f"{name} runs as ordinary Python for these arguments.\n\n{refusal.diagnostic.draw()}\n"
    return _answered_by(executor, arguments, specialization) + _explanation(
        name, prepared.binder.names, arguments, specialization, plan, source
    )


def source_text(executor: Executor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The kernel's text for a call.

    Raises:
        CannotFuse: the call does not fuse.
        TypeError: the arguments do not match the parameters.
    """
    return _stages(executor, executor.arguments(args, kwargs), settings.current())[2].text


def _stages(
    executor: Executor, arguments: Sequence[Any], config: Config
) -> tuple[Specialization, LoopPlan, KernelSource]:
    device_calls = executor.on_device.calls(arguments)
    if device_calls is not None:
        specialization, geometry, cuda_source = device_calls.stages(arguments)
        return specialization, geometry.plan, cuda_source
    specialization = executor.specialization(arguments, config)
    inputs, extents = evaluate_inputs(specialization, arguments)
    geometry = call_geometry(specialization, inputs, extents)
    return specialization, geometry.plan, write_source(specialization, geometry.forms, geometry.layouts)


def _answered_by(executor: Executor, arguments: Sequence[Any], specialization: Specialization) -> str:
    """What answers calls of this form, where it is not a kernel."""
    runners = executor.known_runners(arguments)
    if any(runner.trial.prefers_plain for runner in runners):
        return _FASTER
    if executor.on_device.moves(arguments):
        return "Its NumPy arrays are copied to a device at each call, and the results back.\n\n"
    tiles = "It is answered over tiles by NumPy's own loops"
    if executor.math == NUMPYS_MATH and inexact_operation(specialization.graph) is not None:
        return f"{tiles}, because of math='numpy'; the kernel below is not used.\n\n"
    if not any(runner.is_tiled for runner in runners):
        return ""
    if any(runner.build is not None for runner in runners) or executor.lacks_kernel is None:
        return f"{tiles} until the kernel is built.\n\n"
    return f"{tiles}, because there is no kernel.\n\n{executor.lacks_kernel.draw()}\n\n"


def _explanation(
    name: str,
    names: Sequence[str],
    arguments: Sequence[Any],
    specialization: Specialization,
    plan: LoopPlan,
    source: KernelSource,
) -> str:
    guards = "".join(f"  {guard.text}\n" for guard in specialization.guards) or "  nothing beyond the signature\n"
    return (
        f"{name} is fused for ({signature_text(names, arguments)}): one kernel, {source.nest_count} loop nest"
        f"{'s' if source.nest_count > 1 else ''}.\n"
        f"\nIt relies on\n{guards}"
        f"\nGraph as traced\n{specialization.traced_text}"
        f"\nGraph after all passes\n{graph_text(specialization.graph)}"
        f"\nLoop plan\n{plan_text(plan)}"
        f"\nKernel\n{source.text}"
    )


def _in_regions(name: str, reason: Diagnostic, driver: RegionDriver) -> str:
    count = len(driver.regions)
    return (
        f"{name} is fused in part for these arguments: {count} region{'s' if count > 1 else ''}; what stands between"
        f" them runs as ordinary Python.\n\n{reason.draw()}\n\nDriver\n{driver.text}\nRegions\n{_region_lines(driver)}"
    )


def _region_lines(driver: RegionDriver) -> str:
    """What became of each region so far, a line each, and the last reason why one runs as Python."""
    lines = []
    for number, region in enumerate(driver.regions):
        lines.append(f"  {region.name}, {driver.lines_of(number)}")
        if driver.fused:
            executor = driver.fused[number].executor
            info, last = executor.info(), executor.fallback.last
            lines[-1] += f": {info.fused_calls} fused calls, {info.fallback_calls} as ordinary Python"
            if last is not None:
                lines += [f"    {line}" for line in last.draw().splitlines()]
    return "".join(f"{line}\n" for line in lines)


def _summary(executor: Executor, name: str) -> str:
    info = executor.info()
    partly = f" {info.partly_fused_calls} in part," if info.partly_fused_calls else ""
    tiled = f" {info.tiled_calls} over tiles by NumPy's own loops," if info.tiled_calls else ""
    lines = [
        f"{name}: {info.fused_calls} fused calls,{tiled}{partly} {info.fallback_calls} as ordinary Python,"
        f" {info.kernels} kernels."
    ]
    lines += [f"  {code}: {count}" for code, count in sorted(executor.reasons().items())]
    if executor.lacks_kernel is not None:
        lines += ["", "Why there is no kernel:", executor.lacks_kernel.draw()]
    if executor.fallback.last is not None:
        lines += ["", "The last reason:", executor.fallback.last.draw()]
    for driver in executor.drivers.all():
        lines += ["", "In regions:", driver.text, _region_lines(driver).rstrip()]
    lines += ["", f"{name}.explain(*arguments) shows what would happen to a call."]
    return "\n".join(lines) + "\n"

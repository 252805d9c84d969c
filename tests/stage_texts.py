"""The text of every stage of one call, for tests that pin or compare them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pyfuse.backend.registry import backend_named
from pyfuse.call_geometry import call_geometry, evaluate_inputs
from pyfuse.compiler import Specialization, specialize
from pyfuse.config import Config
from pyfuse.debug import Dump
from pyfuse.graph.plan_text import plan_text
from pyfuse.graph.text import graph_text
from pyfuse.prepared_function import prepare

_FIRST_NEST = "static inline __attribute__((always_inline)) unsigned nest_0_body("


class StageTexts(NamedTuple):
    """What the stages of one call look like."""

    traced: str
    graph: str
    plan: str
    layouts: str
    kernel: str

    @property
    def nests(self) -> str:
        """The kernel's text after the C library's part."""
        return self.kernel[self.kernel.index(_FIRST_NEST) :]

    def page(self) -> str:
        """All of it, without the C library's part."""
        return (
            f"=== graph as traced\n{self.traced}\n=== graph after all passes\n{self.graph}\n=== loop plan\n{self.plan}"
            f"\n=== layouts of the nests\n{self.layouts}\n=== kernel, after the library functions\n{self.nests}"
        )


def specialization_of(function: Callable[..., Any], *arguments: Any) -> Specialization:
    """A plain function specialised to positional arguments. Raises CannotFuse as the compiler does."""
    prepared = prepare(function)
    assert prepared.refusal is None, prepared.refusal
    return specialize(prepared, arguments, Dump(Config(), function.__name__, 0))


def stage_texts(function: Callable[..., Any], *arguments: Any) -> StageTexts:
    """The texts of a call with positional arguments; nothing is built. Raises CannotFuse as the compiler does."""
    specialization = specialization_of(function, *arguments)
    inputs, extents = evaluate_inputs(specialization, arguments)
    geometry = call_geometry(specialization, inputs, extents)
    layouts = geometry.layouts
    source = backend_named("source_only").write(geometry.plan, layouts)
    return StageTexts(
        traced=specialization.traced_text,
        graph=graph_text(specialization.graph),
        plan=plan_text(geometry.plan),
        layouts="".join(f"nest {number} {layout}\n" for number, layout in enumerate(layouts)),
        kernel=source.text,
    )

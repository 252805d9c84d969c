"""What pyfuse says when something does not fuse: a diagnostic is data, drawn by one function."""

from __future__ import annotations

import enum
from dataclasses import replace

from pyfuse.errors import CannotFuse
from pyfuse.records import dataclass
from pyfuse.source import Span


class Code(enum.StrEnum):
    """Why something ran as ordinary Python; the keys of ``fallback_reasons()``."""

    NO_SOURCE = "no-source"
    UNSUPPORTED_SYNTAX = "unsupported-syntax"
    UNKNOWN_NAME = "unknown-name"
    UNKNOWN_CALL = "unknown-call"
    UNKNOWN_ATTRIBUTE = "unknown-attribute"
    UNSUPPORTED_VALUE = "unsupported-value"
    UNSUPPORTED_DTYPE = "unsupported-dtype"
    UNSUPPORTED_ARRAY = "unsupported-array"
    UNSUPPORTED_OPERATION = "unsupported-operation"
    ARRAY_CONDITION = "array-condition"
    ARGUMENT_STORE = "argument-store"
    UNINITIALISED = "uninitialised-elements"
    NUMPY_RAISES = "numpy-raises"
    EMPTY_REDUCTION = "empty-reduction"
    SHAPE_MISMATCH = "shape-mismatch"
    SCALAR_RANGE = "scalar-range"
    HOST_ERROR = "scalar-error"
    FLOATING_POINT_REPORT = "floating-point-report"
    NO_ARRAY_WORK = "no-array-work"
    SLOWER = "slower-than-numpy"
    TOO_MANY_VARIANTS = "too-many-variants"
    TOO_LARGE = "too-large"
    BUILDING = "building"
    NUMPYS_MATH = "numpys-math"
    NO_COMPILER = "no-compiler"
    COMPILER_FAILED = "compiler-failed"
    LOAD_FAILED = "load-failed"
    DEVICE = "device"
    INTERNAL_ERROR = "internal-error"
    DISABLED = "disabled"


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One reason, in the user's words.

    Attributes:
        code: the kind of reason, stable across releases.
        message: one sentence: what runs as ordinary Python, and why.
        span: the place in the user's source, if one is to blame.
        label: a few words under the caret.
        notes: further facts.
        hints: what to write or install instead.
        statements: lines and columns, in the function's own tree, of the statements that are to blame.
        part: first line and column, last line and column of the expression in that statement that is to blame alone.
        begins_region: they fuse, but not together with those before them.
    """

    code: Code
    message: str
    span: Span | None = None
    label: str = ""
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    statements: tuple[tuple[int, int], ...] = ()
    part: tuple[int, int, int, int] | None = None
    begins_region: bool = False

    def draw(self) -> str:
        """The diagnostic as text of one or more lines, without a trailing newline."""
        lines = [f"pyfuse: {self.message} [{self.code}]"]
        if self.span is not None:
            number = str(self.span.line)
            lines.append(f"  {self.span.filename}:{number}")
            lines.append(f"    {number} | {self.span.text}")
            indent = "".join("\t" if letter == "\t" else " " for letter in self.span.text[: self.span.column])
            lines.append(f"    {' ' * len(number)} | {indent}{'^' * self.span.width} {self.label}".rstrip())
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  hint: {hint}" for hint in self.hints]
        return "\n".join(lines)


def refuse(
    code: Code,
    message: str,
    span: Span | None = None,
    *,
    label: str = "",
    notes: tuple[str, ...] = (),
    hints: tuple[str, ...] = (),
) -> CannotFuse:
    """A ``CannotFuse`` to raise, from the parts of its diagnostic."""
    return CannotFuse(Diagnostic(code=code, message=message, span=span, label=label, notes=notes, hints=hints))


def with_span(diagnostic: Diagnostic, span: Span) -> Diagnostic:
    """The diagnostic, pointing at ``span`` if it pointed nowhere."""
    return diagnostic if diagnostic.span is not None else replace(diagnostic, span=span)

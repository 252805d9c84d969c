"""The exceptions that pyfuse raises, each carrying a diagnostic."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyfuse.diagnostics import Diagnostic
    from pyfuse.host_values import Guard


class PyfuseError(Exception):
    """Base of every exception that pyfuse itself raises."""


class FuseError(PyfuseError):
    """A function was asked to fuse and cannot: raised by ``fuse(strict=True)`` and ``PYFUSE_FALLBACK=raise``.

    Attributes:
        diagnostic: what could not be fused, where, why, and what to write instead.
    """

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.draw())
        self.diagnostic = diagnostic


class CannotFuse(PyfuseError):
    """Raised inside the compiler where fusing ends; the fallback door turns it into a kept reason.

    Attributes:
        diagnostic: the reason.
        guards: facts that the reason depends on; while they hold, it holds.
    """

    def __init__(self, diagnostic: Diagnostic, guards: tuple[Guard, ...] = ()) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic
        self.guards = guards


class VerificationError(PyfuseError):
    """``PYFUSE_VERIFY`` found that the fused result differs from the original function's."""

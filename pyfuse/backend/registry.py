"""The backends by name. None of them loads a native package or looks for a compiler before it is needed."""

from __future__ import annotations

from types import ModuleType

from pyfuse.backend import source_only
from pyfuse.backend.cpu import backend as cpu

BACKENDS: dict[str, ModuleType] = {"cpu": cpu, "source_only": source_only}


def backend_named(name: str) -> ModuleType:
    """The backend's module.

    Raises:
        KeyError: there is no such backend.
    """
    return BACKENDS[name]

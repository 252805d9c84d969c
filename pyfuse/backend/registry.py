"""The backends by name, imported on first need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

BACKENDS = {"cpu": "pyfuse.backend.cpu.backend", "source_only": "pyfuse.backend.source_only"}


def backend_named(name: str) -> Any:
    """The backend's module.

    Raises:
        KeyError: there is no such backend.
    """
    return import_module(BACKENDS[name])

"""Does every file import only from its own row of the house or from rows above it?"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "pyfuse"

# Row by row: what stands further down may import what stands further up. A name is a module or a whole package.
ROWS: tuple[tuple[str, ...], ...] = (
    (
        "source",
        "diagnostics",
        "errors",
        "config",
        "array_layout",
        "array_walks",
        "host_values",
        "memory_overlap",
        "records",
        "version",
    ),
    ("graph",),
    ("frontend",),
    ("backend",),
    (
        "cache_info",
        "background",
        "call_signature",
        "call_geometry",
        "prepared_function",
        "device_arguments",
        "device_call",
        "device_kernels",
        "on_device",
        "known_device_launch",
        "moved_call",
        "compiler",
        "kernel_cache",
        "fallback",
        "executor",
        "explain",
        "fused_call",
        "region_driver",
        "region_drivers",
        "known_values",
        "known_launch",
        "launch",
        "runner",
        "runner_table",
        "tile_tier",
        "trial",
        "call_result",
        "direct_stores",
        "in_place",
        "store_ways",
        "live_trial",
        "verification",
        "debug",
    ),
    ("decorator", "__init__", "__main__", "demo", "doctor"),
)
FRONTEND, BACKEND = 2, 3
ONLY_IMPORTER = {"cffi": "backend.cpu.", "_cffi_backend": "backend.cpu.", "pycuda": "backend.cuda."}
MAY_COME_LATER = {"__main__", "doctor"}
READERS_OF_SETTINGS = ("executor", "decorator", "explain", "__main__", "doctor", "demo")


@cache
def modules() -> dict[str, Path]:
    """Every file of the package by its name below ``pyfuse``, such as ``graph.nodes``."""
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "__init__.py" or path.parent == PACKAGE
    }


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def imported_names(module: str) -> list[str]:
    """Every module that a file imports, at its top or inside functions, by absolute name."""
    names: list[str] = []
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names += [_imported(node.module or "", alias.name) for alias in node.names]
    return names


def _imported(package: str, name: str) -> str:
    """``from package import name`` means a module or something inside one."""
    return f"{package}.{name}" if f"{package}.{name}".removeprefix("pyfuse.") in modules() else package


def own_imports(module: str) -> list[str]:
    """The package's own modules that a file imports."""
    own = [name for name in imported_names(module) if name == "pyfuse" or name.startswith("pyfuse.")]
    return ["__init__" if name == "pyfuse" else name.removeprefix("pyfuse.") for name in own]


def row_of(module: str) -> int:
    """The number of the row that a module stands in."""
    top = module.partition(".")[0]
    rows = [number for number, row in enumerate(ROWS) if top in row]
    assert len(rows) == 1, f"pyfuse/{module.replace('.', '/')}.py stands in no row: give it one in ROWS"
    return rows[0]


def test_a_file_imports_only_from_its_own_row_or_rows_above() -> None:
    below = [
        f"{module} (row {row_of(module)}) imports {name} (row {row_of(name)})"
        for module in modules()
        for name in own_imports(module)
        if row_of(name) > row_of(module)
    ]
    assert not below, "\n".join(below)


def test_frontend_and_backend_do_not_know_each_other() -> None:
    across = [
        f"{module} imports {name}"
        for module in modules()
        for name in own_imports(module)
        if {row_of(module), row_of(name)} == {FRONTEND, BACKEND}
    ]
    assert not across, "\n".join(across)


def test_only_one_room_touches_each_native_package() -> None:
    strangers = [
        f"{module} imports {name}"
        for module in modules()
        for name in imported_names(module)
        if not module.startswith(ONLY_IMPORTER.get(name.partition(".")[0], ""))
    ]
    assert not strangers, "\n".join(strangers)


def test_settings_are_handed_down_not_fetched() -> None:
    """Only the two ends read ``config.current()``; ``config`` itself may, to build on it."""
    fetching = [
        module
        for module in modules()
        if module != "config" and module.partition(".")[0] not in READERS_OF_SETTINGS and _fetches_settings(module)
    ]
    assert not fetching


def _fetches_settings(module: str) -> bool:
    nodes = list(ast.walk(tree(module)))
    is_called = any(isinstance(node, ast.Attribute) and node.attr == "current" for node in nodes)
    is_imported = any(
        isinstance(node, ast.ImportFrom)
        and node.module == "pyfuse.config"
        and any(alias.name == "current" for alias in node.names)
        for node in nodes
    )
    return is_called or is_imported


def test_every_name_in_the_rows_is_a_file_or_folder() -> None:
    named = {name for row in ROWS for name in row} - MAY_COME_LATER
    assert named == {module.partition(".")[0] for module in modules()} - MAY_COME_LATER

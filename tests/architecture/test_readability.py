"""Is every public thing described, every file and function short, and the tree free of one machine's paths?"""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pyfuse"
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
FILES = [str(path.relative_to(ROOT)) for path in sorted(PACKAGE.rglob("*.py")) if path.name != "_runtime_ffi.py"]

# A path that exists on the author's machine only. Not the documented system paths.
MACHINE_PATH = re.compile(r"/(?:work|home|Users|root)/\w|/tmp/(?!\w*\.\.\.)\w|[A-Z]:\\Users\\")
TEXT_SUFFIXES = {".py", ".c", ".h", ".md", ".toml", ".txt", ".yml", ".yaml", ".cfg", ".ini", ".json", ".rst"}

SAID_BY_THE_BASE_CLASS = {("pyfuse/host_values.py", "evaluate")}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def public_definitions(file: str) -> list[tuple[str, ast.AST]]:
    """The module itself, its public functions and classes, and their public methods."""
    found: list[tuple[str, ast.AST]] = [("the module", tree(file))]
    for node in tree(file).body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            found.append((node.name, node))
            if isinstance(node, ast.ClassDef):
                found += [
                    (f"{node.name}.{method.name}", method)
                    for method in node.body
                    if isinstance(method, Function) and not method.name.startswith("_") and not _is_excused(method)
                ]
    return found


def _is_excused(method: Function) -> bool:
    """Overloads and overrides are described where the method is first defined."""
    return any(ast.unparse(decorator) in ("overload", "override") for decorator in method.decorator_list)


def test_everything_public_has_a_docstring() -> None:
    bare = [
        f"{file}: {name}"
        for file in FILES
        for name, node in public_definitions(file)
        if not ast.get_docstring(node)  # type: ignore[arg-type]
        and not (isinstance(node, Function) and _is_excused(node))
        and (file, name.rpartition(".")[2]) not in SAID_BY_THE_BASE_CLASS
    ]
    assert not bare, "\n".join(bare)


def test_the_first_line_of_every_file_is_a_sentence() -> None:
    first_lines = {file: (ast.get_docstring(tree(file)) or "").split("\n")[0] for file in FILES}
    unfinished = {file: line for file, line in first_lines.items() if not line.endswith((".", "?", "::"))}
    assert not unfinished


def test_no_file_has_outgrown_one_thought() -> None:
    lengths = {file: len((ROOT / file).read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert {file: length for file, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_no_function_is_longer_than_a_page() -> None:
    lengths = {
        f"{file}: {node.name}": node.end_lineno - node.lineno + 1
        for file in FILES
        for node in ast.walk(tree(file))
        if isinstance(node, Function) and node.end_lineno is not None
    }
    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}


def _text_files() -> list[Path]:
    """The files that git would keep; without git, the package's own."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    files = [ROOT / name for name in listed.stdout.splitlines()] if listed.returncode == 0 else list(PACKAGE.rglob("*"))
    return [path for path in files if path.suffix in TEXT_SUFFIXES and path.is_file()]


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in _text_files()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert not found, "\n".join(found)

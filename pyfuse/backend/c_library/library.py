"""Read the C library's text, and pick the functions that a kernel needs (format: docs/c-library.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import numpy as np

PRELUDE_FILE = "prelude.c"
_FAMILY = re.compile(r"^//@ for T in ([\w ]+)\n(.*?)^//@ end$", re.MULTILINE | re.DOTALL)
_WORD = re.compile(r"\bpf_\w+")
_DEFINED_NAME = re.compile(r"\b(pf_\w+)\s*(?:\(|\[|=|__asm__)")


@dataclass(frozen=True, kw_only=True)
class CFunction:
    """One definition of the library.

    Attributes:
        name: the C name, unique in the library.
        text: the definition, with the comment above it.
        needs: names of other definitions that the text mentions, in order of appearance.
        takes_status: the last parameters include ``unsigned *status``.
        takes_careful: the last parameter is ``const int careful``.
    """

    name: str
    text: str
    needs: tuple[str, ...]
    takes_status: bool
    takes_careful: bool


@cache
def prelude() -> str:
    """The type and status declarations that open every kernel."""
    return _read(PRELUDE_FILE)


@cache
def functions() -> Mapping[str, CFunction]:
    """Every definition of the library, by C name.

    Raises:
        AssertionError: two definitions share a name, or a line at column 0 is none that the format allows.
    """
    definitions: dict[str, str] = {}
    for entry in sorted(files(__package__).iterdir(), key=lambda path: path.name):
        if entry.name.endswith(".c") and entry.name != PRELUDE_FILE:
            for name, text in _split(_expand_families(entry.read_text(encoding="utf-8"))):
                assert name not in definitions, f"{name} is defined twice in the C library"
                definitions[name] = text
    return MappingProxyType({name: _describe(name, text, definitions) for name, text in definitions.items()})


def closure(names: Iterable[str]) -> tuple[CFunction, ...]:
    """The named definitions and all they need, each after what it uses, in an order that depends on the names only.

    Raises:
        KeyError: a name is not in the library.
    """
    ordered: dict[str, CFunction] = {}

    def visit(name: str) -> None:
        if name in ordered:
            return
        function = functions()[name]
        for needed in function.needs:
            visit(needed)
        ordered[name] = function

    for name in sorted(set(names)):
        visit(name)
    return tuple(ordered.values())


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _expand_families(text: str) -> str:
    def repeat(match: re.Match[str]) -> str:
        return "".join(_instantiate(match[2], code) for code in match[1].split())

    return _FAMILY.sub(repeat, text)


def _instantiate(template: str, code: str) -> str:
    dtype = np.dtype(code)
    bits = dtype.itemsize * (4 if dtype.kind == "c" else 8)
    words = {"$T": code, "$U": f"u{bits // 8}", "$S": f"i{bits // 8}", "$F": f"f{bits // 8}", "$BITS": str(bits)}
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        suffix = "ULL" if dtype.kind == "u" else "LL"
        words["$MAX"] = f"((pf_{code}){limits.max}{suffix})"
        words["$MIN"] = f"((pf_{code})(-{limits.max}{suffix} - 1))" if dtype.kind == "i" else f"((pf_{code})0)"
    return re.sub(r"\$[A-Z]+", lambda match: words[match[0]], template)


def _split(text: str) -> list[tuple[str, str]]:
    """Cut a file into (name, text) definitions; comments go with what follows them."""
    definitions: list[tuple[str, str]] = []
    pending: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        if not line.strip():
            pending.clear()  # a comment with a blank line after it describes the file, not a function
            continue
        pending.append(line)
        if line.startswith(("//", "/*", " *")):
            continue
        assert line.startswith(("static ", "extern ")), f"unexpected line in the C library: {line!r}"
        end = "}" if line.startswith("static inline") else ";"
        while not _is_last(pending[-1], end):
            pending.append(next(lines))
        body_start = next(i for i, text_line in enumerate(pending) if text_line.startswith(("static ", "extern ")))
        found = _DEFINED_NAME.search("\n".join(pending[body_start:]))
        assert found is not None, f"no pf_ name in {line!r}"
        definitions.append((found[1], "\n".join(pending)))
        pending.clear()
    return definitions


def _is_last(line: str, end: str) -> bool:
    if end == "}":
        return line.startswith("}") or (line.startswith("static inline") and line.rstrip().endswith("}"))
    return line.rstrip().endswith(";")


def _describe(name: str, text: str, definitions: Mapping[str, str]) -> CFunction:
    needs = tuple(dict.fromkeys(word for word in _WORD.findall(text) if word != name and word in definitions))
    parameters = text[text.index(name) + len(name) :].partition(")")[0]
    return CFunction(
        name=name,
        text=text,
        needs=needs,
        takes_status="unsigned *status" in parameters,
        takes_careful="const int careful" in parameters,
    )

"""Read the C library's text, and pick the functions that a kernel needs (format: docs/c-library.md)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from pyfuse.records import dataclass

PRELUDE_FILE = "prelude.c"
_FOLDER = Path(__file__).parent  # not importlib.resources: importing that costs 5 ms, and kernels need real files
_FAMILY_START, _FAMILY_END = "\n//@ for T in ", "\n//@ end"
_WORD = re.compile(r"\bpf_\w+")
_PLAIN_INLINE = re.compile(r"^static inline (?!__attribute__)", re.MULTILINE)
_ALWAYS_INLINE = "static inline __attribute__((always_inline)) "
_FUNCTION_STARTS = ("static inline ", "static __attribute__((noinline)) ")
_CODE_WORD = re.compile(r"\$[A-Z]+")
_DEFINITION_START = re.compile(r"^(?:static|extern) (?:[^(\n]|\(\()*?\b(pf_[\w$]+)(?:\(|\[| =| __asm__)", re.MULTILINE)
_DEFINED_NAME = re.compile(r"\b(pf_[\w$]+)\s*(?:\(|\[|=|__asm__)")


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
    return _Library(_all_definitions())


def functions_with(text: str) -> Mapping[str, CFunction]:
    """The library with the definitions of a text, in the same format, in place of those of the same names."""
    return _Library({**_all_definitions(), **_definitions(text)})


@cache
def _all_definitions() -> dict[str, _Definition]:
    definitions: dict[str, _Definition] = {}
    for name in sorted(os.listdir(_FOLDER)):
        if name.endswith(".c") and name != PRELUDE_FILE:
            found = _definitions(_read(name))
            assert not definitions.keys() & found.keys(), f"{definitions.keys() & found.keys()} are defined twice"
            definitions.update(found)
    return definitions


def closure(names: Iterable[str], library: Mapping[str, CFunction] | None = None) -> tuple[CFunction, ...]:
    """The named definitions and all they need, each after what it uses, in an order that depends on the names only.

    Args:
        names: of definitions.
        library: as ``functions()``, which it is by default, or as ``functions_with()``.

    Raises:
        KeyError: a name is not in the library.
    """
    known = library if library is not None else functions()
    ordered: dict[str, CFunction] = {}

    def visit(name: str) -> None:
        if name in ordered:
            return
        function = known[name]
        for needed in function.needs:
            visit(needed)
        ordered[name] = function

    for name in sorted(set(names)):
        visit(name)
    return tuple(ordered.values())


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


class _Piece:
    """A stretch of a file: plain text, or the inside of a family. Cut into definitions when one of them is needed."""

    def __init__(self, text: str) -> None:
        self._text = text

    @property
    def names(self) -> list[str]:
        """Names of the definitions, with ``$T`` and its like still in them."""
        return _DEFINITION_START.findall(self._text)

    @cached_property
    def templates(self) -> dict[str, str]:
        """Texts of the definitions, by name as in ``names``."""
        return dict(_split(self._text))


# Where a definition stands: its piece, its name there, and the code to put in.
_Definition = tuple[_Piece, str, str | None]


class _Library(Mapping[str, CFunction]):
    """Definitions by name, written out when first asked for: a kernel needs a dozen of a thousand."""

    def __init__(self, definitions: dict[str, _Definition]) -> None:
        self._definitions = definitions
        self._described: dict[str, CFunction] = {}

    def __getitem__(self, name: str) -> CFunction:
        if name not in self._described:
            piece, template_name, code = self._definitions[name]
            template = piece.templates[template_name]
            text = template if code is None else _instantiate(template, code)
            self._described[name] = _describe(name, text, self._definitions)
        return self._described[name]

    def __contains__(self, name: object) -> bool:
        return name in self._definitions

    def __iter__(self) -> Iterator[str]:
        return iter(self._definitions)

    def __len__(self) -> int:
        return len(self._definitions)


def _definitions(text: str) -> dict[str, _Definition]:
    """The definitions of one file by name, those of a family once for each code."""
    found: dict[str, _Definition] = {}
    plain_texts, families = _families(text)
    for plain in map(_Piece, plain_texts):
        names = plain.names
        _add(found, names, {name: (plain, name, None) for name in names})
    for codes, family in families:
        names = family.names
        for code in codes.split():
            whole = _replaced("\n".join(names), _code_words(code)).split("\n")  # all at once: 1,400 names take a while
            _add(found, whole, {full: (family, name, code) for full, name in zip(whole, names, strict=True)})
    return found


def _families(text: str) -> tuple[list[str], list[tuple[str, _Piece]]]:
    """The plain texts of a file, and the codes and text of each family; without regular expressions 1 ms less."""
    first, *others = f"\n{text}\n".split(_FAMILY_START)
    plain, families = [first], []
    for other in others:
        codes, _, rest = other.partition("\n")
        family, end, after = rest.partition(_FAMILY_END)
        assert end, f"the family of {codes} does not end"
        plain.append(after)
        families.append((codes, _Piece(f"{family}\n")))
    return plain, families


def _add(found: dict[str, _Definition], names: list[str], more: dict[str, _Definition]) -> None:
    assert len(more) == len(names) and found.keys().isdisjoint(more), "the C library defines something twice"
    found.update(more)


def _replaced(name: str, words: Mapping[str, str]) -> str:
    """Names with the words of a code put in; nearly all have ``$T`` only."""
    name = name.replace("$T", words["$T"])
    return _CODE_WORD.sub(lambda match: words[match[0]], name) if "$" in name else name


def _instantiate(template: str, code: str) -> str:
    words = _code_words(code)
    return _CODE_WORD.sub(lambda match: words[match[0]], template)


@cache
def _code_words(code: str) -> dict[str, str]:
    dtype = np.dtype(code)
    bits = dtype.itemsize * (4 if dtype.kind == "c" else 8)
    words = {"$T": code, "$U": f"u{bits // 8}", "$S": f"i{bits // 8}", "$F": f"f{bits // 8}", "$BITS": str(bits)}
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        suffix = "ULL" if dtype.kind == "u" else "LL"
        words["$MAX"] = f"((pf_{code}){limits.max}{suffix})"
        words["$MIN"] = f"((pf_{code})(-{limits.max}{suffix} - 1))" if dtype.kind == "i" else f"((pf_{code})0)"
    return words


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
        if line.startswith("/*"):
            while "*/" not in pending[-1]:
                pending.append(next(lines))
            continue
        if line.startswith("//"):
            continue
        assert line.startswith(("static ", "extern ")), f"unexpected line in the C library: {line!r}"
        end = "}" if line.startswith(_FUNCTION_STARTS) else ";"
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
        return line.startswith("}") or (line.startswith(_FUNCTION_STARTS) and line.rstrip().endswith("}"))
    return line.rstrip().endswith(";")


def _describe(name: str, text: str, definitions: Mapping[str, _Definition]) -> CFunction:
    # gcc leaves a function with two callers out of line, and the loop that calls it is then not vectorised.
    text = _PLAIN_INLINE.sub(_ALWAYS_INLINE, text)
    needs = tuple(dict.fromkeys(word for word in _WORD.findall(text) if word != name and word in definitions))
    parameters = text[text.index(name) + len(name) :].partition(")")[0]
    return CFunction(
        name=name,
        text=text,
        needs=needs,
        takes_status="unsigned *status" in parameters,
        takes_careful="const int careful" in parameters,
    )

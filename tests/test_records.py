"""Do pyfuse's records behave as the standard library's frozen dataclasses do?"""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from pyfuse.records import dataclass


@dataclass(frozen=True, kw_only=True)
class Ours:
    """A record."""

    name: str
    size: int = 3
    parts: list[int] = dataclasses.field(default_factory=list, compare=False)
    hidden: int = dataclasses.field(default=0, repr=False, compare=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Standard:
    """The same record."""

    name: str
    size: int = 3
    parts: list[int] = dataclasses.field(default_factory=list, compare=False)
    hidden: int = dataclasses.field(default=0, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Identity:
    """Equal to itself only."""

    name: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Derived(Identity):
    """Has its base's fields."""

    size: int


@dataclass(frozen=True, kw_only=True)
class Empty:
    """No fields."""


BEHAVIOURS: dict[str, Callable[[Any], Any]] = {
    "defaults": lambda kind: dataclasses.asdict(kind(name="a")),
    "all given": lambda kind: dataclasses.asdict(kind(hidden=1, parts=[2], size=4, name="a")),
    "repr": lambda kind: repr(kind(name="a", parts=[1], hidden=5)).replace(kind.__name__, ""),
    "equal": lambda kind: kind(name="a", hidden=1) == kind(name="a", parts=[1]),
    "unequal": lambda kind: kind(name="a") == kind(name="b"),
    "other types": lambda kind: (kind(name="a") == "a", kind(name="a") != None),  # noqa: E711  the operator is what is tested
    "hash": lambda kind: hash(kind(name="a", hidden=1)) == hash(kind(name="a")),
    "own default": lambda kind: kind(name="a").parts is kind(name="a").parts,
    "replace": lambda kind: dataclasses.asdict(dataclasses.replace(kind(name="a", hidden=2), size=9)),
    "copy": lambda kind: copy.deepcopy(kind(name="a", parts=[1])) == kind(name="a"),
    "pickle": lambda kind: dataclasses.asdict(pickle.loads(pickle.dumps(kind(name="a", parts=[1])))),
    "fields": lambda kind: [field.name for field in dataclasses.fields(kind)],
    "missing": lambda kind: kind(size=1),
    "unexpected": lambda kind: kind(name="a", other=1),
    "positional": lambda kind: kind("a"),
    "set": lambda kind: setattr(kind(name="a"), "size", 1),
    "set another": lambda kind: setattr(kind(name="a"), "other", 1),
    "delete": lambda kind: delattr(kind(name="a"), "size"),
}


def outcome(behaviour: Callable[[Any], Any], kind: Any) -> Any:
    try:
        return behaviour(kind)
    except (TypeError, AttributeError) as error:
        return type(error)


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_record_behaves_as_the_standard_one(name: str) -> None:
    found, expected = (outcome(BEHAVIOURS[name], kind) for kind in (Ours, Standard))
    assert found == expected


def test_records_compared_by_identity() -> None:
    first, second = Identity(), Identity()
    assert first != second
    assert len({first, second}) == 2


def test_fields_are_inherited() -> None:
    assert repr(Derived(size=2)) == "Derived(name='', size=2)"
    with pytest.raises(TypeError, match=r"Derived\(\) needs size"):
        Derived(name="a")  # type: ignore[call-arg]


def test_a_record_without_fields() -> None:
    assert Empty() == Empty()
    assert hash(Empty()) == hash(Empty())

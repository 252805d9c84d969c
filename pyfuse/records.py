"""``dataclass`` for frozen, keyword-only records, without the code that the standard one compiles for each class.

Up to Python 3.12 ``dataclasses.dataclass(frozen=True)`` compiles six methods for each class: 1 ms apiece on the machine
this was measured on, two thirds of ``import pyfuse``. Here the classes share their methods. Type checkers see the
standard decorator, and ``dataclasses.fields``, ``replace`` and ``asdict`` work as they do there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    C = TypeVar("C", bound=type)

    def dataclass(*, frozen: bool, kw_only: bool, eq: bool = True) -> Callable[[C], C]:
        """As ``dataclasses.dataclass`` with these arguments; ``frozen`` and ``kw_only`` must be true."""
        assert frozen and kw_only, "only frozen records with keywords are made here"
        return lambda kind: _record(kind, compares=eq)


def _record(kind: type, *, compares: bool) -> type:
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=True)(kind)
    fields = dataclasses.fields(made)
    methods: dict[str, Any] = {
        "__init__": _initialiser(kind.__qualname__, fields),
        "__repr__": _representation,
        "__setattr__": _refuse_to_set,
        "__delattr__": _refuse_to_delete,
    }
    if compares:
        methods |= {"_compared": staticmethod(_compared(fields)), "__eq__": _equal, "__hash__": _hash}
    for name, method in methods.items():
        if name not in vars(kind) or name == "__hash__":  # a class that defines __eq__ has __hash__ = None
            setattr(made, name, method)
    record: type = made
    return record


def _initialiser(name: str, fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    names = {field.name: None for field in fields}.keys()
    values = {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}
    factories = {
        field.name: field.default_factory for field in fields if field.default_factory is not dataclasses.MISSING
    }

    def __init__(self: Any, /, **given: Any) -> None:
        if given.keys() != names:
            given = {**values, **{key: make() for key, make in factories.items() if key not in given}, **given}
            if given.keys() != names:
                raise TypeError(_misfit(name, names - given.keys(), given.keys() - names))
        self.__dict__.update(given)

    return __init__


def _misfit(name: str, missing: set[str], unexpected: set[str]) -> str:
    what, keys = ("needs", missing) if missing else ("has no", unexpected)
    return f"{name}() {what} {', '.join(sorted(keys))}"


def _compared(fields: tuple[dataclasses.Field[Any], ...]) -> Callable[[Any], Any]:
    """A function of a record: what stands for it in comparisons."""
    names = [field.name for field in fields if field.compare]
    return attrgetter(*names) if names else lambda _: ()


def _equal(self: Any, other: Any) -> Any:
    return self._compared(self) == self._compared(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(self._compared(self))


def _representation(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_to_set(self: Any, name: str, value: object) -> None:  # noqa: ARG001  Python calls it with these
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> None:  # noqa: ARG001  likewise
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

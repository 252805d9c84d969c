"""What is known of an array on a device, and what every library of such arrays can be asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from pyfuse.diagnostics import Code, refuse

PRIMARY, CURRENT = "primary", "current"  # contexts
Path = tuple[str, ...]  # of attributes, one after the other; "name()" is a method without arguments


class Facts(NamedTuple):
    """Where an array lies: a device's number (-1: that of the current context), address, shape, strides in bytes."""

    device: int
    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype


class Reading(NamedTuple):
    """How the launcher tells whether an argument has the form of another, and where it lies.

    Attributes:
        kind: the exact type.
        alignment: of the address in bytes.
        looks: where to look, and what must be found there.
        address: where the address is found.
        exchange: the capsule of DLPack's exchange in C, which tells form and address in a tenth of the time; or None.
        tensor: what it must tell: device, code and bits of the dtype, shape, strides in elements.
        looks_beside: what it does not tell; with it, only these are looked at.
    """

    kind: type
    alignment: int
    looks: tuple[tuple[Path, Any], ...]
    address: Path
    exchange: Any = None
    tensor: tuple[Any, ...] = ()
    looks_beside: tuple[tuple[Path, Any], ...] = ()


class Maker(NamedTuple):
    """How the launcher makes an array: ``made = call(*args)``, then ``fill(made, *fill_args)`` unless that is None.

    Attributes:
        call, args, fill, fill_args: see above.
        address: as ``Reading.address``.
        exchange: as ``Reading.exchange``.
        owners: where the objects are that own its memory. With them, an array that nobody has any more is handed out
            again in the same stream, if neither it nor one of these has another reference.
        looks: what must be found at such an array: its user may have given it another form.
    """

    call: Callable[..., Any]
    args: tuple[Any, ...]
    address: Path
    fill: Callable[..., Any] | None = None
    fill_args: tuple[Any, ...] = ()
    exchange: Any = None
    owners: tuple[Path, ...] = ()
    looks: tuple[tuple[Path, Any], ...] = ()


class StreamSource(NamedTuple):
    """How the launcher learns which stream a library uses now.

    Attributes:
        how: ``none``: always the default one; ``function``: a capsule of a C function of the device's number;
            ``exchange``: as ``Reading.exchange``; ``call``: a Python function.
        what: the capsule or function.
        args: of the function.
        path: from what it returns to the handle.
    """

    how: str = "none"
    what: Any = None
    args: tuple[Any, ...] = ()
    path: Path = ()


class ArrayKind(Protocol):
    """What arrays of one library can do.

    Attributes:
        name: as users know it.
        context: where its memory is: in each device's primary context, or in the caller's current one.
        takes_numpys_functions: whether NumPy's functions take its arrays, and mean by them what they mean to NumPy.
        is_waited_for: whether a call waits for the kernel, since the library may use the memory for something else.
        memory_errors: what it raises where a device's memory is used up.
    """

    name: str
    context: str
    takes_numpys_functions: bool
    is_waited_for: bool

    @property
    def memory_errors(self) -> tuple[type[BaseException], ...]:
        """See above."""

    def facts(self, array: Any) -> Facts:
        """Where an array lies. Raises CannotFuse for one that is not plain memory on a device."""

    def empty(self, form: Facts, like: Any) -> tuple[Any, int]:
        """A new array of a form, dense in some order of its axes, beside ``like``; and its address."""

    def hand_over(self, made: Any) -> Any:
        """What of ``empty`` is given to the user, once it is filled."""

    def view(self, owner: Any, offset: int, form: Facts) -> Any:
        """A view of a form on an array's memory, whose first element is ``offset`` bytes behind that of ``owner``.

        Raises CannotFuse where the library has no such views.
        """

    def assign(self, target: Any, value: Any) -> None:
        """Copy an array of the kind into another of the same shape and dtype, in the library's own stream.

        Raises CannotFuse where the library cannot; nothing has been copied then.
        """

    def stream(self, device: int) -> int:
        """The handle of the stream that the library's work goes to now; 0 is the default one."""

    def reading(self, array: Any, facts: Facts) -> Reading | None:
        """How arrays of the form of this one are told and read; None where only ``facts`` can."""

    def maker(self, form: Facts, like: Any) -> Maker:
        """What makes arrays of a form beside arrays like ``like``, while their device is the current one."""

    def stream_source(self, device: int) -> StreamSource:
        """As ``stream``, for the launcher."""


class PlainKind:
    """What most libraries have in common."""

    takes_numpys_functions = False
    is_waited_for = False

    def hand_over(self, made: Any) -> Any:
        """As ``ArrayKind.hand_over``."""
        return made


def not_plain(array: Any) -> Exception:
    """The refusal of an array that is more than memory with strides."""
    return refuse(Code.DEVICE, f"an array of type {type(array).__qualname__} is more than plain memory on a device")


class UnlaunchedKind(PlainKind):
    """What kinds have in common whose calls always go the Python way, and whose library uses the default stream."""

    def stream(self, device: int) -> int:  # noqa: ARG002
        """As ``ArrayKind.stream``."""
        return 0

    def reading(self, array: Any, facts: Facts) -> Reading | None:  # noqa: ARG002
        """As ``ArrayKind.reading``."""
        return None

    def maker(self, form: Facts, like: Any) -> Maker:
        """As ``ArrayKind.maker``; asked only where there is a reading."""
        raise AssertionError((form, like))

    def stream_source(self, device: int) -> StreamSource:  # noqa: ARG002
        """As ``ArrayKind.stream_source``."""
        return StreamSource()

"""The compiled launcher (``native/launcher.c``) where it was built, and its twin in Python where not."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from pyfuse.backend.cpu.dispatch import VARIABLE, is_switched_off
from pyfuse.backend.cuda.array_facts import Maker, Reading
from pyfuse.backend.cuda.driver_calls import DriverCalls
from pyfuse.backend.cuda.python_launcher import PythonLaunch, PythonTable

INTERFACE = 2  # of launcher.c; another one is of an older build, and is left alone


class Number(NamedTuple):
    """A number of a kernel.

    Attributes:
        place: an argument; or the bytes of a number that goes with the form; or None: computed at each call.
        kind, size: of its dtype.
    """

    place: int | bytes | None
    kind: str
    size: int


class Start(NamedTuple):
    """A function of a module, its threads, and the bytes behind operands and numbers."""

    function: int
    blocks: tuple[int, int, int]
    block: tuple[int, int, int]
    geometry: bytes


def _load() -> tuple[ModuleType | None, str]:
    """The extension, or None, and what there is to say of it."""
    if is_switched_off():
        return None, f"switched off by {VARIABLE}"
    try:
        found = import_module("pyfuse.backend.cuda._launcher")
    except ModuleNotFoundError:
        return None, "not built"
    except ImportError as error:  # of a Python without GIL
        return None, f"not loaded: {error}"
    if found.INTERFACE != INTERFACE:
        return None, "built from other sources: install pyfuse again"
    return found, "built, in use"


extension, state = _load()


def new_table() -> Any:
    """A callable of a call's arguments: its result, or NotImplemented where no remembered launch is for it.

    ``remember`` puts a launch first, ``forget`` forgets all.
    """
    return extension.DeviceTable() if extension is not None else PythonTable()


def make_launch(
    *, arguments: tuple[Reading | type, ...], buffers: tuple[Maker, ...], driver: DriverCalls, ask_stream: Any,
    **description: Any,
) -> Any:  # fmt: skip
    """A launch for calls of one exact form.

    Args:
        arguments: of the call: how its arrays are told, types of its numbers.
        inputs: for each array that the kernel reads, the argument that it is a part of, and the bytes to its beginning.
        numbers: a ``Number`` each.
        compute: a function of the arguments: those numbers that are computed at each call, in a list; or None.
        facts, holds: what is guarded, as ``known_launch.facts_of`` and ``guards_check`` say.
        buffers: what makes each array that the kernel writes.
        output_count: how many of them are outputs.
        starts: a ``Start`` each.
        driver: the driver's functions.
        context: the handle of the context that must be current.
        ordinal: the device's number.
        stream: a ``StreamSource``.
        ask_stream: the same as a function of the device's number.
        own_stream: a stream that is used instead, ordered against that one; or None.
        event: that they are ordered by.
        result: which outputs make a tuple; None: the one output; else a function of outputs and arguments.
        keeper: what must live as long.

    Returns:
        A launch; None where such calls must go the Python way.
    """
    if extension is None:
        return PythonLaunch(arguments=arguments, buffers=buffers, driver=driver, ask_stream=ask_stream, **description)
    made = tuple(
        [
            (one.call, one.args, one.fill, one.fill_args, one.address, one.exchange, one.looks, one.owners)
            for one in buffers
        ]
    )
    try:
        return extension.DeviceLaunch(
            arguments=tuple(map(_described, arguments)), buffers=made, driver=driver.addresses, **description
        )
    except ValueError:
        return None


def _described(argument: Reading | type) -> tuple[Any, ...]:
    if isinstance(argument, type):
        return (argument, 0, (), (), None, ())
    kind, alignment, looks, address, exchange, tensor, looks_beside = argument
    if exchange is None:
        return (kind, alignment, looks, address, None, ())
    return (kind, alignment, looks_beside, (), exchange, tensor)

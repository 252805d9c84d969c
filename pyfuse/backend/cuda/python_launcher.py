"""What ``native/launcher.c`` does, in Python: it is called where that was not built, and the same tests run both."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pyfuse.backend.cuda.array_facts import Maker, Path, Reading, StreamSource
from pyfuse.backend.cuda.driver_calls import DriverCalls, DriverError

MOST_REMEMBERED = 64
_CODES = {
    "f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I",
    "u8": "Q", "b1": "?",
}  # fmt: skip
_SLOT = 16


class PythonLaunch:
    """A launch for calls of one exact form; the arguments are those of ``launcher.make_launch``."""

    def __init__(
        self, *, arguments: Sequence[Reading | type], inputs: Sequence[tuple[int, int]], numbers: Sequence[Any],
        compute: Callable[[Sequence[Any]], list[Any]] | None, facts: Any, holds: Callable[[Sequence[Any]], bool] | None,
        buffers: Sequence[Maker], output_count: int, starts: Sequence[Any], driver: DriverCalls, context: int,
        ordinal: int, stream: StreamSource, ask_stream: Callable[[int], int], own_stream: int | None, event: int,
        result: Any, keeper: Any,
    ) -> None:  # fmt: skip
        self._arguments = arguments
        self._inputs = inputs
        self._numbers = numbers
        self._compute = compute
        self._holds = holds
        self._buffers = buffers
        self._output_count = output_count
        self._starts = starts
        self._driver = driver
        self._context = context
        self._current_stream = partial(ask_stream, ordinal)
        self._own_stream = own_stream
        self._event = event
        self._result = result
        self._kept = (facts, stream, keeper)

    def addresses(self, values: Sequence[Any]) -> list[int] | None:
        """Where the arrays of a call lie, 0 for numbers; None where the launch is for others."""
        if len(values) != len(self._arguments):
            return None
        addresses = []
        for wanted, value in zip(self._arguments, values, strict=True):
            address = _address_of(wanted, value)
            if address is None:
                return None
            addresses.append(address)
        return addresses if self._holds is None or self._holds(values) else None

    def run(self, values: Sequence[Any], addresses: Sequence[int]) -> Any:
        """The result; NotImplemented where another context is current, or the driver refuses."""
        if self._driver.current_context() != self._context:
            return NotImplemented
        current = self._current_stream()
        operands = [addresses[argument] + offset for argument, offset in self._inputs]
        made = [_made(maker) for maker in self._buffers]
        operands += [int(_follow(maker.address, array)) for maker, array in zip(self._buffers, made, strict=True)]
        packed = struct.pack(f"={len(operands)}Q", *operands) + self._packed(values)
        try:
            self._start(packed, current)
        except DriverError:
            return NotImplemented
        if self._result is None:
            return made[0]
        if isinstance(self._result, tuple):
            return tuple([made[item] for item in self._result])
        return self._result(tuple(made[: self._output_count]), tuple(values))

    def _packed(self, values: Sequence[Any]) -> bytes:
        computed = iter(self._compute(values) if self._compute is not None else ())
        slots = []
        for place, kind, size in self._numbers:
            if isinstance(place, bytes):
                slots.append(place)
                continue
            value = next(computed) if place is None else values[place]
            if kind == "c":
                slots.append(struct.pack(f"=2{_CODES[f'f{size // 2}']}", value.real, value.imag).ljust(_SLOT, b"\0"))
            else:
                slots.append(struct.pack(f"={_CODES[f'{kind}{size}']}", value).ljust(_SLOT, b"\0"))
        return b"".join(slots)

    def _start(self, packed: bytes, current: int) -> None:
        stream = current if self._own_stream is None else self._own_stream
        if stream != current:
            self._driver.order(self._event, current, stream)
        for function, blocks, block, geometry in self._starts:
            self._driver.launch(function, blocks, block, packed + geometry, stream)
        if stream != current:
            self._driver.order(self._event, stream, current)


class PythonTable:
    """The launches of one function; most recently used first."""

    def __init__(self) -> None:
        self._known: list[PythonLaunch] = []

    def __len__(self) -> int:
        return len(self._known)

    def __call__(self, *values: Any) -> Any:
        """A call's result, or NotImplemented where no launch here is for it, or it does not succeed."""
        try:
            for launch in self._known:
                addresses = launch.addresses(values)
                if addresses is not None:
                    if launch is not self._known[0]:
                        self.remember(launch)
                    return launch.run(values, addresses)
        except Exception:  # what failed is tried again and reported by who is asked next
            return NotImplemented
        return NotImplemented

    def remember(self, launch: PythonLaunch) -> None:
        """Put a launch first; beyond the limit the one used longest ago goes."""
        others = [other for other in self._known if other is not launch]
        self._known = [launch, *others[: MOST_REMEMBERED - 1]]

    def forget(self) -> None:
        """Forget every launch."""
        self._known = []


def _address_of(wanted: Reading | type, value: Any) -> int | None:
    """0 for a number; None for what has not the wanted form."""
    if isinstance(wanted, type):
        return 0 if type(value) is wanted else None
    if type(value) is not wanted.kind:
        return None
    for path, expected in wanted.looks:
        found = _follow(path, value)
        if found is not expected and found != expected:
            return None
    address = int(_follow(wanted.address, value))
    return address if address % wanted.alignment == 0 else None


def _follow(path: Path, value: Any) -> Any:
    for name in path:
        value = getattr(value, name[:-2])() if name.endswith("()") else getattr(value, name)
    return value


def _made(maker: Maker) -> Any:
    made = maker.call(*maker.args)
    if maker.fill is not None:
        maker.fill(made, *maker.fill_args)
    return made

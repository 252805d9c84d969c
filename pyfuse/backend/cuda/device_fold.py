"""One reduction of a nest on a device: what a thread takes in, and how the threads' parts are put together.

``part<n>`` is what a thread has of accumulation number n (``place<n>`` where it was found), ``acc<n>`` or ``index<n>``
the result. Parts are combined in an order that the extents alone decide, so that every run gives the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyfuse.backend.c_text import HALF, SINGLE, c_type, cast, literal
from pyfuse.backend.cpu.fold_text import FoldText
from pyfuse.backend.cpu.step_text import StepText, block
from pyfuse.diagnostics import Code, refuse
from pyfuse.graph.loop_plan import Accumulation

WARP = 32
MOST_CHAINS = 4

# What changes nothing, of operations whose ufunc has no identity: by name, the sign of the infinity or NaN.
_NEUTRAL = {"maximum": -np.inf, "minimum": np.inf, "fmax": np.nan, "fmin": np.nan}
_LARGEST_FIRST = frozenset({"maximum", "fmax"})

_EXCHANGE = """\
template <class T> static __device__ __forceinline__ T {name}(T value, int distance)
{{
    unsigned words[(sizeof(T) + 3) / 4] = {{0}};
    memcpy(words, &value, sizeof value);
#pragma unroll
    for (int word = 0; word < (int)((sizeof(T) + 3) / 4); ++word)
        words[word] = {shuffle}(0xffffffffu, words[word], distance);
    memcpy(&value, words, sizeof value);
    return value;
}}"""
_SHUFFLES = {"pf_from_lane": "__shfl_xor_sync", "pf_from_lower_lane": "__shfl_up_sync"}


def lane_exchanges(text: str) -> list[str]:
    """The functions by which a text's threads have values of other threads of their warp."""
    return [_EXCHANGE.format(name=name, shuffle=own) for name, own in _SHUFFLES.items() if f"{name}(" in text]


class DeviceFold(FoldText):
    """Writes one accumulation for a device.

    Raises:
        CannotFuse: the operation must go from element to element.
    """

    def __init__(self, number: int, accumulation: Accumulation, steps: StepText) -> None:
        super().__init__(number, accumulation, steps)
        if accumulation.operation in ("subtract", "divide") and not self.is_scan:
            raise refuse(
                Code.UNSUPPORTED_OPERATION,
                f"a reduction by '{accumulation.operation}' goes from element to element, which threads do not",
            )
        if self.dtype.kind == "c" and accumulation.operation in _NEUTRAL and not self.is_scan:
            raise refuse(Code.UNSUPPORTED_OPERATION, "extremes of complex numbers are not fused on a device yet")
        self.number = number
        self.part, self.place = f"part{number}", f"place{number}"
        self.adds_half = self.is_pairwise and self.dtype == HALF
        self.part_dtype = SINGLE if self.adds_half else self.dtype

    def neutral(self) -> str:
        """What a thread has before its first element."""
        if self.finds_an_index:
            return self.nothing()
        if self.adds_half or self.is_pairwise:
            return literal(complex(-0.0, -0.0) if self.dtype.kind == "c" else -0.0, self.part_dtype)
        identity = self.identity()
        if identity is not None:
            return identity
        extreme = _NEUTRAL[self.accumulation.operation]
        if self.dtype.kind == "f":
            return literal(extreme, self.dtype)
        is_largest = self.accumulation.operation in _LARGEST_FIRST
        if self.dtype.kind == "b":
            return literal(not is_largest, self.dtype)
        limits = np.iinfo(self.dtype)
        return literal(int(limits.min if is_largest else limits.max), self.dtype)

    def part_declarations(self, count: int = 1) -> list[str]:
        """The thread's variables before its first element: a few for a batch of ``count`` elements.

        Neighbours of a batch go to variables of their own, which shortens the chains of additions, and their errors.
        """
        kind, chains = c_type(self.part_dtype), _chains(count)
        if chains == 1:
            lines = [f"{kind} {self.part} = {self.neutral()};"]
            return [*lines, f"pf_i8 {self.place} = -1;"] if self.finds_an_index else lines
        lines = [f"{kind} {self.part}s[{chains}] = {{{', '.join([self.neutral()] * chains)}}};"]
        if self.finds_an_index:
            lines.append(f"pf_i8 {self.place}s[{chains}] = {{{', '.join(['-1'] * chains)}}};")
        return lines

    def joined(self, count: int) -> list[str]:
        """The variables of a batch put together, in pairs."""
        half, lines = _chains(count) // 2, []
        while half:
            for k in range(half):
                mine, other = f"[{k}]", f"[{k + half}]"
                lines += self._merge(
                    f"{self.part}s{mine}", f"{self.place}s{mine}", f"{self.part}s{other}", f"{self.place}s{other}"
                )
            half //= 2
        if lines:
            lines.append(f"{c_type(self.part_dtype)} {self.part} = {self.part}s[0];")
        return [*lines, f"pf_i8 {self.place} = {self.place}s[0];"] if lines and self.finds_an_index else lines

    def take(self, value: str, mask: str | None, count: int, *, is_full: bool) -> list[str]:
        """Take the value of element ``j`` in, the ``k``th of a batch, if it is one of the row's.

        Args:
            value, mask: names of its value, and of what says whether it counts.
            count: elements of a batch.
            is_full: whether all are the row's.
        """
        chains = _chains(count)
        chain = "" if chains == 1 else "s[k]" if chains == count else f"s[k % {chains}]"
        part, place = f"{self.part}{chain}", f"{self.place}{chain}"
        conditions = [*([] if is_full else ["j < length"]), *([] if mask is None else [mask])]
        counts = " && ".join(conditions) or "true"
        if self.finds_an_index:
            better = f"{place} < 0 || {self.beats(value, part)}"
            return [f"if (({counts}) && ({better})) {{ {part} = {value}; {place} = j; }}"]
        if self.counts:
            value = f"({c_type(self.dtype)})({value})"
        if self.adds_half:
            wide = cast(value, HALF, SINGLE)
            self._steps.calls.update(wide.calls)
            value = wide.text
        guard = f"if ({counts}) " if conditions else ""
        return [f"{guard}{part} = {self._merged(part, value)};"]

    def over_lanes(self) -> list[str]:
        """The parts of a warp's threads put together; all of them have the result."""
        kind = c_type(self.part_dtype)
        body = [f"const {kind} other = pf_from_lane({self.part}, distance);"]
        if self.finds_an_index:
            body.append(f"const pf_i8 other_place = pf_from_lane({self.place}, distance);")
        body += self.merge("other", "other_place")
        return ["#pragma unroll", *block(f"for (int distance = {WARP // 2}; distance; distance /= 2)", body)]

    def over_warps(self, warps: int) -> list[str]:
        """The parts of a block's warps put together, in every thread."""
        kind, shared, places = c_type(self.part_dtype), f"shared{self.number}", f"places{self.number}"
        lines = [f"__shared__ {kind} {shared}[{warps}];"]
        store = [f"{shared}[threadIdx.x / {WARP}] = {self.part};"]
        first = [f"{self.part} = {shared}[0];"]
        if self.finds_an_index:
            lines.append(f"__shared__ pf_i8 {places}[{warps}];")
            store.append(f"{places}[threadIdx.x / {WARP}] = {self.place};")
            first.append(f"{self.place} = {places}[0];")
        return [
            *lines,
            *block(f"if (threadIdx.x % {WARP} == 0)", store),
            "__syncthreads();",
            *first,
            "#pragma unroll",
            *block(f"for (int warp = 1; warp < {warps}; ++warp)", self.merge(f"{shared}[warp]", f"{places}[warp]")),
        ]

    def merge(self, other: str, other_place: str) -> list[str]:
        """Statements that take another thread's part in."""
        return self._merge(self.part, self.place, other, other_place)

    def _merge(self, part: str, place: str, other: str, other_place: str) -> list[str]:
        if not self.finds_an_index:
            return [f"{part} = {self._merged(part, other)};"]
        is_first = f"!({self.beats(part, other)}) && {other_place} < {place}"
        better = f"{place} < 0 || {self.beats(other, part)} || ({is_first})"
        return [f"if ({other_place} >= 0 && ({better})) {{ {part} = {other}; {place} = {other_place}; }}"]

    def _merged(self, left: str, right: str) -> str:
        return f"{left} + {right}" if self.adds_half else self.combined(left, right)

    def finished(self) -> list[str]:
        """The result, from the parts of all threads and what comes before the first element."""
        if self.finds_an_index:
            return [f"const pf_i8 {self.index} = {self.place};"]
        start, kind = self.start_value(), c_type(self.dtype)
        if start is None:
            return [f"const {kind} {self.acc} = {self.part};"]
        lines = [f"{kind} {self.acc} = {start};"]
        return [
            *lines,
            self.add_sum(self.part) if self.adds_half else f"{self.acc} = {self.combined(self.acc, self.part)};",
        ]


def _chains(count: int) -> int:
    """How many chains of additions a batch goes to."""
    return min(count, MOST_CHAINS)


def all_parts(folds: Sequence[DeviceFold], count: int = 1) -> list[str]:
    """What several accumulations declare before the first element."""
    return [line for fold in folds for line in fold.part_declarations(count)]


def joined_parts(folds: Sequence[DeviceFold], count: int) -> list[str]:
    """What puts the variables of a batch together."""
    return [line for fold in folds for line in fold.joined(count)]

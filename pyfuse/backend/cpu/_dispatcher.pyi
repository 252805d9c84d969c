"""What native/dispatcher.c defines."""

from collections.abc import Callable
from contextvars import Context, ContextVar
from types import CodeType, FunctionType
from typing import Any

import numpy as np

INTERFACE: int

class Dispatcher:
    _table: LaunchTable | None
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

class Evaluation:
    def __init__(
        self,
        *,
        constants: tuple[Any, ...],
        argument_count: int,
        indices: tuple[int, ...],
        steps: tuple[tuple[Callable[..., Any], tuple[int, ...]], ...],
        results: tuple[int, ...],
        predicates: tuple[Callable[[Any], bool], ...] | None,
        context: Context | None,
        otherwise: Callable[[Any], list[Any]] | None,
    ) -> None: ...
    def __call__(self, arguments: Any, /) -> Any: ...

class KnownLaunch:
    calls: int
    is_put_off: int
    is_tried: int
    prefers_plain: int
    def __init__(
        self,
        *,
        code: CodeType,
        names: tuple[str, ...],
        positional_only: int,
        arguments: tuple[Any, ...],
        thread_limit: int,
        start: int,
        launch: int,
        keeper: object,
        inputs: tuple[int, ...],
        offsets: tuple[int, ...],
        scalars: tuple[tuple[int | bytes | None, Any], ...],
        outputs: tuple[tuple[Any, ...], ...],
        temporaries: tuple[tuple[Any, ...] | int, ...],
        results: tuple[tuple[int, int], ...],
        items: tuple[int, ...],
        container: type | None,
        facts: tuple[tuple[Any, ...], ...] | None,
        rest: Evaluation | None,
        holds: Callable[[Any], bool] | None,
        numbers: Callable[[Any], list[Any]] | None,
        arrays: Callable[[Any], list[Any]] | None,
        computed: tuple[Any, ...],
        array_count: int,
        finish: Callable[[Any, Any], Any] | None,
        replay_bits: int,
        is_tiled: bool,
        is_long: bool,
        stores: tuple[int, ...],
        returned: int | tuple[object],
        left: Callable[[list[int]], None] | None,
    ) -> None: ...

class TileLaunch:
    addresses: tuple[int, int]
    def __init__(
        self,
        *,
        operand_count: int,
        nest_count: int,
        description: bytes,
        functions: tuple[tuple[Any, Any], ...],
        constants: bytes,
        scratch: int,
        may_raise: bool,
        is_long: bool,
    ) -> None: ...
    def start(self, packed: bytes, /) -> int: ...

class LaunchTable:
    fused: int
    tiled: int
    plain: int
    original: int
    partly: int
    driver: Any  # a function or None
    def __init__(self, function: FunctionType, /) -> None: ...
    def remember(self, known: KnownLaunch, /) -> None: ...
    def forget(self) -> None: ...
    def leave_others_to(
        self, others: Callable[..., Any] | None, code: CodeType, names: tuple[str, ...], positional_only: int, /
    ) -> None: ...
    def __len__(self) -> int: ...

def configure(
    override: ContextVar[Any],
    environment: dict[Any, Any],
    keys: tuple[object, ...],
    read: Callable[[], Any],
    must_report: Callable[[int, int], bool],
    refusal: type[BaseException],
    modes: ContextVar[Any] | None,
    read_modes: Callable[[], int],
    warnings: dict[str, Any],
    /,
) -> None: ...
def empty(shape: tuple[int, ...], dtype: np.dtype, is_fortran: bool, /) -> np.ndarray: ...
def clear_pool() -> int: ...
def pool_state() -> tuple[int, int]: ...

"""What native/dispatcher.c defines."""

from collections.abc import Callable
from contextvars import ContextVar
from types import CodeType, FunctionType
from typing import Any

import numpy as np

INTERFACE: int

class Dispatcher:
    _table: LaunchTable | None
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

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
        holds: Callable[[Any], bool] | None,
        numbers: Callable[[Any], list[Any]] | None,
        arrays: Callable[[Any], list[Any]] | None,
        computed: tuple[Any, ...],
        array_count: int,
        finish: Callable[[Any, Any], Any] | None,
        replay_bits: int,
        is_long: bool,
    ) -> None: ...

class LaunchTable:
    fused: int
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
    /,
) -> None: ...
def empty(shape: tuple[int, ...], dtype: np.dtype, is_fortran: bool, /) -> np.ndarray: ...
def clear_pool() -> int: ...
def pool_state() -> tuple[int, int]: ...

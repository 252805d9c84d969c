"""``fuse``: the public face."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, overload

from pyfuse import config as settings
from pyfuse import explain as explanations
from pyfuse.backend.registry import load_ahead
from pyfuse.cache_info import CacheInfo
from pyfuse.errors import CannotFuse, FuseError
from pyfuse.executor import Executor
from pyfuse.fused_call import FusedCall
from pyfuse.on_device import AS_THEY_LIE, DeviceOptions
from pyfuse.source import attach_source, source_block
from pyfuse.tile_tier import NUMPYS_MATH, OWN_MATH

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R", covariant=True)
Math = Literal["pyfuse", "numpy"]


class FusedFunction(FusedCall, Generic[P, R]):
    """A function whose array expressions run as one kernel; made by ``fuse``.

    It is called like the original, which stays reachable as ``__wrapped__``; it binds to instances like a function.
    """

    __pyfuse_fused__ = True
    __name__: str
    __qualname__: str

    def __init__(
        self,
        function: Callable[P, R],
        *,
        strict: bool = False,
        wait: bool = False,
        math: str = OWN_MATH,
        device: DeviceOptions = AS_THEY_LIE,
    ) -> None:
        self.__name__ = self.__qualname__ = type(function).__name__  # of a callable that has no name of its own
        functools.update_wrapper(self, function)
        self.__wrapped__ = function
        self._strict = strict
        load_ahead()
        self._executor = Executor(function, strict=strict, wait=wait, math=math, device=device)
        self._table = self._executor.table

    if TYPE_CHECKING:

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> FusedFunction[P, R]: ...
    @overload
    def __get__(
        self: FusedFunction[Concatenate[Any, Q], R], instance: object, owner: type | None = None
    ) -> Callable[Q, R]: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """As functions bind: itself on a class, a bound method on an instance."""
        return self if instance is None else MethodType(self, instance)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.__wrapped__)

    def __repr__(self) -> str:
        return f"<fused {self.__wrapped__!r}>"

    def __copy__(self) -> FusedFunction[P, R]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> FusedFunction[P, R]:
        return self

    def __reduce__(self) -> str | tuple[Any, ...]:
        """By name where the name leads back here, as functions are; by value for cloudpickle, which asks for it."""
        if self._is_importable() and not _is_wanted_by_value(self.__module__):
            return self.__qualname__
        own: Any = self.__wrapped__
        target, stream = self._executor.on_device.options
        if stream is not None:
            raise TypeError("a fused function with a stream is of this process: it cannot be pickled by value")
        block = source_block(own) if isinstance(own, FunctionType) else ()
        return (_rebuild, (own, self._strict, block, self._executor.is_patient, self._executor.math, target))

    def _is_importable(self) -> bool:
        found: Any = sys.modules.get(self.__module__)
        for name in self.__qualname__.split("."):
            found = getattr(found, name, None)
        return found is self

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """Whether and why a call with these arguments fuses, with the text of every stage; nothing is run.

        Without arguments: a summary of the calls so far and the last reason for a fallback.
        """
        return explanations.explain(self._executor, self.__name__, args, kwargs)

    def source(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The C text of the kernel for these arguments.

        Raises:
            FuseError: the call does not fuse; the message says why.
        """
        try:
            return explanations.source_text(self._executor, args, kwargs)
        except CannotFuse as error:
            raise FuseError(error.diagnostic) from error

    def compile(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Build and load the kernel for these arguments without calling the function.

        Raises:
            FuseError: the call does not fuse; the message says why.
            TypeError: the arguments do not match the parameters.
        """
        try:
            arguments = self._executor.arguments(args, kwargs)
            device_calls = self._executor.on_device.calls(arguments)
            if device_calls is not None:
                device_calls.prepare(arguments)
            else:
                self._executor.compile(arguments, settings.current())
        except CannotFuse as error:
            raise FuseError(error.diagnostic) from error

    def cache_info(self) -> CacheInfo:
        """Counters: hits, misses, maxsize, currsize, kernels, fused_calls, partly_fused_calls, fallback_calls,
        tiled_calls."""
        return self._executor.info()

    def cache_clear(self) -> None:
        """Forget every kernel and counter of this function; built kernels stay on disk."""
        self._executor.clear()

    def fallback_reasons(self) -> dict[str, int]:
        """How often calls ran as ordinary Python, by reason code."""
        return self._executor.reasons()


@overload
def fuse(
    function: Callable[P, R],
    /,
    *,
    strict: bool = False,
    wait: bool = False,
    math: Math = "pyfuse",
    target: str | None = None,
    stream: Any = None,
) -> FusedFunction[P, R]: ...
@overload
def fuse(
    *,
    strict: bool = False,
    wait: bool = False,
    math: Math = "pyfuse",
    target: str | None = None,
    stream: Any = None,
) -> Callable[[Callable[P, R]], FusedFunction[P, R]]: ...
def fuse(
    function: Any = None,
    /,
    *,
    strict: bool = False,
    wait: bool = False,
    math: Math = "pyfuse",
    target: str | None = None,
    stream: Any = None,
) -> Any:
    """Make a NumPy function run as one fused kernel, with NumPy's exact results.

    Args:
        function: a Python function of arrays and numbers whose body is array expressions. What cannot be fused runs as
            ordinary Python, and ``explain()`` says why.
        strict: raise ``FuseError`` instead of falling back.
        wait: build a kernel before the first call that it answers. Otherwise, while a compiler is at work in the
            background, NumPy's own loops over tiles of the arrays answer, or the original; unless the kernel is on
            disk, ``strict`` is set, or debug output is asked for.
        math: whose exp, sin and other functions that are no exact arithmetic: ``"pyfuse"``, within the bounds of
            docs/accuracy.md, or ``"numpy"``, NumPy's own to the last bit, which its inner loops compute on tiles of the
            arrays, where they are the CPU's. What else a function does is NumPy's, bit for bit, in either case.
        target: ``"cuda"`` moves NumPy arrays to a device at each call and the results back, which pays only where much
            is computed for each element; arrays that are on a device are computed there in any case. None: none move.
        stream: of CUDA, where kernels for arrays on a device are started: of pycuda, CuPy or PyTorch, or the handle.
            They come after what the arrays' library has started in its own current stream, and before what it starts
            then. None: in that stream itself.

    Returns:
        The fused function, or a decorator if called with keywords only.

    Raises:
        TypeError: ``function`` is not callable, or a class; or ``stream`` is none.
        ValueError: ``math`` or ``target`` is none of those above.

    Example:
        >>> @pyfuse.fuse
        ... def axpy(a, x, y):
        ...     return a * x + y
    """
    if math not in (OWN_MATH, NUMPYS_MATH):
        raise ValueError(f"math is {OWN_MATH!r} or {NUMPYS_MATH!r}, not {math!r}")
    if target not in (None, "cuda"):
        raise ValueError(f"target is None or 'cuda', not {target!r}")
    if stream is not None:
        from pyfuse.backend.cuda.streams import handle_of

        handle_of(stream)  # raises TypeError
    how = {"strict": strict, "wait": wait, "math": math, "device": DeviceOptions(target, stream)}
    return functools.partial(_fuse_one, **how) if function is None else _fuse_one(function, **how)


def _fuse_one(function: Any, **how: Any) -> Any:
    if isinstance(function, staticmethod | classmethod):
        return type(function)(_fuse_one(function.__func__, **how))
    if isinstance(function, FusedFunction):
        function = function.__wrapped__
    if not callable(function) or isinstance(function, type):
        what = f"the class {function.__name__!r}" if isinstance(function, type) else f"{type(function).__name__!r}"
        raise TypeError(f"fuse() takes a function, not {what}")
    return FusedFunction(function, **how)


def _rebuild(
    function: Callable[..., Any],
    strict: bool,
    block: Sequence[str] = (),
    wait: bool = False,
    math: str = OWN_MATH,
    target: str | None = None,
) -> FusedFunction[..., Any]:
    """A function that was sent by value, with the lines of its source."""
    if isinstance(function, FunctionType):
        attach_source(function, block)
    return FusedFunction(function, strict=strict, wait=wait, math=math, device=DeviceOptions(target))


def _is_wanted_by_value(module: str) -> bool:
    """Whether cloudpickle is at work and takes a module's functions by value: those of a script, or when asked to."""
    cloudpickle = sys.modules.get("cloudpickle")
    if cloudpickle is None:
        return False
    frame = sys._getframe(2)  # __reduce__'s caller: a pickler in C leaves the Python frame that called it
    if not frame.f_globals.get("__name__", "").startswith("cloudpickle"):
        return False
    packages = cloudpickle.list_registry_pickle_by_value()
    return module == "__main__" or any(module == name or module.startswith(f"{name}.") for name in packages)

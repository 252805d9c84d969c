"""Streams of any library as what the driver calls them."""

from __future__ import annotations

from typing import Any

_ATTRIBUTES = ("cuda_stream", "ptr", "handle")  # of PyTorch, CuPy and pycuda


def handle_of(stream: Any) -> int:
    """The driver's handle of a stream.

    Args:
        stream: of pycuda, CuPy or PyTorch, anything with ``__cuda_stream__``, or the handle itself.

    Raises:
        TypeError: it is none of these.

    Source: CUDA stream protocol (cuda.core documentation): ``__cuda_stream__()`` is a version and the handle.
    """
    if isinstance(stream, int) and not isinstance(stream, bool):
        return stream
    for name in _ATTRIBUTES:
        found = getattr(stream, name, None)
        if isinstance(found, int):
            return found
    protocol = getattr(stream, "__cuda_stream__", None)
    if protocol is not None:
        return int(protocol()[1])
    raise TypeError(f"a stream of CUDA is wanted, or its handle, not {type(stream).__name__!r}")

"""What the machine's caches hold."""

from __future__ import annotations

from functools import cache

_FILE = "/sys/devices/system/cpu/cpu0/cache/index{}/size"
_MOST = 8
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@cache
def last_level_cache_bytes() -> int:
    """The size of the largest cache that the first CPU sees, or 0 where the system does not say."""
    sizes = [0]
    for number in range(_MOST):  # a search through the folder takes five times as long
        try:
            with open(_FILE.format(number), "rb") as file:
                text = file.read().strip().decode("ascii")
            sizes.append(int(text[:-1]) * _UNITS[text[-1]] if text[-1] in _UNITS else int(text))
        except (OSError, ValueError, IndexError):  # a container that hides it, or another way to write it
            continue
    return max(sizes)

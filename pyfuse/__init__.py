"""pyfuse: an unmodified NumPy function, run as one fused kernel with NumPy's exact results."""

from pyfuse import config
from pyfuse.backend.cpu.dispatch import clear_pool
from pyfuse.cache_info import CacheInfo
from pyfuse.decorator import FusedFunction, fuse
from pyfuse.diagnostics import Diagnostic
from pyfuse.errors import FuseError, PyfuseError, VerificationError
from pyfuse.fallback import PyfuseFallbackWarning
from pyfuse.version import VERSION as __version__

__all__ = [
    "CacheInfo",
    "Diagnostic",
    "FuseError",
    "FusedFunction",
    "PyfuseError",
    "PyfuseFallbackWarning",
    "VerificationError",
    "__version__",
    "clear_pool",
    "config",
    "fuse",
]

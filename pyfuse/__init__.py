"""pyfuse: an unmodified NumPy function, run as one fused kernel with NumPy's exact results."""

from pyfuse import config
from pyfuse.decorator import FusedFunction, fuse
from pyfuse.diagnostics import Diagnostic
from pyfuse.errors import FuseError, PyfuseError, VerificationError
from pyfuse.executor import CacheInfo
from pyfuse.fallback import PyfuseFallbackWarning

__version__ = "0.1.0"

__all__ = [
    "CacheInfo",
    "Diagnostic",
    "FuseError",
    "FusedFunction",
    "PyfuseError",
    "PyfuseFallbackWarning",
    "VerificationError",
    "__version__",
    "config",
    "fuse",
]

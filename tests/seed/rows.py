"""NumPy equivalents of the ancestor's tests, as acceptance rows; written fresh for NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Row:
    """One acceptance row.

    Attributes:
        name: short and unique.
        seed: what the ancestor called it.
        function: to fuse.
        calls: argument tuples.
        expect: ``fuse`` (a kernel, no fallback), ``fallback`` (the original's exact result), ``either`` (fusing is
            optional) or ``raises`` (the original's exception).
        keys: kernels that the calls make together, or None where that is not pinned.
        ulp: largest distance from NumPy's result in units of the last place; 0 is bit-identical.
        scale: as in ``assert_same_outcome``.
    """

    name: str
    seed: str
    function: Callable[..., Any]
    calls: list[tuple[Any, ...]]
    expect: str
    keys: int | None
    ulp: int
    scale: float


ROWS: list[Row] = []
RANDOM = np.random.default_rng(7)


def row(
    name: str, seed: str, calls: list[tuple[Any, ...]], *, expect: str = "fuse", keys: int | None = None, tol: int = 4,
    scale: float = 0.0,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # fmt: skip
    """Add the decorated function to ``ROWS``."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        ROWS.append(
            Row(
                name=name,
                seed=seed,
                function=function,
                calls=calls,
                expect=expect,
                keys=keys,
                ulp=tol,
                scale=scale,
            )
        )
        return function

    return add


def normal(*shape: int, dt: str = "f4") -> np.ndarray:
    """Normally distributed numbers."""
    return RANDOM.standard_normal(shape).astype(dt)


def uniform(*shape: int, dt: str = "f4") -> np.ndarray:
    """Numbers between 0 and 1."""
    return RANDOM.random(shape).astype(dt)


# --- basics -----------------------------------------------------------------------------------------------------
@row("L01", "abs_cpu/abs_cuda", [(normal(5),), (normal(5, dt="f8"),)], keys=2, tol=0)
def r_abs(x):
    return np.abs(x) * 2


# L02, a cache folder whose name is not ASCII, and L07, bfloat16, are tests of their own.


@row(
    "L03", "zero_element_tensors", [(normal(0, 3), normal(0, 3)), (normal(0), normal(1)), (normal(2, 0, 4), normal(4))]
)
def r_zero(x, y):
    return np.arctan2(x, y) + 1


@row(
    "L04",
    "arg_configurations_smoke",
    [
        (normal(4, 4), normal(4, 4)),
        (normal(4, 4).T, normal(4, 4)),
        (normal(4, 4).T, normal(4, 4).T),
        (normal(8, 8), normal(8, 8)),
    ],
    keys=None,
)
def r_layout(x, y):
    z = x + y  # row 4 must reuse row 1's kernel; rows 2 and 3 must not
    a, b = np.split(z, 2, axis=1)
    return a * b


@row("L05", "broadcast", [(normal(4, 4), normal(4), normal(4)), (normal(2, 4, 4), normal(4), normal(4, 1))], tol=0)
def r_bcast(x, s, b):
    return x * s + b


@row("L06", "cuda_half", [(normal(4, 4, dt="f2"), normal(4, 4, dt="f2"))], tol=2)
def r_half(x, y):
    m = (x > y).astype(x.dtype)
    return np.maximum(x * m + y, np.float16(0)) + np.exp(y) * 0.5


# --- chunk / concat ---------------------------------------------------------------------------------------------
@row("L08", "checks_cat_inputs", [(normal(2, 4), normal(1, 4))])
def r_cat_shapes(x, y):
    return np.concatenate([x + 2 * x + x**2, y + 4 * y + y**3], axis=0)  # shape (3,4), never (4,4)


@row(
    "L09",
    "remainder",
    [
        (normal(9) * 5, normal(9) * 3),
        (normal(9, dt="f8") * 5, normal(9, dt="f8") * 3),
        (np.array([1.0, -1.0, 0.0, np.inf, np.nan, 5.0]), np.array([np.inf, np.inf, -3.0, 2.0, 1.0, 0.0])),
    ],
    tol=0,
)
def r_rem(x, y):
    return 1 + np.remainder(x, y) - 1


@row("L10", "chunk", [(normal(3, 6),), (normal(3, 6).copy("F"),)], tol=0)
def r_chunk(x):
    a, b, c = np.split(x, 3, axis=1)
    return a * b + c


def _chunk_inputs():
    return [
        (normal(4, 8, 4),),
        (normal(4, 8, 4).transpose(1, 0, 2)[:4],),
        (normal(8, 4, 4).transpose(2, 0, 1),),
        (normal(4, 4, 8)[:, :, ::2],),
        (normal(4, 4, 4)[::-1],),
    ]


@row("L11a", "chunk_correctness axis0", _chunk_inputs(), tol=0)
def r_chunk0(x):
    a, b, c, d = np.split(x, 4, axis=0)
    return a * b + c * d


@row("L11b", "chunk_correctness axis1", [(normal(4, 8, 4),), (normal(8, 4, 4).transpose(1, 0, 2),)], tol=0)
def r_chunk1(x):
    a, b, c, d = np.split(x, 4, axis=1)
    return a + b * c - d


@row(
    "L11c",
    "chunk_correctness last axis",
    [(normal(4, 4, 8),), (normal(4, 8, 4).transpose(0, 2, 1),), (normal(4, 4, 16)[..., ::2],)],
    tol=0,
)
def r_chunkl(x):
    a, b, c, d = np.split(x, 4, axis=-1)
    return a / (1 + b * b) + c - d


@row("L12", "chunk_distributes", [(normal(4, 4), normal(4)), (normal(4, 4), normal(4, 1))], tol=0)
def r_chunk_motion(x, y):
    z = x + y  # chunk must move above the add, through the broadcast
    a, b = np.split(z, 2, axis=0)
    return a + b


@row("L13", "chunk_motion_deduplicates_inputs", [(normal(4, 4),)], tol=0)
def r_chunk_dedup(x):
    z = x * x  # the kernel takes x once, not twice
    a, b = np.split(z, 2, axis=1)
    return a * b


@row("L14", "chunk_multiple", [(normal(4, 8), normal(2, 4), normal(4, 4), normal(4, 4))], tol=0)
def r_chunk_multi(s, x, y, z):
    z1, z2 = np.split(z, 2, axis=0)
    x1, x2 = np.split(x, 2, axis=1)
    y1, y2 = np.split(y, 2, axis=0)
    return s[:2, :4] + np.concatenate([x1, x2], axis=1) + y1 + y2 + z1 + z2


@row("L15", "concat", [(normal(3, 4), normal(3, 4))], tol=0)
def r_concat(x, y):
    return np.concatenate([x, x * y], axis=0)


@row("L16", "concat_invariant", [(normal(2, 2), normal(2, 2), normal(4, 2))], tol=0)
def r_concat_inv(x, y, z):
    w = np.concatenate([x + 1, y * 2], axis=0)  # its consumer must not join the same group
    return w * z


@row(
    "C01",
    "C++ FusedConcat dims 0,1,2 + second output",
    [(normal(2, 3, 4), normal(2, 3, 4))],
    tol=0,
)
def r_fusedcat(x, y):
    p = x * y
    return p, np.concatenate([x, p], axis=0), np.concatenate([x, p], axis=1), np.concatenate([x, p], axis=2)


@row("X01", "uneven split must raise NumPy's own error", [(normal(5),)], expect="raises")
def r_uneven(x):
    a, b = np.split(x, 2)
    return a + b


# --- min / max / clip / where -----------------------------------------------------------------------------------


NAN = np.array([np.nan, 1.0, -2.0, np.nan, np.inf, -np.inf], "f4")


@row("L17", "minmax", [(normal(6), normal(6)), (NAN, normal(6)), (normal(6), NAN)], tol=0)
def r_minmax(x, y):
    return np.maximum(2 * x, y), np.minimum(2 * x, y)


@row("L18a", "clamp both", [(normal(9),), (NAN,)], tol=0)
def r_clip2(x):
    return np.clip(x + x, -0.5, 0.5)


@row("L18b", "clamp inf / min only / max only", [(normal(9),), (NAN,)], tol=0)
def r_clip1(x):
    return np.clip(x * 2, 0, np.inf), np.clip(x * 2, -0.5, None), np.clip(x * 2, None, 0.5)


@row("L18c", "clamp NaN bound, lo>hi (legacy is wrong)", [(normal(9),), (NAN,)], tol=0)
def r_clipn(x):
    return np.clip(x, np.nan, 1.0), np.clip(x, 3.0, -3.0)


@row("L19", "where_and_typing", [(normal(4), normal(4), normal(4, dt="f8"))], tol=0)
def r_where(x, y, z):
    m = x > y
    return m, np.where(m, x, z)  # bool and float64 outputs from one group


@row(
    "L20", "comparison eq/ne", [(normal(8), normal(8)), (np.arange(4, dtype="f4"), np.array([0, 9, 2, 9], "f4"))], tol=0
)
def r_eqne(x, y):
    m = (x == 0).astype(x.dtype)
    n = (x != y).astype(x.dtype)
    return x * m + y * n


@row("L21", "comparison gt/lt", [(normal(8), normal(8))], tol=0)
def r_gtlt(x, y):
    return (x > 0).astype(x.dtype) * x + y, (x < 0).astype(x.dtype) * x + y


@row("L22", "comparison ge/le", [(normal(8), normal(8))], tol=0)
def r_gele(x, y):
    return (x >= y).astype(x.dtype) * x + y, (x <= y).astype(x.dtype) * x + y


@row("L23", "threshold", [(normal(9),), (NAN,)])
def r_threshold(x):
    z = x + x + x
    return np.where(z <= 0, np.float32(-10), z)


@row("L24", "relu", [(normal(8),), (NAN,)], tol=0)
def r_relu(x):
    return np.maximum(x + x, 0)


# --- arithmetic composites --------------------------------------------------------------------------------------
@row("L25", "addcmul", [(normal(1, 4), normal(4, 1), normal(4))], tol=0)
def r_addcmul(t, a, b):
    return t + 0.5 * a * b


@row("L26", "lerp (scalar, tensor weight, broadcast)", [(normal(4, 4), normal(4), normal(4, 1))], tol=0)
def r_lerp(a, b, w):
    return a + 0.3 * (b - a), a + w * (b - a)


@row("L27", "exp", [(normal(8), normal(8))])
def r_exp(x, y):
    return np.exp(x + 0.5 * y)


@row("L28", "erf (optional: scipy.special) – tanh stands in", [(normal(8),)])
def r_tanhish(x):
    return np.tanh(x) - np.tanh(-x)


@row("L29", "small_constant", [(normal(8), normal(8)), (normal(8, dt="f8"), normal(8, dt="f8"))], tol=0)
def r_small(x, y):
    return (1e-8 * x + 5e-9 * y) * 1e8


@row("J01", "double_literal_precision", [(normal(8, dt="f8"),)], tol=0)
def r_lit(x):
    return x * 1.282549830161864 + 0.1 + 1e300 * 1e-300


@row("L30", "fuse_decompose_normalization", [(normal(3, 8), normal(8), uniform(8) + 0.5, normal(8), normal(8))])
def r_bn(x, m, v, w, b):
    return np.maximum((x - m) / np.sqrt(v + 1e-5) * w + b, 0)


@row("L31", "fuser_deduplication (CSE)", [(normal(8), normal(8))])
def r_cse(x, y):
    s = 1 / (1 + np.exp(-(x + y)))
    t = 1 / (1 + np.exp(-(x + y)))  # one exp in the generated source
    return s * t


@row("L32", "fuser_iou ([N,1] × [1,M])", [tuple(uniform(7, 1) if i < 4 else uniform(1, 9) for i in range(8))])
def r_iou(ax1, ay1, ax2, ay2, bx1, by1, bx2, by2):
    w = np.maximum(np.minimum(ax2, bx2) - np.maximum(ax1, bx1), 0)
    h = np.maximum(np.minimum(ay2, by2) - np.maximum(ay1, by1), 0)
    i = w * h
    return i / ((ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - i)


# --- scalars ----------------------------------------------------------------------------------------------------
@row(
    "L33", "scalar_arg", [(normal(4), 3.0), (normal(4), 7.25), (normal(4), 3)], keys=2, tol=0
)  # float values share a kernel; int is a new key
def r_scalar_arg(x, p):
    return p * (x * x + x)


@row("L34", "scalar (0-d tensors)", [(np.array(2.0, "f4"), np.array(3.0, "f4"))], tol=0)
def r_0d(x, y):
    return 2 * x + y  # result is np.float32, not a 0-d array


@row("L35", "tensor_scalar_ops", [(normal(4), 2), (normal(4), 2.5)], tol=0)
def r_tso(x, z):
    return x + 3 * z


# --- LSTM family ------------------------------------------------------------------------------------------------
@row(
    "L36",
    "lstm (pointwise part)",
    [(normal(3, 80), normal(3, 80), normal(80), normal(80), normal(3, 20))],
    tol=16,
    scale=1.0,  # the two terms of c2 are of this size, and may cancel
)
def r_lstm(gi, gh, bi, bh, c):
    i, g, o, q = np.split(gi + gh + bi + bh, 4, axis=1)
    i = 1 / (1 + np.exp(-i))
    q = 1 / (1 + np.exp(-q))
    o = 1 / (1 + np.exp(-o))
    c2 = q * c + i * np.tanh(g)
    return o * np.tanh(c2), c2


@row(
    "L37",
    "lstm_concat",
    [(normal(3, 80), normal(3, 80), normal(3, 20))],
    tol=16,
    scale=1.0,  # the two terms of c2 are of this size, and may cancel
)
def r_lstmc(gi, gh, c):
    i, g, o, q = np.split(gi + gh, 4, axis=1)
    c2 = c / (1 + np.exp(-q)) + np.tanh(g) / (1 + np.exp(-i))
    h = np.tanh(c2) / (1 + np.exp(-o))
    return np.concatenate([h, c2], axis=1)


@row(
    "L38",
    "lstm_gates_permutations (any addition order → 1 group)",
    [(normal(3, 8), normal(3, 8), normal(8), normal(8))],
)
def r_perm(a, b, c, d):
    return np.tanh(d + b + (a + c)), np.tanh((c + d) + (b + a))


@row(
    "L41",
    "milstm",
    [(normal(3, 80), normal(3, 80), normal(80), normal(80), normal(80), normal(80), normal(3, 20))],
    tol=32,
)
def r_milstm(wx, uz, al, b1, b2, bias, c):
    i, q, g, o = np.split(al * wx * uz + b1 * wx + b2 * uz + bias, 4, axis=1)
    c2 = c / (1 + np.exp(-q)) + np.tanh(g) / (1 + np.exp(-i))
    return np.tanh(c2) / (1 + np.exp(-o)), c2


def _permuted(pattern: int) -> np.ndarray:
    """A (128, 128, 8) array whose axes lie in memory in one of four orders."""
    match pattern:
        case 0:
            return normal(128, 128, 8)
        case 1:
            return normal(128, 8, 128).transpose(0, 2, 1)
        case 2:
            return normal(128, 128, 8).transpose(1, 0, 2)
        case _:
            return normal(8, 128, 128).transpose(2, 1, 0)


@row(
    "C02",
    "C++ TestOne (4 transposition patterns, 2 outputs)",
    [tuple(_permuted(pattern) for _ in range(5)) for pattern in range(4)],
    tol=16,
    scale=1.0,  # the two terms of c2 are of this size, and may cancel
)
def r_testone(i, q, g, o, c):
    c2 = c / (1 + np.exp(-q)) + np.tanh(g) / (1 + np.exp(-i))
    return np.tanh(c2) / (1 + np.exp(-o)), c2


@row("C03", "C++ TestSimple", [(normal(3, 4), normal(4, 3).T), (normal(3, 4), normal(3, 4))], keys=2, tol=0)
def r_mul(x, y):
    return x * y


# --- in-place / aliasing ----------------------------------------------------------------------------------------
@row("C04", "C++ FusionAliasing", [(normal(4), normal(4))], tol=0)
def r_alias(a, b):
    c = a + b
    d = c * 2
    c += 1  # d must keep the old value
    return d + c, c


@row("X02", "in-place on an argument's overlapping views", [(np.arange(6.0),)], expect="either", tol=0)
def r_overlap(x):
    x = x.copy()
    x[1:] += x[:-1]
    return x


# --- random -----------------------------------------------------------------------------------------------------
@row(
    "L42",
    "rand / dropout / rand_broadcast: RNG call stays outside the group",
    [(normal(4, 4), np.random.default_rng(3).random((4, 4)).astype("f4"))],
    tol=0,
)
def r_drop(x, r):
    return np.where(r < 0.5, x * 2, 0)


# --- errors must be NumPy's own ---------------------------------------------------------------------------------
@row("X03", "unbroadcastable", [(normal(3), normal(4))], expect="raises")
def r_badshape(x, y):
    return x + y * 2


@row("X04", "NEP 50 overflow", [(np.array([1], "i1"), 300)], expect="raises")
def r_nep50(x, k):
    return x + k


@row("X05", "bool minus bool", [(np.array([True]), np.array([False]))], expect="raises")
def r_boolsub(x, y):
    return x - y


# --- from the TE / successor suites -----------------------------------------------------------------------------
@row(
    "T01",
    "TE rounding ties",
    [(np.array([0.5, 1.5, 2.5, -0.5, -1.5, 3.5], "f4"),), (np.array([0.5, 1.5, 2.5, -0.5], "f8"),)],
    tol=0,
)
def r_round(x):
    return np.round(x) + np.rint(x * 1)


@row(
    "T02",
    "TE int division and modulo by zero",
    [(np.array([7, -7, 5, -(2**31)], "i4"), np.array([-3, 3, 0, -1], "i4"))],
    tol=0,
)
def r_intdiv(x, y):
    return x // y, x % y


@row("T03", "TE shifts past width", [(np.array([1, -1, 8], "i4"), np.array([40, 40, 2], "i4"))], tol=0)
def r_shift(x, y):
    return x << y, x >> y


@row(
    "T04",
    "TE bitwise / minmax int",
    [(RANDOM.integers(-99, 99, 16).astype("i8"), RANDOM.integers(-99, 99, 16).astype("i8"))],
    tol=0,
)
def r_bits(x, y):
    return (x & y) ^ (x | ~y), np.maximum(x, y) - np.minimum(x, y)


@row("T05", "TE bool arithmetic", [(np.array([1, 0, 1], bool), np.array([1, 1, 0], bool))], tol=0)
def r_boolarith(x, y):
    return x + y, x * y


@row("T06", "TE casts / promotion", [(np.arange(-4, 4, dtype="i2"), normal(8))])
def r_cast(x, y):
    return (x * y).astype("f8") + x, np.sqrt(np.abs(x))


@row(
    "T07",
    "TE dynamic_shapes: many sizes, one key per layout",
    [(normal(n, n + 1), normal(n, n + 1)) for n in (2, 3, 5, 8, 13)],
    keys=1,
    tol=0,
)
def r_dyn(x, y):
    return x * y + 1


@row(
    "T08",
    "TE dims: odd strides on size-1 axes",
    [(np.lib.stride_tricks.as_strided(normal(8), (1, 8), (999, 4)), normal(1, 8))],
    tol=0,
)
def r_dims(x, y):
    return x + y


@row(
    "T09",
    "negative / zero / Fortran strides, K order kept",
    [
        (normal(6, 5)[::-1, ::-1], normal(6, 5)),
        (normal(6, 5).copy("F"), normal(6, 5).copy("F")),
        (normal(2, 3, 4).transpose(1, 2, 0), normal(3, 4, 2)),
    ],
    tol=0,
)
def r_strides(x, y):
    return x - y * 2


@row("T10", "TE unsupported_dtypes", [(np.array([1, 2], object), np.array([3, 4], object))], expect="fallback", tol=0)
def r_unsup(x, y):
    return x * y + 1


@row("T10c", "complex, which the ancestor threw on", [(normal(4) + 1j * normal(4), normal(4))], tol=0)
def r_complex(x, y):
    return x * y + 1


@row("T11", "outputs with different shapes (superslomo)", [(normal(4, 1), normal(1, 5), normal(4, 5))], tol=0)
def r_twoshape(a, b, c):
    s = a + 1
    return s, s * b + c


@row("T12", "no array arguments", [(2.0, 3)], expect="either", tol=0)
def r_noarr(a, b):
    return a * b + 1


@row("T13", "NaN and signed zero survive", [(np.array([0.0, -0.0, np.nan, -np.inf, 5e-324]),)], tol=0)
def r_special(x):
    return np.sin(np.arctan(x)) * 0 + x * 1.0, np.sqrt(x * x) - x

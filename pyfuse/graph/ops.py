"""The operation table: the one place where an operation is described.

The frontend looks operations up by NumPy's callable or by Python's operator, inference asks the callable for its
dtypes, the evaluator calls it, the code generators read the C text, documentation and tests walk the table.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any

import numpy as np

from pyfuse.records import dataclass


class Exactness(enum.Enum):
    """How the kernel's result relates to NumPy's."""

    BITS = "bit-identical"
    ULP = "at most 4 ULP from the correctly rounded result"


class Cost(enum.IntEnum):
    """Rough time of one element in picoseconds on one core, to decide whether threads pay."""

    SIMPLE = 100
    DIVISION = 400
    FUNCTION = 1500
    LIBRARY_CALL = 8000


class Fold(enum.Enum):
    """How NumPy's ``ufunc.reduce`` combines elements that lie along the innermost axis.

    Along other axes it always goes from element to element in the order of memory.
    """

    ANY_ORDER = "the result does not depend on the order"
    PAIRWISE = "NumPy's pairwise sum (numpy/_core/src/umath/loops_utils.h.src)"
    IN_ORDER = "from element to element"
    OWN_WAY = "in a way of NumPy's own that is not reproduced"


# Kinds of C text: NumPy's dtype kinds, except that float16 is "e" because its arithmetic is emulated.
INTEGERS = "iu"
NUMBERS = "iuf"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation on array elements.

    Attributes:
        name: NumPy's name; also the stem of the C library's function names.
        callable: the ufunc or function that defines the meaning, or None while its package is not imported.
        operand_count: arrays in.
        result_count: arrays out.
        c_text: by dtype kind of the first operand, an expression over ``{0}``, ``{1}``, ... and ``{T}``, the C type of
            the result. A kind that is missing calls ``pf_<name>_<operand codes>`` of the C library; float16 without a
            function of its own is computed in float32 and rounded.
        cuda_text: the same for CUDA where it differs from C.
        python_operator: name of the ``ast`` operator class that means this operation.
        folds: by dtype kind, how a reduction by this operation may go; a kind that is missing stays with NumPy.
        may_raise_flags: whether NumPy can report a floating-point error from it.
        shows_errors: whether, of real floats, a result is Inf or NaN where an operand is, and wherever NumPy can report
            anything but underflow: so finite results say that nothing else was met.
        exactness: what the result promises.
        cost: of one element.
        is_float32_in_bfloat16: whether the loop of ml_dtypes for bfloat16 is NumPy's for float32, rounded.
    """

    name: str
    callable: Callable[..., Any] | None
    operand_count: int
    result_count: int = 1
    c_text: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    cuda_text: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    python_operator: str | None = None
    folds: Mapping[str, Fold] = field(default_factory=lambda: MappingProxyType({}))
    may_raise_flags: bool = True
    shows_errors: bool = False
    exactness: Exactness = Exactness.BITS
    cost: Cost = Cost.SIMPLE
    is_float32_in_bfloat16: bool = True

    @property
    def is_ufunc(self) -> bool:
        """Whether dtypes follow ``ufunc.resolve_dtypes``."""
        return isinstance(self.callable, np.ufunc)

    @property
    def finds_an_index(self) -> bool:
        """Whether it reduces to the index of an element: ``argmax`` and ``argmin``."""
        return self.callable in (np.argmax, np.argmin)

    def fold(self, dtype: np.dtype) -> Fold:
        """How a reduction of elements of ``dtype`` may go."""
        return self.folds.get(dtype.kind, Fold.OWN_WAY)


def by_name(name: str) -> Operation:
    """The operation called ``name``.

    Raises:
        KeyError: there is none.
    """
    return OPERATIONS[name]


def by_callable(function: object) -> Operation | None:
    """The operation that a NumPy or SciPy ufunc means, or None."""
    if not isinstance(function, np.ufunc):
        return None
    known = _BY_UFUNC.get(id(function))
    if known is not None:
        return known
    name, special = str(function.__name__), sys.modules.get("scipy.special")
    if special is not None and name in SCIPY_SPECIAL and getattr(special, name, None) is function:
        return OPERATIONS[name]
    return None


def callable_of(operation: Operation) -> Callable[..., Any]:
    """The callable that defines the operation, SciPy's included if the user has imported ``scipy.special``.

    Raises:
        LookupError: the operation belongs to a package that nobody imported.
    """
    if operation.callable is not None:
        return operation.callable
    special = sys.modules.get("scipy.special")
    if special is None:
        raise LookupError(f"{operation.name} needs scipy.special, which is not imported")
    found: Callable[..., Any] = getattr(special, operation.name)
    return found


def by_python_operator(class_name: str) -> Operation | None:
    """The operation of an ``ast`` operator class such as ``"Add"`` or ``"LtE"``, or None."""
    return _BY_PYTHON_OPERATOR.get(class_name)


def _real_part(x: Any) -> Any:
    return x.real


def _imaginary_part(x: Any) -> Any:
    return x.imag


def _in_c_order(x: Any) -> Any:
    return np.array(x, order="C")


def _in_c_or_fortran_order(x: Any) -> Any:
    return np.array(x, order="A")


def _value_if(_: Any, value: Any) -> Any:
    return value


def _texts(**texts: str) -> Mapping[str, str]:
    """Expand ``iu="..."``-style keywords to one entry for each kind letter."""
    return MappingProxyType({kind: text for kinds, text in texts.items() for kind in kinds})


def _folds(**folds: Fold) -> Mapping[str, Fold]:
    """Expand ``iu=Fold...``-style keywords to one entry for each kind letter."""
    return MappingProxyType({kind: fold for kinds, fold in folds.items() for kind in kinds})


_ANY = Fold.ANY_ORDER


def _ufunc(name: str, **facts: Any) -> Operation:
    ufunc = getattr(np, name)
    return Operation(name=ufunc.__name__, callable=ufunc, operand_count=ufunc.nin, result_count=ufunc.nout, **facts)


def _quiet(name: str, **facts: Any) -> Operation:
    return _ufunc(name, may_raise_flags=False, **facts)


def _function(name: str, cost: Cost = Cost.FUNCTION) -> Operation:
    return _ufunc(name, exactness=Exactness.ULP, cost=cost)


def _scipy(name: str, operand_count: int = 1) -> Operation:
    return Operation(name=name, callable=None, operand_count=operand_count, exactness=Exactness.ULP, cost=Cost.FUNCTION)


SCIPY_SPECIAL = ("erf", "erfc", "expit", "logit", "xlogy", "gammaln")

_wrapping = "({T})({0} %s {1})"
# Of the ufuncs that NumPy keeps private.
_CLIP: Any = np._core.umath.clip  # type: ignore[attr-defined]

_ALL: tuple[Operation, ...] = (
    # arithmetic
    _ufunc(
        "add",
        c_text=_texts(iu=_wrapping % "+", f="{0} + {1}"),
        python_operator="Add",
        folds=_folds(iu=_ANY, fc=Fold.PAIRWISE),
        shows_errors=True,
    ),
    _ufunc(
        "subtract",
        c_text=_texts(iu=_wrapping % "-", f="{0} - {1}"),
        python_operator="Sub",
        folds=_folds(iufc=Fold.IN_ORDER),
        shows_errors=True,
    ),
    _ufunc(
        "multiply",
        c_text=_texts(iu=_wrapping % "*", f="{0} * {1}"),
        python_operator="Mult",
        folds=_folds(iu=_ANY, f=Fold.IN_ORDER),
        shows_errors=True,
    ),
    _ufunc(
        "divide",
        c_text=_texts(f="{0} / {1}"),
        python_operator="Div",
        cost=Cost.DIVISION,
        folds=_folds(f=Fold.IN_ORDER),
    ),
    _ufunc("floor_divide", python_operator="FloorDiv", cost=Cost.FUNCTION),
    _ufunc("remainder", python_operator="Mod", cost=Cost.FUNCTION),
    _ufunc("fmod", cost=Cost.FUNCTION),
    _ufunc("divmod", cost=Cost.FUNCTION),
    _ufunc("power", python_operator="Pow", exactness=Exactness.ULP, cost=Cost.LIBRARY_CALL),
    _ufunc("float_power", exactness=Exactness.ULP, cost=Cost.LIBRARY_CALL),
    _quiet("negative", c_text=_texts(iu="({T})-{0}", f="-{0}"), python_operator="USub", shows_errors=True),
    _quiet("positive", c_text=_texts(iuf="{0}"), python_operator="UAdd", shows_errors=True),
    _ufunc("absolute", shows_errors=True),
    _quiet("fabs", shows_errors=True),
    _ufunc("square", c_text=_texts(iu="({T})({0} * {0})", f="{0} * {0}"), shows_errors=True),
    _ufunc("reciprocal", c_text=_texts(f="1 / {0}"), cost=Cost.DIVISION),
    _ufunc("sqrt", c_text=_texts(f="__builtin_sqrt{f}({0})"), cost=Cost.DIVISION, shows_errors=True),
    _ufunc("cbrt", exactness=Exactness.ULP, cost=Cost.FUNCTION),
    _ufunc("sign", is_float32_in_bfloat16=False),  # of -0.0 it is -0.0 there
    _quiet("conjugate", c_text=_texts(biuf="{0}"), shows_errors=True),
    _ufunc("gcd", cost=Cost.LIBRARY_CALL),
    _ufunc("lcm", cost=Cost.LIBRARY_CALL),
    _ufunc("heaviside"),
    _ufunc("hypot", exactness=Exactness.ULP, cost=Cost.LIBRARY_CALL),
    # rounding and parts of a number
    _quiet("rint", c_text=_texts(f="__builtin_rint{f}({0})")),
    _quiet("floor", c_text=_texts(biu="{0}", f="__builtin_floor{f}({0})")),
    _quiet("ceil", c_text=_texts(biu="{0}", f="__builtin_ceil{f}({0})")),
    _quiet("trunc", c_text=_texts(biu="{0}", f="__builtin_trunc{f}({0})")),
    _ufunc("modf"),
    _ufunc("frexp", cost=Cost.LIBRARY_CALL),
    _ufunc("ldexp", cost=Cost.LIBRARY_CALL),
    _quiet("copysign"),
    _ufunc("nextafter", cost=Cost.LIBRARY_CALL, is_float32_in_bfloat16=False),
    _ufunc("spacing", cost=Cost.LIBRARY_CALL, is_float32_in_bfloat16=False),
    _quiet("signbit"),
    _quiet("isnan"),
    _quiet("isinf"),
    _quiet("isfinite"),
    # exponentials and logarithms
    _function("exp"),
    _function("exp2"),
    _function("expm1"),
    _function("log"),
    _function("log2"),
    _function("log10"),
    _function("log1p"),
    _function("logaddexp", cost=Cost.LIBRARY_CALL),
    _function("logaddexp2", cost=Cost.LIBRARY_CALL),
    # trigonometry
    _function("sin"),
    _function("cos"),
    _function("tan"),
    _function("arcsin"),
    _function("arccos"),
    _function("arctan"),
    _function("arctan2"),
    _function("sinh"),
    _function("cosh"),
    _function("tanh"),
    _function("arcsinh", cost=Cost.LIBRARY_CALL),
    _function("arccosh", cost=Cost.LIBRARY_CALL),
    _function("arctanh", cost=Cost.LIBRARY_CALL),
    _ufunc("degrees"),
    _ufunc("rad2deg"),
    _ufunc("radians"),
    _ufunc("deg2rad"),
    # bits
    _quiet("bitwise_and", c_text=_texts(biu="{0} & {1}"), python_operator="BitAnd", folds=_folds(biu=_ANY)),
    _quiet("bitwise_or", c_text=_texts(biu="{0} | {1}"), python_operator="BitOr", folds=_folds(biu=_ANY)),
    _quiet("bitwise_xor", c_text=_texts(biu="{0} ^ {1}"), python_operator="BitXor", folds=_folds(biu=_ANY)),
    _quiet("invert", c_text=_texts(b="!{0}", iu="({T})~{0}"), python_operator="Invert"),
    _quiet("left_shift", python_operator="LShift"),
    _quiet("right_shift", python_operator="RShift"),
    _quiet("bitwise_count"),
    # comparisons, logic, selection
    _quiet("less", c_text=_texts(biu="{0} < {1}"), python_operator="Lt"),
    _quiet("less_equal", c_text=_texts(biu="{0} <= {1}"), python_operator="LtE"),
    _quiet("greater", c_text=_texts(biu="{0} > {1}"), python_operator="Gt"),
    _quiet("greater_equal", c_text=_texts(biu="{0} >= {1}"), python_operator="GtE"),
    _quiet("equal", c_text=_texts(biuf="{0} == {1}"), python_operator="Eq"),
    _quiet("not_equal", c_text=_texts(biuf="{0} != {1}"), python_operator="NotEq"),
    _quiet("logical_and", folds=_folds(b=_ANY)),
    _quiet("logical_or", folds=_folds(b=_ANY)),
    _quiet("logical_xor", folds=_folds(b=_ANY)),
    _quiet("logical_not"),
    _quiet("maximum", folds=_folds(biuf=_ANY, c=Fold.IN_ORDER)),
    _quiet("minimum", folds=_folds(biuf=_ANY, c=Fold.IN_ORDER)),
    _quiet("fmax", folds=_folds(biuf=_ANY, c=Fold.IN_ORDER)),
    _quiet("fmin", folds=_folds(biuf=_ANY, c=Fold.IN_ORDER)),
    # not ufuncs, or ufuncs that NumPy keeps private
    Operation(name="cast", callable=None, operand_count=1, shows_errors=True),
    Operation(name="select", callable=np.where, operand_count=3, may_raise_flags=False),
    Operation(
        name="clip_arrays",  # np.clip where a bound is an array: NumPy's loop then takes the bound of two equal numbers
        callable=_CLIP,
        operand_count=3,
        may_raise_flags=False,
    ),
    Operation(name="clip", callable=_CLIP, operand_count=3, may_raise_flags=False),
    Operation(
        name="contiguous", callable=_in_c_order, operand_count=1, may_raise_flags=False, c_text=_texts(biufce="{0}")
    ),
    Operation(
        name="contiguous_either",  # in Fortran order if the operand is, else in C order
        callable=_in_c_or_fortran_order,
        operand_count=1,
        may_raise_flags=False,
        c_text=_texts(biufce="{0}"),
    ),
    Operation(name="real", callable=_real_part, operand_count=1, may_raise_flags=False, c_text=_texts(c="{0}.re")),
    Operation(name="imag", callable=_imaginary_part, operand_count=1, may_raise_flags=False, c_text=_texts(c="{0}.im")),
    Operation(name="replay_if", callable=_value_if, operand_count=2),  # of a bool and a value: the value
    Operation(name="argmax", callable=np.argmax, operand_count=1, may_raise_flags=False),
    Operation(name="argmin", callable=np.argmin, operand_count=1, may_raise_flags=False),
    # scipy.special, when the user's function calls it
    _scipy("erf"),
    _scipy("erfc"),
    _scipy("expit"),
    _scipy("logit"),
    _scipy("xlogy", operand_count=2),
    _scipy("gammaln"),
)

OPERATIONS: Mapping[str, Operation] = MappingProxyType({operation.name: operation for operation in _ALL})
_BY_UFUNC = {id(operation.callable): operation for operation in _ALL if operation.is_ufunc}
_BY_PYTHON_OPERATOR = {operation.python_operator: operation for operation in _ALL if operation.python_operator}

# NumPy ufuncs that stay NumPy's, with the reason that a user gets.
NOT_FUSED_UFUNCS: Mapping[str, str] = MappingProxyType(
    {
        "matmul": "matrix products stay with NumPy's BLAS",
        "vecdot": "vector products stay with NumPy",
        "matvec": "matrix products stay with NumPy's BLAS",
        "vecmat": "matrix products stay with NumPy's BLAS",
        "isnat": "datetime values stay with NumPy",
    }
)

"""numexpr: expressions recorded from the NumPy functions, compiled once; functions with reductions in several steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numexpr
import numpy as np
from numexpr import expressions

from benchmarks.peers import Peer
from benchmarks.reduction_workloads import EPSILON
from benchmarks.report_workloads import DIFFUSION
from benchmarks.systems.rebinding import rebind
from benchmarks.workloads import ITERATIONS, Case

# numexpr's own names: what it calls float has single precision.
_TYPES = {"float64": np.double, "float32": float, "int32": np.int32, "complex128": complex}
_KEYWORDS = {"ex_uses_vml": numexpr.use_vml}  # asked for where there are other keywords
_KINDS = {"float64": "double", "float32": "float", "int32": "int", "complex128": "complex"}


def load(threads: int) -> tuple[tuple[Peer, ...], str]:
    """Expressions compiled outside the timed stretch, which spares numexpr the look-up by text."""
    numexpr.set_num_threads(threads)
    fact = f"{numexpr.__version__}, {threads} threads, VML {'in use' if numexpr.use_vml else 'not there'}"
    return (Peer(name="numexpr", function_for=_function_for),), fact


def _function_for(case: Case) -> Callable[..., Any] | None:
    name = case.workload.name
    if name == "black_scholes_erf" or case.dtype not in _TYPES:  # no error function, no single complex numbers
        return None
    if name in _STEPS:
        return _STEPS[name](case.dtype)
    dtypes = [argument.dtype.name for argument in case.workload.make_inputs(1, case.dtype)]
    return compile_expression(case.workload.function, dtypes)


def compile_expression(function: Callable[..., Any], dtypes: Sequence[str]) -> Callable[..., Any]:
    """An elementwise NumPy function as compiled expressions, one for each result.

    Args:
        function: takes one array for each dtype.
        dtypes: names of dtypes that numexpr knows.

    Returns:
        Takes NumPy arrays; the keyword ``out`` names the target of a single result.
    """
    signature = [(f"x{place}", _TYPES[dtype]) for place, dtype in enumerate(dtypes)]
    is_single = set(dtypes) == {"float32"}
    operands = [
        _Recorded(expressions.VariableNode(name, _KINDS[dtype]), is_single)
        for (name, _), dtype in zip(signature, dtypes, strict=True)
    ]
    recorded = rebind(function, {"np": _Namespace()})(*operands)
    results = recorded if isinstance(recorded, tuple) else (recorded,)
    compiled = [numexpr.NumExpr(result.node, signature) for result in results]
    if len(compiled) == 1:
        return compiled[0]
    return lambda *arguments: tuple(expression(*arguments) for expression in compiled)


class _Namespace:
    """NumPy's functions for recorded values, under the names that numexpr gives them."""

    def __getattr__(self, name: str) -> Any:
        function = expressions.functions[name]
        return lambda *operands: _apply(function, operands)

    @staticmethod
    def radians(degrees: _Recorded) -> _Recorded:
        """numexpr has no such function."""
        return degrees * (math.pi / 180.0)

    def minimum(self, first: _Recorded, second: Any) -> _Recorded:
        """Of numbers, not of NaN."""
        return self.where(first < second, first, second)

    def clip(self, value: _Recorded, lowest: int, highest: int) -> _Recorded:
        """Within limits."""
        return self.where(value < lowest, lowest, self.where(value > highest, highest, value))


class _Recorded:
    """A value of an expression; Python floats beside single precision stay single."""

    def __init__(self, node: Any, is_single: bool) -> None:
        self.node = node
        self.is_single = is_single


def _apply(function: Callable[..., Any], operands: Sequence[Any]) -> _Recorded:
    is_single = all(operand.is_single for operand in operands if isinstance(operand, _Recorded))
    nodes = [
        operand.node
        if isinstance(operand, _Recorded)
        else expressions.ConstantNode(np.float32(operand) if is_single and isinstance(operand, float) else operand)
        for operand in operands
    ]
    return _Recorded(function(*nodes), is_single)


def _operator(name: str) -> Callable[..., _Recorded]:
    def apply(self: _Recorded, *others: Any) -> _Recorded:
        return _apply(lambda first, *rest: getattr(first, name)(*rest), (self, *others))

    return apply


for _name in ("add", "sub", "mul", "truediv", "pow", "lshift", "rshift", "and", "or", "xor"):
    for _prefix in ("", "r"):
        setattr(_Recorded, f"__{_prefix}{_name}__", _operator(f"__{_prefix}{_name}__"))
for _name in ("lt", "le", "gt", "ge", "neg"):
    setattr(_Recorded, f"__{_name}__", _operator(f"__{_name}__"))


# What is no single elementwise expression of the arguments


def _expression(text: str, dtype: str, names: str) -> Any:
    """A compiled expression of arrays of one dtype."""
    return numexpr.NumExpr(text, [(name, _TYPES[dtype]) for name in names])


def _stencil(dtype: str) -> Callable[..., Any]:
    step = compile_expression(
        lambda centre, below, above, right, left: centre + DIFFUSION * (below + above + right + left - 4.0 * centre),
        [dtype] * 5,
    )
    return lambda u: step(u[1:-1, 1:-1], u[2:, 1:-1], u[:-2, 1:-1], u[1:-1, 2:], u[1:-1, :-2])


def _strided_product(dtype: str) -> Callable[..., Any]:
    product = _expression("a * b", dtype, "ab")
    return lambda a, b: product(a[::2], b[::2])


def _add_transposed(dtype: str) -> Callable[..., Any]:
    add = _expression("a + b", dtype, "ab")
    return lambda a, b: add(a, b.T)


def _accumulate_product(dtype: str) -> Callable[..., Any]:
    add = _expression("a + b * c", dtype, "abc")
    return lambda a, b, c: add(a, b, c, out=a, **_KEYWORDS)


def _quadratic_iteration(dtype: str) -> Callable[..., Any]:
    """The whole iteration in one expression would double with each step."""
    step = _expression("z * z + c", dtype, "zc")

    def iterate(z: Any, c: Any) -> Any:
        for _ in range(ITERATIONS):
            z = step(z, c)
        return z

    return iterate


def _sum_squared_differences(dtype: str) -> Callable[..., Any]:
    return _expression("sum((a - b) ** 2)", dtype, "ab")


def _sum_leading_axis(dtype: str) -> Callable[..., Any]:
    return _expression("sum(x, axis=0)", dtype, "x")


def _pairwise_distances(dtype: str) -> Callable[..., Any]:
    squares = _expression("sum((a - b) ** 2, axis=2)", dtype, "ab")
    root = _expression("sqrt(x)", dtype, "x")

    def distances(x: Any, y: Any) -> Any:
        sums = squares(x[:, None, :], y[None, :, :])
        return root(sums, out=sums, **_KEYWORDS)

    return distances


def _softmax(dtype: str) -> Callable[..., Any]:
    powers_of = _expression("exp(x - m)", dtype, "xm")
    divide = _expression("p / s", dtype, "ps")

    def softmax(x: Any) -> Any:
        powers = powers_of(x, x.max(axis=-1, keepdims=True))
        return divide(powers, powers.sum(axis=-1, keepdims=True), out=powers, **_KEYWORDS)

    return softmax


def _layer_norm(dtype: str) -> Callable[..., Any]:
    scale = _expression("(x - m) / sqrt(v) * g + b", dtype, "xmvgb")

    def layer_norm(x: Any, gamma: Any, beta: Any) -> Any:
        mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
        return scale(x, mean, variance + x.dtype.type(EPSILON), gamma, beta)

    return layer_norm


_STEPS: dict[str, Callable[[str], Callable[..., Any]]] = {
    "stencil": _stencil,
    "strided_product": _strided_product,
    "add_transposed": _add_transposed,
    "accumulate_product": _accumulate_product,
    "quadratic_iteration": _quadratic_iteration,
    "sum_squared_differences": _sum_squared_differences,
    "sum_leading_axis": _sum_leading_axis,
    "pairwise_distances": _pairwise_distances,
    "softmax": _softmax,
    "layer_norm": _layer_norm,
}

"""Small functions, each with one kind of work in it, and arguments for them: what the golden texts are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Program(NamedTuple):
    """A function and the arguments of one call."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


def multiply_add(a: Array, b: Array, c: Array) -> Array:
    return a * b + c


def broadcast_rows(table: Array, weights: Array) -> Array:
    scaled = table * weights
    return scaled - 0.5


def transposed_operand(a: Array, b: Array) -> Array:
    return a + b.T


def turned_operand(a: Array, b: Array) -> Array:
    return a + b.T


def choose(x: Array, y: Array) -> Any:
    is_larger = (x > y) & (x != 0)
    return np.where(is_larger, x, -y)


def half_precision(x: Array, y: Array) -> Any:
    return np.sqrt(x) * y + 1


def complex_numbers(z: Array, w: Array) -> Any:
    return z * w.conj() + 2j


def integer_division(n: Array, m: Array) -> tuple[Any, Any]:
    return n // m, n % m


def several_outputs(x: Array, y: Array) -> tuple[Any, Any, Any]:
    total = x + y
    return total, np.sqrt(y), total < 0


def scalar_arguments(x: Array, scale: float, offset: Any) -> Array:
    shifted = x - offset
    return scale * shifted * (scale + 1.0)  # type: ignore[no-any-return]


def hoisted_row_value(column: Array, row: Array) -> Any:
    heavy = np.exp(column)
    return heavy * row


def in_place_on_a_local(x: Array) -> Array:
    y = x * 2
    y += x
    y **= 2
    return y


def in_place_on_an_argument(counts: Array, x: Array) -> None:
    counts += (x * x).astype(np.int64)


def accumulated_product(total: Array, x: Array, y: Array) -> None:
    total += x * y


def view_result(x: Array) -> tuple[Any, Any]:
    doubled = x + x
    return doubled, doubled.T


def casts(x: Array) -> tuple[Any, Any]:
    whole = x.astype(np.int32)
    return whole, (whole + 1).astype(np.float32)


def unused_report(x: Array) -> Any:
    np.log(x)
    return x > 0


def softmax_rows(x: Array) -> Any:
    raised = np.exp(x - x.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def column_statistics(x: Array) -> tuple[Any, Any]:
    return x.mean(axis=0), x.std(axis=0)


def full_sum_of_squares(x: Array) -> Any:
    squares = x * x
    return squares.sum()


def argmax_rows(x: Array) -> Any:
    return np.argmax(x, axis=1)


def argmax_columns(x: Array) -> Any:
    return np.argmax(x, axis=0)


def running_sum(x: Array) -> Any:
    doubled = x + x
    return np.cumsum(doubled)


def joined_pieces(x: Array, y: Array) -> Any:
    return np.concatenate([x * 2, np.sqrt(y), x])


def short_row_distances(points: Array, others: Array) -> Any:
    steps = points[:, None] - others
    return np.sqrt((steps * steps).sum(axis=-1))


def cast_sum_in_pieces(x: Array) -> Any:
    return x.sum(axis=1, dtype=np.float64)


def lookup_table(table: Array, image: Array) -> Any:
    return table[image] * 2


def chosen_rows(table: Array, index: Array, weights: Array) -> Any:
    return (table[index] * weights).sum(axis=1)


def chosen_pixels(image: Array, rows: Array, columns: Array) -> Any:
    return np.exp(image[rows[:, None], np.clip(columns, 0, 4)])


def turned_channels(image: Array, order: Array) -> Any:
    return np.take(image, order, axis=-1)


def loop_in_the_kernel(c: Array, turns: int) -> Any:
    z = np.zeros_like(c)
    count = np.zeros(c.shape, np.int32)
    for _ in range(turns):
        inside = z.real * z.real + z.imag * z.imag <= 4.0
        z = np.where(inside, z * z + c, z)
        count += inside
    return count


def loop_with_index_and_time(x: Array, turns: int, dt: float) -> Any:
    t = 0.0
    for i in range(1, turns):
        x = x + dt * np.maximum(x / i, t)
        t = t + dt
    return x, t


def _array(dtype: str, *shape: int) -> Array:
    return np.ones(shape, dtype)


# Whose arguments are indices: other numbers than these are out of range.
BY_INDICES = frozenset({"lookup_table", "chosen_rows", "chosen_pixels", "turned_channels"})


PROGRAMS: dict[str, Program] = {
    program.function.__name__: program
    for program in (
        Program(multiply_add, (_array("f8", 5), _array("f8", 5), _array("f8", 5))),
        Program(broadcast_rows, (_array("f4", 3, 5), _array("f4", 5))),
        Program(transposed_operand, (_array("f8", 3, 5), _array("f8", 5, 3))),
        Program(turned_operand, (_array("f4", 8, 9), _array("f4", 9, 8))),
        Program(choose, (_array("f8", 5), _array("f8", 10)[::2])),
        Program(half_precision, (_array("f2", 5), _array("f2", 5))),
        Program(complex_numbers, (_array("c16", 5), _array("c16", 5))),
        Program(integer_division, (_array("i4", 5), _array("i4", 5))),
        Program(several_outputs, (_array("f8", 3, 5), _array("f8", 5))),
        Program(scalar_arguments, (_array("f4", 5), 2.5, np.float32(0.5))),
        Program(hoisted_row_value, (_array("f8", 3, 1), _array("f8", 1, 5))),
        Program(in_place_on_a_local, (_array("f8", 5),)),
        Program(in_place_on_an_argument, (_array("i8", 5), _array("f8", 5))),
        Program(accumulated_product, (_array("f8", 5), _array("f8", 5), _array("f8", 5))),
        Program(view_result, (_array("i8", 3, 5),)),
        Program(casts, (_array("f8", 5),)),
        Program(unused_report, (_array("f8", 5),)),
        Program(softmax_rows, (_array("f8", 3, 50),)),
        Program(column_statistics, (_array("f8", 30, 50),)),
        Program(full_sum_of_squares, (_array("f4", 30, 50),)),
        Program(argmax_rows, (_array("f8", 3, 50),)),
        Program(argmax_columns, (_array("f8", 50, 3),)),
        Program(running_sum, (_array("f8", 50),)),
        Program(joined_pieces, (_array("f8", 5), _array("f8", 7))),
        Program(short_row_distances, (_array("f8", 5, 3), _array("f8", 7, 3))),
        Program(loop_in_the_kernel, (_array("c16", 3, 5), 30)),
        Program(loop_with_index_and_time, (_array("f4", 5), 30, 0.125)),
        Program(cast_sum_in_pieces, (_array("f4", 3, 9000),)),
        Program(lookup_table, (_array("f4", 256), _array("u1", 3, 5))),
        Program(chosen_rows, (_array("f8", 7, 50), _array("i4", 5), _array("f8", 50))),
        Program(turned_channels, (_array("u1", 4, 5, 3)[:, :4], np.zeros(3, "i8"))),
        Program(chosen_pixels, (_array("f8", 3, 5), _array("i8", 4), _array("i8", 6))),
    )
}

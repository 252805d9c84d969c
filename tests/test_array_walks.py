"""Are steps, and operands in another memory order, named exactly where loops know what to make of them?"""

from __future__ import annotations

import numpy as np

from pyfuse.array_layout import NestGeometry, merge_dims
from pyfuse.array_walks import with_known_walks, without_known_walks


def walks(*arrays: np.ndarray) -> NestGeometry:
    """Of arrays of one shape, the first of which is written."""
    laid = merge_dims(
        arrays[0].shape,
        [array.strides for array in arrays],
        [array.itemsize for array in arrays],
        [array.flags.aligned for array in arrays],
    )
    return with_known_walks(laid, 1, [array.dtype for array in arrays])


def named(*arrays: np.ndarray) -> str:
    return str(walks(*arrays).layout)


def test_steps_of_what_is_read_are_named() -> None:
    out = np.zeros(10, "f4")
    assert named(out, np.zeros(20, "f4")[::2], np.zeros(10, "f4")[::-1]) == "0:u,s2,sr"
    assert named(out, np.zeros(30, "f4")[::3], np.zeros(50, "f4")[::5]) == "0:u,s3,s"
    assert named(np.zeros(20, "f4")[::2], out) == "0:s,u"


def test_steps_are_named_for_small_elements_only() -> None:
    out = np.zeros(10)
    assert named(out, np.zeros(30, "f8")[::3], np.zeros(40, "u1")[::4]) == "0:u,s,s4"
    assert named(out, np.zeros(20, "c8")[::2], np.zeros(20, "c16")[::2].imag) == "0:u,s,s"
    assert named(out, np.zeros(10, "c8").imag, np.zeros(10, "c16").imag) == "0:u,s2,s2"


def test_what_lies_the_other_way_is_turned() -> None:
    out = np.zeros((20, 30), "f4")
    assert named(out, np.zeros((30, 20), "f4").T, out) == "1:u,st,u"
    assert named(out, np.zeros((30, 20), "c8").T, out) == "1:u,s,u"  # of 8 bytes, and in the cache
    assert named(out, np.zeros((30, 128), "f8")[:, :20].T) == "1:u,st"  # whose lines meet in few of its sets
    assert named(np.zeros((400, 400)), np.zeros((400, 400)).T) == "1:u,st"  # not in it
    assert named(np.zeros((7, 30), "f4"), np.zeros((30, 7), "f4").T) == "1:u,s"
    assert named(np.zeros((20, 2), "f4"), np.zeros((2, 20), "f4").T) == "1:u,s"


def test_a_step_goes_before_turning() -> None:
    assert named(np.zeros((8, 30), "f4"), np.zeros((60, 8), "f4")[::2].T) == "1:u,st"
    assert named(np.zeros((2, 30), "f4"), np.zeros((30, 2), "f4").T) == "1:u,s2"


def test_the_dimension_of_most_bytes_is_turned_and_comes_last() -> None:
    out = np.zeros((9, 10, 11), "f4")
    found = walks(out, np.zeros((11, 10, 9), "f4").transpose(2, 1, 0))
    assert found.extents == (10, 9, 11)
    assert found.strides == ((44, 440, 4), (36, 4, 360))
    assert str(found.layout) == "2:u,st"
    other = np.zeros((9, 11, 10), "f4").transpose(0, 2, 1)
    found = walks(out, np.zeros((11, 10, 9), "f4").transpose(2, 1, 0), other, other)
    assert (found.extents, str(found.layout)) == ((9, 10, 11), "2:u,s,st,st")


def test_other_backends_know_nothing_of_it() -> None:
    layout = walks(np.zeros((20, 30), "f4"), np.zeros((30, 20), "f4").T, np.zeros((20, 60), "f4")[:, ::2]).layout
    assert str(layout) == "1:u,st,s2"
    assert str(without_known_walks(layout)) == "1:u,s,s"

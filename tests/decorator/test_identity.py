"""Does a fused function pass for the original: name, signature, copies, pickles?"""

from __future__ import annotations

import copy
import inspect
import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyfuse
from tests.fresh_process import run_program

pytestmark = pytest.mark.usefixtures("c_compiler")

A = np.linspace(0.0, 1.0, 9)


@pyfuse.fuse
def documented(a: np.ndarray, factor: float = 2.0) -> np.ndarray:
    """Scale."""
    return a * factor


class Owner:
    """Holds a method."""

    @pyfuse.fuse
    def method(self, a: np.ndarray) -> np.ndarray:
        """Shift."""
        return a + 1.0


def run_in_child(function: Any) -> tuple[bytes, int]:
    """What a worker process returns of a fused function that was sent to it."""
    return function(A).tobytes(), function.cache_info().fused_calls


def test_name_module_and_docstring_are_the_originals() -> None:
    assert (documented.__name__, documented.__qualname__) == ("documented", "documented")
    assert (documented.__module__, documented.__doc__) == (__name__, "Scale.")
    assert Owner.method.__qualname__ == "Owner.method"


def test_the_original_is_at_hand_and_unchanged() -> None:
    assert inspect.isfunction(documented.__wrapped__)
    assert inspect.unwrap(documented) is documented.__wrapped__
    assert (documented.__wrapped__(A) == A * 2.0).all()


def test_the_signature_is_the_originals() -> None:
    assert inspect.signature(documented) == inspect.signature(documented.__wrapped__)
    assert list(inspect.signature(Owner().method).parameters) == ["a"]


def test_repr_says_what_is_fused() -> None:
    assert repr(documented).startswith("<fused <function documented at")


def test_a_callable_without_a_name_gets_its_types() -> None:
    class Callable_:
        def __call__(self) -> int:
            return 3

    fused = pyfuse.fuse(Callable_())
    assert (fused.__name__, fused()) == ("Callable_", 3)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_function_itself(copied: Any) -> None:
    assert copied(documented) is documented
    assert copied({"function": documented})["function"] is documented


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_function_of_a_module_pickles_by_name(protocol: int) -> None:
    assert pickle.loads(pickle.dumps(documented, protocol)) is documented
    assert pickle.loads(pickle.dumps(Owner.method, protocol)) is Owner.method


def test_a_bound_method_pickles() -> None:
    method = pickle.loads(pickle.dumps(Owner().method))
    assert (method(A) == A + 1.0).all()


def test_a_local_function_does_not_pickle_as_in_python() -> None:
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(pyfuse.fuse(lambda a: a))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_process_fuses_what_it_is_sent(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    documented(A)
    documented.cache_clear()
    with multiprocessing.get_context(method).Pool(1) as pool:
        content, fused_calls = pool.apply_async(run_in_child, (documented,)).get(timeout=100)
    assert content == (A * 2.0).tobytes()
    assert fused_calls == 1


def test_cloudpickle_takes_a_closure_by_value() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    factor = 3.0

    @pyfuse.fuse(strict=True)
    def closure(a: np.ndarray) -> np.ndarray:
        return a * factor

    loaded = pickle.loads(cloudpickle.dumps(closure))
    assert loaded is not closure
    assert (loaded(A) == A * 3.0).all()
    assert loaded.cache_info().fused_calls == 1


def test_cloudpickle_takes_a_function_of_a_module_by_name() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    assert pickle.loads(cloudpickle.dumps(documented)) is documented


def test_cloudpickle_takes_a_registered_module_by_value() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    import sys

    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    try:
        loaded = pickle.loads(cloudpickle.dumps(documented))
    finally:
        cloudpickle.unregister_pickle_by_value(module)
    assert loaded is not documented
    assert (loaded(A) == A * 2.0).all()


SENDER = """\
import sys, numpy as np, cloudpickle, pyfuse

shift = 4.0

@pyfuse.fuse
def helper(a):
    return a + shift

@pyfuse.fuse
def of_the_script(a):
    return helper(a) * 2.0

of_the_script(np.ones(3))
sys.stdout.buffer.write(cloudpickle.dumps(of_the_script))
"""
RECEIVER = """\
import pickle, sys, numpy as np
function = pickle.loads(bytes.fromhex(sys.argv[1]))
assert (function(np.arange(5.0)) == (np.arange(5.0) + 4.0) * 2.0).all()
print(function.cache_info().fused_calls, function.fallback_reasons())
"""


def test_cloudpickle_takes_a_function_of_a_script_by_value(tmp_path: Path) -> None:
    pytest.importorskip("cloudpickle")
    sender = SENDER.replace("sys.stdout.buffer.write(", "print(").replace("(of_the_script))", "(of_the_script).hex())")
    content = run_program(tmp_path / "sender.py", sender).stdout.strip()
    printed = run_program(tmp_path / "receiver.py", RECEIVER, content).stdout.strip()
    assert printed == "1 {}"

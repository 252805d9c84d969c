"""Every reason for running as Python: how it is reached, what it points at, and that the original's answer is had."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse import executor
from pyfuse.backend.cpu import dispatch
from pyfuse.diagnostics import Code, Diagnostic
from pyfuse.fallback import NUMPYS_OWN, PyfuseFallbackWarning
from pyfuse.kernel_cache import MAX_VARIANTS
from tests.fresh_process import FUSED_PROGRAM, run_program, script

pytestmark = pytest.mark.usefixtures("c_compiler")

A = np.linspace(-1.0, 1.0, 6)
BYTES = np.arange(6, dtype=np.uint8)


class Tagged(np.ndarray):
    """A subclass, whose rules are its own."""


def uses_with(a: Any) -> Any:
    with np.errstate(all="ignore"):
        return a / 2.0


def uses_a_missing_name(a: Any) -> Any:
    return a + missing_name  # type: ignore[name-defined]  # noqa: F821


def sorts(a: Any) -> Any:
    b = a + 1.0
    return np.sort(b) * a


def takes_the_address(a: Any) -> Any:
    return a + a.ctypes.data * 0


def adds(a: Any, b: Any) -> Any:
    return a + b


def sums(a: Any) -> Any:
    return (a * 2.0).sum()


def averages(a: Any) -> Any:
    return np.mean(a * 2.0)


def branches(a: Any) -> Any:
    if a > 0:
        return a
    return -a


def writes(a: Any) -> Any:
    a[0] = 1.0
    return a * 2.0


def leaves_elements_open(a: Any) -> Any:
    return np.add(a, 1.0, where=a < 9.0)


def shifts_floats(a: Any) -> Any:
    return np.left_shift(a, 1)


def divides(a: Any, k: Any) -> Any:
    return a * (1 / k)


def inverts(a: Any) -> Any:
    return 1.0 / a


def hands_back(a: Any) -> Any:
    return a


def repeats(a: Any, count: Any) -> Any:
    for step in range(count):  # unrolled: the body depends on whether a step is even
        a = a + (1.0 if step % 2 else 2.0)
    return a


def loops_far(a: Any, count: Any) -> Any:
    for _ in range(count):
        a = a + 1.0
        break
    return a


def selects(a: Any) -> Any:
    return a[a > 0.0] + 1.0


# By reason: the function, its arguments, and what the caret underlines (None: no place is to blame).
CASES: dict[Code, tuple[Callable[..., Any], tuple[Any, ...], str | None]] = {
    Code.UNSUPPORTED_SYNTAX: (uses_with, (A,), 'with np.errstate(all="ignore"):'),
    Code.UNKNOWN_NAME: (uses_a_missing_name, (A,), "missing_name"),
    Code.UNKNOWN_CALL: (sorts, (A,), "np.sort(b)"),
    Code.UNKNOWN_ATTRIBUTE: (takes_the_address, (A,), "a.ctypes"),
    Code.UNSUPPORTED_VALUE: (adds, (A, {}), "a + b"),
    Code.UNSUPPORTED_DTYPE: (adds, (A.astype(object), 1.0), "def adds(a: Any, b: Any) -> Any:"),
    Code.UNSUPPORTED_ARRAY: (adds, (A.view(Tagged), 1.0), "def adds(a: Any, b: Any) -> Any:"),
    Code.UNSUPPORTED_OPERATION: (selects, (A,), "a[a > 0.0]"),
    Code.ARRAY_CONDITION: (branches, (A,), "a > 0"),
    Code.ARGUMENT_STORE: (writes, (A,), "a * 2.0"),
    Code.UNINITIALISED: (leaves_elements_open, (A,), "np.add(a, 1.0, where=a < 9.0)"),
    Code.NUMPY_RAISES: (shifts_floats, (A,), "np.left_shift(a, 1)"),
    Code.SHAPE_MISMATCH: (adds, (A, A[:4]), None),
    Code.EMPTY_REDUCTION: (averages, (A[:0],), None),
    Code.SCALAR_RANGE: (adds, (BYTES, 300), "a + b"),
    Code.HOST_ERROR: (divides, (A, 0), "1 / k"),
    Code.FLOATING_POINT_REPORT: (inverts, (A * 0.0,), None),
    Code.NO_ARRAY_WORK: (hands_back, (A,), "def hands_back(a: Any) -> Any:"),
    Code.TOO_LARGE: (loops_far, (A, 10**6), "range(count)"),
}
# Reached in tests of their own, below; the device's in tests/device, that of fuse(math="numpy") in tests/tiles.
OTHERS = {
    Code.NO_SOURCE, Code.TOO_MANY_VARIANTS, Code.NO_COMPILER, Code.COMPILER_FAILED, Code.LOAD_FAILED, Code.DISABLED,
    Code.INTERNAL_ERROR, Code.SLOWER, Code.DEVICE, Code.BUILDING, Code.NUMPYS_MATH,
}  # fmt: skip


def outcome(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a call returns, raises and warns of, and what it does to its arguments."""
    own = tuple(arg.copy("K") if isinstance(arg, np.ndarray) else arg for arg in args)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result: Any = function(*own)
        except Exception as error:
            result = (type(error), str(error))
    shown = (type(result), getattr(result, "dtype", None), np.asarray(result).tolist())
    messages = [(warning.category, str(warning.message)) for warning in caught]
    return shown, messages, [np.asarray(arg).tolist() for arg in own]


def last(fused: Any) -> Diagnostic:
    reason = fused._executor.fallback.last
    assert isinstance(reason, Diagnostic)
    return reason


def test_every_reason_is_tested() -> None:
    assert set(CASES) | OTHERS == set(Code)


@pytest.mark.parametrize("code", CASES, ids=str)
def test_the_originals_outcome_and_the_reason(code: Code) -> None:
    function, args, underlined = CASES[code]
    fused = pyfuse.fuse(function)
    found = outcome(fused, args)
    if code is Code.UNINITIALISED:
        assert found[0][:2] == outcome(function, args)[0][:2]
    else:
        assert repr(found) == repr(outcome(function, args))
    assert fused.fallback_reasons() == {code.value: 1}
    info = fused.cache_info()
    assert (info.fused_calls, info.partly_fused_calls + info.fallback_calls) == (0, 1)
    reason = last(fused)
    if underlined is None:
        assert reason.span is None
        return
    assert reason.span is not None
    assert reason.span.filename == __file__
    assert reason.span.text[reason.span.column :][: reason.span.width] == underlined
    assert reason.span.text == Path(__file__).read_text(encoding="utf-8").splitlines()[reason.span.line - 1]
    assert underlined in reason.draw()
    assert f"[{code.value}]" in reason.draw()


@pytest.mark.parametrize("code", CASES, ids=str)
def test_strict_raises_but_leaves_users_mistakes_to_numpy(code: Code) -> None:
    function, args, _ = CASES[code]
    fused = pyfuse.fuse(function, strict=True)
    if code in NUMPYS_OWN:
        assert repr(outcome(fused, args)) == repr(outcome(function, args))
        return
    before = A.copy()
    with pytest.raises(pyfuse.FuseError) as caught:
        fused(*args)
    assert caught.value.diagnostic.code is code
    assert str(caught.value) == caught.value.diagnostic.draw()
    assert (before == A).all(), "the call half-happened"


def test_a_kernel_of_other_arguments_still_fuses() -> None:
    fused = pyfuse.fuse(adds)
    assert repr(outcome(fused, (A, A[:4]))) == repr(outcome(adds, (A, A[:4])))
    assert (fused(A, 1.0) == A + 1.0).all()
    assert (fused.cache_info().fused_calls, fused.cache_info().fallback_calls) == (1, 1)


def test_a_number_out_of_range_at_a_later_call_is_numpys_error() -> None:
    fused = pyfuse.fuse(adds)
    assert (fused(BYTES, 3) == BYTES + 3).all()
    for number in (300, -1):
        with pytest.raises(OverflowError, match="out of bounds for uint8"):
            fused(BYTES, number)
    assert (fused(BYTES, 4) == BYTES + 4).all()
    assert fused.fallback_reasons() == {"scalar-range": 2}
    assert (fused.cache_info().fused_calls, fused.cache_info().misses) == (2, 1)


def test_a_floating_point_report_is_left_out_where_errstate_ignores_it() -> None:
    fused = pyfuse.fuse(inverts)
    with np.errstate(divide="ignore"):
        assert (fused(A * 0.0) == np.array([-np.inf, -np.inf, -np.inf, np.inf, np.inf, np.inf])).all()
    assert fused.cache_info().fused_calls == 1
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match="divide by zero"):
        fused(A * 0.0)
    assert fused.fallback_reasons() == {"floating-point-report": 1}


def test_no_source() -> None:
    namespace: dict[str, Any] = {}
    exec("def doubled(a): return a * 2.0", namespace)
    fused = pyfuse.fuse(namespace["doubled"])
    assert (fused(A) == A * 2.0).all()
    assert fused.fallback_reasons() == {"no-source": 1}
    with pytest.raises(pyfuse.FuseError, match="no-source"):
        pyfuse.fuse(namespace["doubled"], strict=True)(A)


def test_a_function_below_another_decorator_is_not_read() -> None:
    import functools

    def twice(function: Callable[..., Any]) -> Callable[..., Any]:
        return functools.wraps(function)(lambda *args: function(*args) * 2.0)

    fused = pyfuse.fuse(twice(hands_back))
    assert (fused(A) == A * 2.0).all()
    assert fused.fallback_reasons() == {"no-source": 1}
    assert "is wrapped by another decorator" in fused.explain(A)


def test_too_many_variants() -> None:
    fused = pyfuse.fuse(repeats)
    for count in range(1, MAX_VARIANTS + 2):
        assert (fused(A, count) == repeats(A, count)).all()
    assert fused.fallback_reasons() == {"too-many-variants": 1}
    assert "count" in " ".join(last(fused).notes)


def test_an_expression_too_deep_to_read_runs_as_python(tmp_path: Path) -> None:
    text = "import numpy as np, pyfuse\n@pyfuse.fuse\ndef deep(a):\n    return " + " + ".join(["a"] * 900) + "\n"
    text += "result = deep(np.ones(3))\nassert (result == 900).all()\nprint(deep.fallback_reasons())\n"
    assert run_program(tmp_path / "deep.py", text).stdout.strip() == "{'too-large': 1}"


def test_no_compiler(tmp_path: Path) -> None:
    text = FUSED_PROGRAM + (
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'ziglang' else find(name, *rest)\n"
        "a = np.arange(4.0)\n"
        "assert (scaled_sum(a, a) == a * 2.5 + a).all()\n"
        "assert (scaled_sum(a, 1.0) == a * 2.5 + 1.0).all()\n"
        "print(scaled_sum.cache_info().tiled_calls, scaled_sum.explain(), sep='\\n')\n"
    )
    printed = run_program(
        tmp_path / "program.py", text, PATH=str(tmp_path), CC=None, PYFUSE_CC="no-such-compiler",
        PYFUSE_CACHE_DIR=str(tmp_path / "kernels"),
    ).stdout  # fmt: skip
    tiled = "2\nscaled_sum: 0 fused calls, 2 over tiles by NumPy's own loops, 0 as ordinary Python"
    plain = "0\nscaled_sum: 0 fused calls, 2 as ordinary Python"
    assert printed.startswith(tiled if dispatch.has_tiles() else plain)
    assert "note: PYFUSE_CC='no-such-compiler' is not an executable" in printed
    assert "hint: install a C compiler" in printed
    assert "pip install 'pyfuse[compiler]'" in printed


def test_compiler_failed_after_its_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns_bad = 'case "$*" in *pyfuse-build-*) echo "out of luck" >&2; exit 1;; esac; exec cc "$@"'
    monkeypatch.setenv("PYFUSE_CC", str(script(tmp_path / "bad-cc", turns_bad)))
    monkeypatch.setenv("PYFUSE_CACHE_DIR", str(tmp_path / "kernels"))
    summed = pyfuse.fuse(sums)
    for _ in range(3):
        assert summed(A) == (A * 2.0).sum()
    assert summed.fallback_reasons() == {"compiler-failed": 3}
    assert "out of luck" in last(summed).notes
    assert "doctor" in last(summed).hints[0]


def test_load_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes_garbage = (
        'case "$*" in *pthread*) ;; *pyfuse-build-*) for word; do '
        'if [ "$before" = -o ]; then echo garbage > "$word"; fi; before="$word"; done; exit 0;; esac; exec cc "$@"'
    )
    monkeypatch.setenv("PYFUSE_CC", str(script(tmp_path / "bad-cc", writes_garbage)))
    monkeypatch.setenv("PYFUSE_CACHE_DIR", str(tmp_path / "kernels"))
    fused = pyfuse.fuse(sums)
    assert fused(A) == (A * 2.0).sum()
    assert fused.fallback_reasons() == {"load-failed": 1}
    assert len(list((tmp_path / "kernels").glob("*.so"))) == 1, "only the runtime is kept, which loads"


def test_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    fused = pyfuse.fuse(adds, strict=True)
    monkeypatch.setenv("PYFUSE_DISABLE", "1")
    assert (fused(A, 2.0) == A + 2.0).all()
    monkeypatch.setenv("PYFUSE_DISABLE", "0")
    assert (fused(A, 2.0) == A + 2.0).all()
    assert fused.fallback_reasons() == {"disabled": 1}
    assert fused.cache_info().fused_calls == 1


def test_a_mistake_of_pyfuses_own_runs_the_original_and_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("pass order")

    monkeypatch.setattr(executor, "specialize_for_cpu", broken)
    fused = pyfuse.fuse(adds)
    with pytest.warns(PyfuseFallbackWarning, match="pyfuse made a mistake") as caught:
        assert (fused(A, 2.0) == A + 2.0).all()
    assert caught[0].filename == __file__
    assert (fused(A, 2.0) == A + 2.0).all()
    assert fused.fallback_reasons() == {"internal-error": 2}
    assert "KeyError: 'pass order'" in last(fused).notes
    assert "test_reasons.py" in last(fused).notes[1]

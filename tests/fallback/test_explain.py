"""What users can ask: explanations, texts, debug output, dumps, verification."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse import runner
from pyfuse.config import DEBUG_TOPICS

pytestmark = pytest.mark.usefixtures("c_compiler")

A = np.linspace(-1.0, 1.0, 6)


def adds(a: Any, b: Any = 2.0) -> Any:
    total = a + b  # a comment
    return total * total


def sorts(a: Any) -> Any:
    return np.sort(a)


STAGES = ("Graph as traced", "Graph after all passes", "Loop plan", "Kernel")


def test_explaining_a_call_runs_and_builds_nothing() -> None:
    fused = pyfuse.fuse(adds)
    text = fused.explain(A, 1.5)
    assert text.startswith("adds is fused for (a: f8[n], b: float): one kernel, 1 loop nest.")
    assert [stage for stage in STAGES if f"\n{stage}\n" in text] == list(STAGES)
    assert (fused.cache_info().kernels, fused.cache_info().fused_calls, fused.cache_info().misses) == (0, 0, 1)


def test_an_explanation_is_the_same_before_and_after_calls() -> None:
    fused = pyfuse.fuse(adds)
    before = fused.explain(A, 1.5)
    assert (fused(A, 1.5) == adds(A, 1.5)).all()
    assert fused.explain(A, 1.5) == before
    assert pyfuse.fuse(adds).explain(A, 1.5) == before
    assert fused.cache_info().misses == 1


def test_explaining_a_refused_call_says_why() -> None:
    text = pyfuse.fuse(sorts).explain(A)
    assert text.startswith("sorts runs as ordinary Python for these arguments.\n\npyfuse: ")
    assert "return np.sort(a)" in text
    assert "[unknown-call]" in text


def test_explaining_arguments_that_do_not_match() -> None:
    assert pyfuse.fuse(adds).explain(A, 1.0, 2.0) == "adds cannot be called with these arguments.\n"


def test_without_arguments_the_calls_so_far_are_summed_up() -> None:
    fused = pyfuse.fuse(sorts)
    assert fused.explain().startswith("sorts: 0 fused calls, 0 as ordinary Python, 0 kernels.")
    fused(A)
    text = fused.explain()
    assert text.startswith("sorts: 0 fused calls, 1 as ordinary Python, 0 kernels.\n  unknown-call: 1\n")
    assert "The last reason:\npyfuse: " in text
    added = pyfuse.fuse(adds)
    added(A)
    assert added.explain().startswith("adds: 1 fused calls, 0 as ordinary Python, 1 kernels.")


def test_the_kernels_text() -> None:
    fused = pyfuse.fuse(adds)
    text = fused.source(A, 1.5)
    assert "pyfuse_nests" in text
    assert f"\nKernel\n{text}" in fused.explain(A, 1.5)
    with pytest.raises(pyfuse.FuseError, match="unknown-call"):
        pyfuse.fuse(sorts).source(A)
    with pytest.raises(TypeError, match="do not match the parameters of adds"):
        fused.source()


def test_compiling_ahead_of_the_first_call() -> None:
    fused = pyfuse.fuse(adds)
    fused.compile(A, 1.5)
    assert (fused.cache_info().kernels, fused.cache_info().fused_calls) == (1, 0)
    assert (fused(A, 1.5) == adds(A, 1.5)).all()
    assert (fused.cache_info().kernels, fused.cache_info().fused_calls) == (1, 1)
    with pytest.raises(pyfuse.FuseError, match="unknown-call"):
        pyfuse.fuse(sorts).compile(A)
    with pytest.raises(TypeError, match="do not match the parameters of adds"):
        fused.compile()
    with pytest.raises(pyfuse.FuseError, match="no-source"):
        pyfuse.fuse(np.sin).compile(A)


@pytest.mark.parametrize("topic", sorted(set(DEBUG_TOPICS) - {"fallback"}))
def test_a_debug_topic_is_printed_while_compiling(topic: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pyfuse.config.set(debug={topic}):
        fused = pyfuse.fuse(adds)
        for _ in range(2):
            assert (fused(A, 1.5) == adds(A, 1.5)).all()
    printed = capfd.readouterr().err
    titles = re.findall(r"^--- pyfuse (\w+): adds$", printed, re.MULTILINE)
    assert set(titles) == {topic}
    assert len(printed.splitlines()) > len(titles) or topic == "types"
    assert fused.cache_info().fused_calls == 2


def test_the_driver_is_the_users_function_as_it_was_read(capfd: pytest.CaptureFixture[str]) -> None:
    with pyfuse.config.set(debug="driver"):
        pyfuse.fuse(adds)(A)
    assert capfd.readouterr().err == (
        "--- pyfuse driver: adds\ndef adds(a: Any, b: Any=2.0) ->Any:\n    total = a + b\n    return total * total\n"
    )


def test_the_driver_of_what_astor_cannot_print(capfd: pytest.CaptureFixture[str]) -> None:
    def newer(a: Any, /, mode: Any) -> Any:
        match mode:
            case "plain":
                return a + 1.0
        return a

    with pyfuse.config.set(debug="driver"):
        assert (pyfuse.fuse(newer)(A, "plain") == A + 1.0).all()
    printed = capfd.readouterr().err
    assert "def newer(a: Any, /, mode: Any) -> Any:\n    match mode:\n        case 'plain':" in printed


def test_the_driver_leaves_nothing_out_that_astor_might(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def positional(a: Any, /, b: Any) -> Any:
        return a + b

    astor = pytest.importorskip("astor")
    monkeypatch.setattr(astor, "to_source", lambda _: "def positional(a: Any, b: Any) -> Any:\n    return a + b\n")
    with pyfuse.config.set(debug="driver"):
        assert (pyfuse.fuse(positional)(A, 1.0) == A + 1.0).all()
    assert "def positional(a: Any, /, b: Any) -> Any:" in capfd.readouterr().err


def test_the_assembly_is_that_of_the_kernel(capfd: pytest.CaptureFixture[str]) -> None:
    with pyfuse.config.set(debug="asm"):
        pyfuse.fuse(adds)(A)
    assert "pyfuse_nests" in capfd.readouterr().err


def test_fallbacks_are_printed_once(capfd: pytest.CaptureFixture[str]) -> None:
    with pyfuse.config.set(debug={"fallback"}):
        fused = pyfuse.fuse(sorts)
        for _ in range(3):
            assert (fused(A) == sorts(A)).all()
    printed = capfd.readouterr().err
    assert printed.count("[unknown-call]") == 1
    assert printed.startswith("pyfuse: ")


def test_every_stage_is_dumped_to_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a new folder"
    with pyfuse.config.set(dump_dir=folder):
        fused = pyfuse.fuse(adds)
        assert (fused(A, 1.5) == adds(A, 1.5)).all()
    assert capfd.readouterr() == ("", "")
    names = {path.name for path in folder.iterdir()}
    for name in ("adds.0.driver.py", "adds.0.graph.txt", "adds.0.plan.txt"):
        assert name in names
    assert {path.suffix for path in folder.iterdir()} == {".py", ".txt", ".c", ".s"}
    (source,) = folder.glob("*.source.c")
    assert source.read_text(encoding="utf-8") == fused.source(A, 1.5)


def test_a_dump_folder_that_cannot_be_made_does_not_matter(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pyfuse.config.set(dump_dir=tmp_path / "file" / "folder"):
        fused = pyfuse.fuse(adds)
        assert (fused(A, 1.5) == adds(A, 1.5)).all()
    assert fused.cache_info().fused_calls == 1
    assert "pyfuse: cannot write" in capfd.readouterr().err


def verified(function: Any, *args: Any) -> Any:
    with pyfuse.config.set(verify=True):
        return pyfuse.fuse(function)(*args)


def test_verification_passes_what_is_right() -> None:
    assert (verified(adds, A, 1.5) == adds(A, 1.5)).all()
    pair = verified(lambda a: {"sum": a + 1.0, "more": (a.T, a.shape, None)}, A.reshape(2, 3))
    assert pair["more"][1:] == ((2, 3), None)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda result: result + 1e-6, "by more than rounding"),
        (lambda result: result.astype("f4"), r"float32\(6,\), the original's float64\(6,\)"),
        (lambda result: result[:5], r"float64\(5,\), the original's float64\(6,\)"),
        (lambda result: np.repeat(result, 2)[::2], "in another order"),
        (lambda result: [result], "is a list, the original's a ndarray"),
        (lambda result: None, "is a NoneType"),  # noqa: ARG005  called with a result
    ],
)
def test_verification_raises_on_a_planted_difference(spoil: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def make_runner(*arguments: Any) -> Any:
        real = runner.make_runner(*arguments)

        def run(call: Any) -> Any:
            result, status = real.run(call)
            return spoil(result), status

        return runner.Runner(holds=real.holds, run=run, replay_bits=real.replay_bits, launch=real.launch)

    monkeypatch.setattr("pyfuse.executor.make_runner", make_runner)
    with pytest.raises(pyfuse.VerificationError, match=message):
        verified(adds, A, 1.5)


def test_verify_is_read_from_the_environment_at_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def original(a: Any) -> Any:
        return a + 1.0

    fused = pyfuse.fuse(original)
    monkeypatch.setattr("pyfuse.executor.verify", lambda *pair: calls.append(pair))
    fused(A)
    monkeypatch.setenv("PYFUSE_VERIFY", "1")
    fused(A)
    monkeypatch.setenv("PYFUSE_VERIFY", "0")
    fused(A)
    assert len(calls) == 1
    assert fused.cache_info().fused_calls == 3

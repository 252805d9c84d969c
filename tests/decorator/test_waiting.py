"""While a kernel is built, the original answers; who wants to wait can."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse import background
from pyfuse.background import Builders
from pyfuse.diagnostics import Code, refuse
from tests.fresh_process import NotedCompiler, run_program, script
from tests.parity.outcome import assert_same

pytestmark = pytest.mark.usefixtures("c_compiler")

A, B = np.linspace(-2.0, 3.0, 100), np.linspace(1.0, 2.0, 100)


def scaled_sum(a, b):
    return a * 2.5 + b


def counts(fused: Any) -> tuple[int, int, int]:
    info = fused.cache_info()
    return info.kernels, info.fused_calls, info.fallback_calls


def test_the_original_answers_until_the_kernel_is_there(gate):
    fused = pyfuse.fuse(scaled_sum)
    for _ in range(5):
        assert_same(fused(A, B), scaled_sum(A, B))
    assert counts(fused) == (0, 0, 5)
    assert fused.fallback_reasons() == {"building": 5}
    assert "being built" in fused.explain()
    gate.open(fused)
    for _ in range(3):
        assert_same(fused(A, B), scaled_sum(A, B))
    assert counts(fused) == (1, 3, 5)
    assert gate.begun == 1


def test_one_build_serves_all_forms_of_a_kernel_and_all_threads(gate):
    fused = pyfuse.fuse(scaled_sum)
    threads = [threading.Thread(target=fused, args=(A[:size], B[:size])) for size in (10, 20, 30, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.open(fused)
    for size in (10, 20, 30, 40):
        fused(A[:size], B[:size])
    assert counts(fused) == (1, 4, 4)
    assert gate.begun == 1


def test_each_layout_waits_for_its_own(gate):
    fused = pyfuse.fuse(scaled_sum)
    fused(A, B)
    fused(A[::2], B[::2])
    gate.open(fused)
    fused(A[::2], B[::2])
    fused(A, B)
    assert counts(fused) == (2, 2, 2)


def test_values_that_decide_the_form_wait_for_their_own(gate):
    @pyfuse.fuse
    def powers(a, count):
        for _ in range(count):
            a = a * 0.5 + 1.0
        return a

    for count in (1, 2, 1, 2):
        assert_same(powers(A, count), powers.__wrapped__(A, count))
    gate.open(powers)
    for count in (1, 2, 1, 2):
        assert_same(powers(A, count), powers.__wrapped__(A, count))
    assert powers.cache_info().fallback_calls == 4
    assert powers.cache_info().fused_calls == 4


@pytest.mark.parametrize("how", ["wait", "strict", "setting", "warn", "debug"])
def test_who_wants_to_wait_does(how, gate, tmp_path):
    options = {"wait": {"wait": True}, "strict": {"strict": True}}.get(how, {})
    settings = {"setting": {"wait": True}, "warn": {"fallback": "warn"}, "debug": {"dump_dir": tmp_path}}.get(how, {})
    fused = pyfuse.fuse(**options)(scaled_sum)
    gate.opened.set()
    with pyfuse.config.set(**settings):
        assert_same(fused(A, B), scaled_sum(A, B))
    assert counts(fused) == (1, 1, 0)


def test_compile_waits_for_what_is_being_built(gate):
    fused = pyfuse.fuse(scaled_sum)
    fused(A, B)
    threading.Timer(0.05, gate.opened.set).start()
    fused.compile(A, B)
    assert gate.begun == 1
    fused(A, B)
    assert counts(fused) == (1, 1, 1)


def test_a_kernel_that_cannot_be_built_is_a_reason_afterwards(gate):
    gate.failure = refuse(Code.COMPILER_FAILED, "it failed")

    @pyfuse.fuse
    def fused(a, b):
        return (a * b).sum()

    fused(A, B)
    gate.open(fused)
    for _ in range(3):
        assert_same(fused(A, B), fused.__wrapped__(A, B))
    assert counts(fused) == (0, 0, 4)
    assert fused.fallback_reasons() == {"building": 1, "compiler-failed": 3}
    assert gate.begun == 1


def test_what_goes_wrong_in_the_background_is_said(gate):
    gate.failure = ZeroDivisionError("a mistake of pyfuse's own")
    fused = pyfuse.fuse(scaled_sum)
    fused(A, B)
    gate.open(fused)
    with pytest.warns(pyfuse.PyfuseFallbackWarning, match="a mistake of pyfuse's own"):
        assert_same(fused(A, B), scaled_sum(A, B))


def test_memory_that_runs_out_in_the_background_ends_no_call_but_the_next(gate):
    gate.failure = MemoryError("of the builder")
    fused = pyfuse.fuse(scaled_sum)
    assert_same(fused(A, B), scaled_sum(A, B))
    gate.open(fused)
    with pytest.raises(MemoryError):
        fused(A, B)
    gate.failure = None
    fused(A, B)
    gate.open(fused)
    assert_same(fused(A, B), scaled_sum(A, B))
    assert fused.cache_info().kernels == 1


def test_regions_wait_and_stay(gate):
    @pyfuse.fuse
    def partly(a, b):
        c = a * 2.0 + b
        d = np.sort(c)
        return d * 3.0 - c

    for _ in range(6):
        assert_same(partly(A, B), partly.__wrapped__(A, B))
    gate.open(partly)
    time.sleep(0.05)
    before = sum(executor.info().fused_calls for executor in partly._executor.drivers.regions())
    for executor in partly._executor.drivers.regions():
        for entry in executor._cache.entries():
            for build in list(entry.builds.values()):
                build.wait(20)
    for _ in range(6):
        assert_same(partly(A, B), partly.__wrapped__(A, B))
    regions = partly._executor.drivers.regions()
    assert before == 0
    assert len(regions) == 2
    assert all(executor.info().fused_calls == 6 for executor in regions)


def test_cache_clear_forgets_what_is_being_built(gate):
    fused = pyfuse.fuse(scaled_sum)
    fused(A, B)
    fused.cache_clear()
    gate.opened.set()
    assert counts(fused) == (0, 0, 0)
    fused.compile(A, B)
    fused(A, B)
    assert counts(fused) == (1, 1, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_builds_for_itself(gate):
    fused = pyfuse.fuse(scaled_sum)
    fused(A, B)  # a build goes on, in a thread that the child does not have
    child = os.fork()
    if child == 0:  # only exit codes come back
        gate.opened.set()
        end = time.monotonic() + 60
        while fused.cache_info().fused_calls == 0 and time.monotonic() < end:
            if not (fused(A, B) == scaled_sum(A, B)).all():
                os._exit(2)
            time.sleep(0.01)
        os._exit(0 if fused.cache_info().kernels == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_kernel_on_disk_answers_the_first_call():
    pyfuse.fuse(scaled_sum, wait=True)(A, B)
    fused = pyfuse.fuse(scaled_sum)
    with pyfuse.config.set(wait=False):
        assert_same(fused(A, B), scaled_sum(A, B))
    assert counts(fused) == (1, 1, 0)


PROGRAM = """
import numpy as np, pyfuse, sys, time

@pyfuse.fuse
def scaled_sum(a, b):
    return a * 2.5 + b

a = np.arange(24.0)
assert (scaled_sum(a, a) == a * 2.5 + a).all()
print(scaled_sum.cache_info().fused_calls)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="compiler scripts for a POSIX shell")
def test_a_program_that_ends_meanwhile_leaves_the_kernel_for_the_next(tmp_path):
    compiler = NotedCompiler(tmp_path)
    first, second = (
        run_program(tmp_path / "program.py", PROGRAM, PYFUSE_WAIT=None, **compiler.variables).stdout.split()
        for _ in range(2)
    )
    assert (first, second) == (["0"], ["1"])
    assert len(compiler.kernel_builds()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="compiler scripts for a POSIX shell")
def test_a_compiler_that_hangs_holds_up_nobody(tmp_path):
    hanging = script(tmp_path / "hanging-cc", 'case "$*" in *pyfuse-build-*) sleep 100;; esac\nexec cc "$@"')
    compiler = NotedCompiler(tmp_path, hanging)
    begin = time.monotonic()
    done = run_program(tmp_path / "program.py", PROGRAM, PYFUSE_WAIT=None, **compiler.variables)
    assert done.stdout.split() == ["0"]
    assert time.monotonic() - begin < 30


def test_builders_take_turns_and_end():
    builders = Builders()
    builds = [builders.start(lambda number=number: number) for number in range(20)]
    for build in builds:
        build.wait(20)
    assert [build.result() for build in builds] == list(range(20))
    for _ in range(600):
        if not builders._running:
            break
        time.sleep(0.01)
    assert not builders._running


def test_builders_begin_nothing_at_the_end(monkeypatch):
    monkeypatch.setattr(background, "MOST_BUILDERS", 1)
    builders, gate, built = Builders(), threading.Event(), []
    builders.start(lambda: gate.wait(20))
    waiting = [builders.start(lambda: built.append(1)) for _ in range(8)]
    timer = threading.Timer(0.05, gate.set)
    timer.start()
    builders.end()
    timer.join()
    assert gate.is_set()
    assert len(built) < len(waiting)

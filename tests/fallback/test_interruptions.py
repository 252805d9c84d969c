"""Is what is nobody's mistake let through a compilation, and is everything usable afterwards?"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse import compiler, executor
from pyfuse.backend.cpu import toolchain
from tests.fresh_process import FUSED_PROGRAM, environment, script

pytestmark = pytest.mark.usefixtures("c_compiler")

A = np.linspace(-1.0, 1.0, 6)


def adds(a: Any, b: Any) -> Any:
    return a + b


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SystemExit])
@pytest.mark.parametrize("stage", ["specialize_for_cpu", "call_geometry", "load_kernel", "evaluate_inputs"])
def test_an_interruption_comes_out_and_leaves_no_lock_held(
    error: type[BaseException], stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise error

    fused = pyfuse.fuse(adds)
    with monkeypatch.context() as patched:
        patched.setattr(executor, stage, interrupted)
        with pytest.raises(error):
            fused(A, 1.0)
    assert fused.fallback_reasons() == {}
    thread = threading.Thread(target=fused, args=(A, 1.0), daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "a lock is still held"
    assert (fused(A, 1.0) == A + 1.0).all()
    assert fused.cache_info().fused_calls == 2


def test_an_interruption_inside_the_build_leaves_no_lock_held(monkeypatch: pytest.MonkeyPatch) -> None:
    fused = pyfuse.fuse(adds)

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(compiler, "_noted", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fused(A, 1.0)
    assert (fused(A, 1.0) == A + 1.0).all()
    assert (fused.cache_info().fused_calls, fused.cache_info().kernels) == (1, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_control_c_while_the_compiler_runs_ends_the_compiler_too(tmp_path: Path) -> None:
    started = tmp_path / "started"
    slow = f'case "$*" in *pthread*) ;; *pyfuse-build-*) echo $$ > "{started}"; sleep 60 & wait;; esac; exec cc "$@"'
    program = tmp_path / "program.py"
    program.write_text(
        FUSED_PROGRAM
        # A shell's background jobs ignore Control-C, and so do the programs that they start.
        + "import os, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        + "try:\n    check()\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
        + "os.environ['PYFUSE_CC'] = 'cc'\ncheck()\nprint('and well')\n",
        encoding="utf-8",
    )
    variables = environment(
        PYFUSE_CC=str(script(tmp_path / "slow-cc", slow)), PYFUSE_CACHE_DIR=str(tmp_path / "kernels")
    )
    process = subprocess.Popen([sys.executable, str(program)], env=variables, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not started.exists() or not started.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    printed = process.communicate(timeout=60)[0]
    assert printed.split("\n")[:2] == ["interrupted", "and well"]
    assert process.returncode == 0
    deadline = time.monotonic() + 10  # where other tests use the processors too, it may not have been told yet
    while _is_alive(int(started.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_control_c_while_the_compiler_is_started_ends_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    start = subprocess.Popen

    def interrupted(*words: Any, **options: Any) -> Any:
        started.append(start(*words, **options))
        signal.raise_signal(signal.SIGINT)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            toolchain.run_program(["sleep", "5"], 60)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert started[0].wait(10) == -signal.SIGKILL


def _is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False

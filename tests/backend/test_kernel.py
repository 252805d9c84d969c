"""Are kernels loaded once, kept alive while they may run, and handed the right addresses?"""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.backend.artifact_store import ArtifactStore
from pyfuse.backend.cpu import runtime_declarations
from pyfuse.diagnostics import Code
from pyfuse.errors import CannotFuse

pytestmark = pytest.mark.usefixtures("c_compiler")

A = np.linspace(0.5, 2.0, 12)


def adds(a: Any, b: Any) -> Any:
    return a * b + a


def test_the_address_of_an_array_is_its_objects_and_the_runtime_finds_the_data() -> None:
    from pyfuse.backend.cpu.kernel import address_function, address_of, data_offset, ffi

    assert data_offset() >= 0, "CPython's layout is known"
    assert address_function() is id
    for array in (A, A[3:], A[::-1], np.zeros((0, 3)), np.zeros(()), np.asfortranarray(A.reshape(3, 4))):
        found = ffi.cast("size_t *", address_of(array) + data_offset())[0]
        assert found == array.__array_interface__["data"][0]


def test_where_the_layout_is_unknown_addresses_of_data_are_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyfuse.backend.cpu import kernel

    monkeypatch.setattr(kernel, "data_offset", lambda: -1)
    fused = pyfuse.fuse(adds)
    for array in (A, A[::2], A[::-1]):
        assert fused(array, 2.5).tobytes() == (array * 2.5 + array).tobytes()
        assert fused(array, array).tobytes() == (array * array + array).tobytes()
    assert fused.cache_info().fused_calls == 6


def test_a_launch_keeps_its_memory_until_nobody_can_call_it() -> None:
    fused = pyfuse.fuse(adds)
    fused(A, A)
    ((runner,),) = fused._executor._runners.values()
    kept = weakref.ref(runner.launch)
    run = runner
    fused.cache_clear()
    gc.collect()
    result, status = run.run((A, A))
    assert status == 0
    assert result.tobytes() == (A * A + A).tobytes()
    del run, runner
    gc.collect()
    assert kept() is None


def test_many_threads_may_run_one_launch() -> None:
    fused = pyfuse.fuse(adds)
    big = np.linspace(0.0, 1.0, 50_000)
    fused(big, big)
    wrong = []

    def work(number: int) -> None:
        mine = big + number
        expected = (mine * mine + mine).tobytes()
        wrong.extend(1 for _ in range(20) if fused(mine, mine).tobytes() != expected)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert fused.cache_info().kernels == 1
    assert fused.cache_info().fused_calls == 121


def test_the_runtime_is_loaded_once() -> None:
    from pyfuse.backend.cpu import backend, kernel

    toolchain, store = backend.prepare_toolchain(pyfuse.config.current())
    assert kernel.load_runtime(toolchain, store) is kernel.load_runtime(toolchain, store)


def test_a_library_that_does_not_load_is_refused_and_removed(tmp_path: Path) -> None:
    from pyfuse.backend.cpu.kernel import open_library

    path = ArtifactStore(tmp_path).put("kernel.so", b"no library")
    assert path is not None
    with pytest.raises(CannotFuse) as refused:
        open_library(path)
    assert refused.value.diagnostic.code is Code.LOAD_FAILED
    assert refused.value.diagnostic.notes
    assert not path.exists()


def test_a_library_with_a_digest_behind_its_end_loads(tmp_path: Path) -> None:
    from pyfuse.backend.cpu import backend, kernel

    toolchain, _ = backend.prepare_toolchain(pyfuse.config.current())
    store = ArtifactStore(tmp_path)
    text = (Path(kernel.__file__).parent / "native" / "runtime.c").read_text(encoding="utf-8")
    path, was_found = kernel.built_library(toolchain, store, text, kernel.RUNTIME_FLAGS)
    assert not was_found
    assert kernel.built_library(toolchain, store, text, kernel.RUNTIME_FLAGS) == (path, True)
    assert kernel.built_library(toolchain, store, text, (*kernel.RUNTIME_FLAGS, "-DOTHER"))[0] != path
    assert kernel.open_library(path).pyfuse_runtime_version() == 4


def test_the_cffi_module_is_the_one_that_the_declarations_give(tmp_path: Path) -> None:
    pytest.importorskip("cffi")
    runtime_declarations.write_module(tmp_path / "module.py")
    written = (tmp_path / "module.py").read_text(encoding="utf-8")
    assert written == runtime_declarations.MODULE_PATH.read_text(encoding="utf-8")

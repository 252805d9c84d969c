"""Is CUDA text built once, for the device that asks, by a compiler that is here, and does a failure say why?"""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from pyfuse.backend.artifact_store import ArtifactStore
from pyfuse.backend.cuda import toolchain
from pyfuse.backend.cuda.nvrtc import NvrtcError, find_nvrtc
from pyfuse.backend.cuda.toolchain import (
    BuildError,
    NvccCompiler,
    NvrtcCompiler,
    Target,
    built_module,
    find_compilers,
    is_in_store,
    nvcc_path,
    target_for,
)
from pyfuse.diagnostics import Code
from pyfuse.errors import CannotFuse
from tests.cuda_texts import cuda_source
from tests.sample_programs import PROGRAMS

needs_nvcc = pytest.mark.skipif(nvcc_path() is None, reason="nvcc is not installed")
needs_nvrtc = pytest.mark.skipif(find_nvrtc() is None, reason="the NVRTC library is not installed")
TEXT = 'extern "C" __global__ void k(float *x) { x[threadIdx.x] *= 2; }\n'


class CountingCompiler:
    """Makes the text itself, and counts."""

    identity = "counting 1"
    architectures = (80, 90)

    def __init__(self) -> None:
        self.targets: list[Target] = []

    def compile(self, text: str, target: Target) -> bytes:
        self.targets.append(target)
        return text.encode()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


@pytest.mark.parametrize(
    ("capability", "target"),
    [
        (90, Target(capability=90, is_portable=False)),
        (86, Target(capability=80, is_portable=False)),
        (89, Target(capability=80, is_portable=False)),
        (100, Target(capability=90, is_portable=True)),
        (75, None),
    ],
)
def test_a_device_gets_the_nearest_code_that_runs_there(capability: int, target: Target | None) -> None:
    assert target_for(capability, (80, 90)) == target


def test_a_text_is_built_once_for_each_device(store: ArtifactStore) -> None:
    compiler = CountingCompiler()
    first, path, was_found = built_module([compiler], store, TEXT, 90)
    again = built_module([compiler], store, TEXT, 90)
    other = built_module([compiler], store, TEXT, 80)
    assert (first, was_found) == (TEXT.encode(), False)
    assert again == (first, path, True)
    assert other[1] != path
    assert [target.capability for target in compiler.targets] == [90, 80]


def test_threads_that_want_one_text_wait_for_one_build(store: ArtifactStore) -> None:
    compiler = CountingCompiler()
    threads = [threading.Thread(target=built_module, args=([compiler], store, TEXT, 90)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(compiler.targets) == 1


def test_a_damaged_file_is_built_anew(store: ArtifactStore) -> None:
    compiler = CountingCompiler()
    _, path, _ = built_module([compiler], store, TEXT, 90)
    path.write_bytes(b"damaged")
    assert built_module([compiler], store, TEXT, 90)[2] is False
    assert len(compiler.targets) == 2


def test_a_device_that_no_compiler_knows_is_a_reason(store: ArtifactStore) -> None:
    with pytest.raises(CannotFuse) as refusal:
        built_module([CountingCompiler()], store, TEXT, 75)
    assert refusal.value.diagnostic.code is Code.NO_COMPILER
    assert "7.5" in refusal.value.diagnostic.message


def test_without_compilers_the_reason_says_what_to_install(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "find_nvrtc", lambda: None)
    monkeypatch.setattr(toolchain, "nvcc_path", lambda: None)
    with pytest.raises(CannotFuse) as refusal:
        find_compilers(store)
    assert refusal.value.diagnostic.code is Code.NO_COMPILER
    assert any("nvcc" in hint for hint in refusal.value.diagnostic.hints)


def test_an_nvcc_that_lists_nothing_is_not_used(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "nvcc"
    broken.write_text("#!/bin/sh\necho 'no licence'\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(toolchain, "find_nvrtc", lambda: None)
    monkeypatch.setattr(toolchain, "nvcc_path", lambda: str(broken))
    with pytest.raises(CannotFuse) as refusal:
        find_compilers(store)
    assert any("no licence" in note for note in refusal.value.diagnostic.notes)


@needs_nvcc
def test_nvcc_makes_machine_code_and_ptx(store: ArtifactStore) -> None:
    (compiler,) = [found for found in find_compilers(store) if isinstance(found, NvccCompiler)]
    assert 90 in compiler.architectures
    assert compiler.compile(TEXT, Target(capability=90, is_portable=False)).startswith(b"\x7fELF")
    assert b".target sm_90" in compiler.compile(TEXT, Target(capability=90, is_portable=True))


@needs_nvcc
def test_what_nvcc_says_of_a_bad_text_is_in_the_reason(store: ArtifactStore) -> None:
    (compiler,) = [found for found in find_compilers(store) if isinstance(found, NvccCompiler)]
    with pytest.raises(CannotFuse) as refusal:
        built_module([compiler], store, "__global__ void k() { no_such_name(); }", 90)
    assert refusal.value.diagnostic.code is Code.COMPILER_FAILED
    assert any("no_such_name" in note for note in refusal.value.diagnostic.notes)


@needs_nvcc
def test_the_architectures_of_nvcc_are_asked_once(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    find_compilers(store)

    def run(*_: object) -> str:
        raise AssertionError("asked again")

    monkeypatch.setattr(toolchain, "run_program", run)
    assert any(isinstance(found, NvccCompiler) for found in find_compilers(store))


@needs_nvrtc
@pytest.mark.parametrize("name", ["multiply_add", "choose", "complex_numbers", "half_precision", "hoisted_row_value"])
def test_nvrtc_compiles_what_nvcc_compiles(name: str) -> None:
    program = PROGRAMS[name]
    code = NvrtcCompiler().compile(
        cuda_source(program.function, *program.arguments).text, Target(capability=90, is_portable=False)
    )
    assert code.startswith(b"\x7fELF")


@needs_nvrtc
def test_what_nvrtc_says_of_a_bad_text_is_in_the_error() -> None:
    with pytest.raises(BuildError, match="no_such_name"):
        NvrtcCompiler().compile("__global__ void k() { no_such_name(); }", Target(capability=90, is_portable=False))
    found = find_nvrtc()
    assert found is not None
    with pytest.raises(NvrtcError):
        found.compile(TEXT, ["--no-such-option"])


def test_nvcc_is_not_asked_where_nvrtc_is(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object) -> str:
        raise AssertionError("asked")

    monkeypatch.setattr(toolchain, "NvrtcCompiler", CountingCompiler)
    monkeypatch.setattr(toolchain, "nvcc_path", lambda: __file__)
    monkeypatch.setattr(toolchain, "run_program", run)
    compilers = find_compilers(store)
    assert [type(compiler) for compiler in compilers] == [CountingCompiler, NvccCompiler]
    assert built_module(compilers, store, TEXT, 90)[0]
    assert not is_in_store(compilers, store, TEXT + " ", 90)
    assert is_in_store(compilers, store, TEXT, 90)


def test_an_nvcc_that_does_not_answer_knows_nothing(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object) -> str:
        raise toolchain.ProgramError("no licence")

    monkeypatch.setattr(toolchain, "NvrtcCompiler", CountingCompiler)
    monkeypatch.setattr(toolchain, "nvcc_path", lambda: __file__)
    monkeypatch.setattr(toolchain, "run_program", run)
    with pytest.raises(CannotFuse) as refusal:
        built_module(find_compilers(store), store, TEXT, 75)
    assert refusal.value.diagnostic.code is Code.NO_COMPILER

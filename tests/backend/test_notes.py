"""Notes of which library is a plan's kernel: what they save, and when they are not believed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyfuse
from pyfuse.backend.cpu import codegen, notes

pytestmark = pytest.mark.usefixtures("c_compiler")

A = np.arange(6.0)


def scaled(a):
    return a * 2.5 + 1.0


def not_a_number(a):
    return np.where(a > 2.0, a, np.nan)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    with pyfuse.config.set(cache_dir=tmp_path, wait=True):
        yield tmp_path


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The plans whose text is written."""
    written: list[Any] = []
    write = codegen.write
    monkeypatch.setattr(codegen, "write", lambda plan, layouts: written.append(plan) or write(plan, layouts))
    return written


def call(function: Any = scaled) -> Any:
    """A new fused function, called once: as another process would."""
    fused = pyfuse.fuse(function)
    np.testing.assert_array_equal(fused(A), function(A))
    info = fused.cache_info()
    assert (info.kernels, info.fused_calls, info.fallback_calls) == (1, 1, 0)
    return fused


def notes_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("note-*"))


def test_a_kernel_is_found_without_its_text(folder, texts) -> None:
    call()
    assert (len(texts), len(notes_in(folder))) == (1, 1)
    fused = call()
    assert len(texts) == 1
    assert "restrict" in fused.source(A)  # it is written where it is asked for


@pytest.mark.parametrize("wait", [True, False])
def test_where_nobody_waits_it_answers_the_first_call(wait, texts) -> None:
    call()
    with pyfuse.config.set(wait=wait):
        call()
    assert len(texts) == 1


def test_other_plans_have_other_notes(folder, texts) -> None:
    call()
    call(lambda a: a * 2.5 + 2.0)
    pyfuse.fuse(scaled)(A[::2])
    pyfuse.fuse(scaled)(A.astype("f4"))
    assert len(texts) == len(notes_in(folder)) == 4


@pytest.mark.parametrize("damage", [b"", b"[]", b"half a note"])
def test_a_damaged_note_is_not_read(damage, folder, texts) -> None:
    call()
    (path,) = notes_in(folder)
    path.write_bytes(damage)
    call()
    assert len(texts) == 2


def test_a_note_of_a_library_that_is_gone(folder, texts) -> None:
    call()
    for library in folder.glob("*.so"):
        library.unlink()
    call()
    assert len(texts) == 2


def test_another_generator_finds_none(monkeypatch, texts) -> None:
    call()
    monkeypatch.setattr(notes, "generator_files", lambda: "others")
    call()
    assert len(texts) == 2


def test_none_while_the_generator_is_edited(monkeypatch, folder) -> None:
    files = notes.generator_files()
    assert files is not None and "map_text.py" in files and "memory.c" in files and "ops.py" in files
    monkeypatch.setattr(notes, "_IMPORTED_AT", 0)
    notes.generator_files.cache_clear()
    try:
        call()
        assert not notes_in(folder)
    finally:
        notes.generator_files.cache_clear()


def test_none_of_a_plan_with_a_nan(folder) -> None:
    call(not_a_number)
    assert not notes_in(folder)


def test_a_text_that_is_shown_is_written(texts, capsys) -> None:
    call()
    with pyfuse.config.set(debug=("source",)):
        call()
    assert len(texts) == 2 and "pyfuse_nest_0" in capsys.readouterr().err

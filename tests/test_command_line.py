"""``python -m pyfuse``: the doctor, the demonstration, help, and what is not understood."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pyfuse import config, doctor
from pyfuse.__main__ import USAGE, main
from pyfuse.backend.cpu import dispatch
from pyfuse.version import VERSION
from tests.fresh_process import run_python, script


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert capsys.readouterr() == (USAGE, "")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"pyfuse {VERSION}\n"


@pytest.mark.parametrize("words", [[], ["docter"], ["doctor", "please"], ["--unknown"]])
def test_what_is_not_understood_prints_the_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capsys.readouterr() == ("", USAGE)


def test_the_module_runs_and_hands_out_its_status() -> None:
    assert run_python("-m", "pyfuse", "--help").stdout == USAGE
    failed = run_python("-m", "pyfuse", "unknown", check=False)
    assert (failed.returncode, failed.stdout, failed.stderr) == (2, "", USAGE)


def test_the_demonstration_gets_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr("pyfuse.demo.run.main", lambda options: seen.append(list(options)) or 1)
    assert main(["demo", "--points", "10"]) == 1
    assert seen == [["--points", "10"]]


@pytest.mark.usefixtures("c_compiler")
def test_the_doctor_where_everything_works(tmp_path: Path) -> None:
    done = run_python("-m", "pyfuse", "doctor", PYFUSE_CACHE_DIR=str(tmp_path / "kernels"), PYFUSE_NUM_THREADS="1")
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("NO")] == []
    assert lines[-1] == "everything works"
    text = done.stdout
    for part in (f"pyfuse          {VERSION}", "Python ", "NumPy ", "1 of ", "-ffp-contract=off", "private, writable"):
        assert part in text
    assert str(tmp_path / "kernels") in text
    assert "its result is NumPy's, bit for bit" in text
    assert not list((tmp_path / "kernels").glob("doctor*"))


def test_the_doctor_without_a_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pyfuse.backend.cpu.toolchain._has_ziglang", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with config.set(cc="nothing-here", cache_dir=tmp_path / "kernels"):
        assert doctor.main() == 1
    printed = capsys.readouterr().out
    assert "NO  compiler        no working C compiler was found" in printed
    assert "PYFUSE_CC='nothing-here' is not an executable" in printed
    assert "python -m pip install 'pyfuse[compiler]'" in printed
    assert "NO  fused function" in printed
    if dispatch.has_tiles():
        assert "elementwise functions are answered by tiles all the same" in printed
        assert "ok  tiles           NumPy's own loops" in printed
    assert printed.splitlines()[-1].startswith("something is missing")


@pytest.mark.usefixtures("c_compiler")
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_the_doctor_and_a_folder_that_others_may_write_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with config.set(cache_dir=folder):
        assert doctor.main() == 1
    printed = capsys.readouterr().out
    assert "NO  cache folder" in printed
    assert "other users may write to it" in printed
    assert "ok  fused function" in printed
    assert os.listdir(folder) == []


@pytest.mark.usefixtures("c_compiler")
@pytest.mark.skipif(sys.platform == "win32", reason="compiler scripts for a POSIX shell")
def test_the_doctor_names_a_flag_that_does_not_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picky = script(tmp_path / "picky-cc", 'case "$*" in *-march=native*) exit 1;; esac; exec cc "$@"')
    with config.set(cc=str(picky), cache_dir=tmp_path / "kernels"):
        assert doctor.main() == 0
    printed = capsys.readouterr().out
    assert f"{picky}: " in printed
    assert "-march=native does not work: left out" in printed
    assert "-Wl,-z,nodelete works" in printed


@pytest.mark.usefixtures("c_compiler")
def test_the_doctor_notices_that_fusing_is_disabled(capsys: pytest.CaptureFixture[str]) -> None:
    with config.set(disable=True):
        assert doctor.main() == 1
    assert "PYFUSE_DISABLE is set" in capsys.readouterr().out


@pytest.mark.usefixtures("c_compiler")
def test_the_doctor_notices_a_wrong_result(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor.np, "array_equal", lambda *_: False)
    assert doctor.main() == 1
    assert "its result is not NumPy's" in capsys.readouterr().out

"""Correct programs in the styles of the wild, in `correct/`: no finding of level E or W, by default and under a watch.

The programs assume what checks/cases.py imports for them.
"""

from pathlib import Path

import pytest
from checks.cases import PRELUDE, correct

import flambeau as torch
from flambeau import doctor
from flambeau.doctor.script import diagnose

PROGRAMS = sorted((Path(__file__).parent / "correct").glob("*.py"))


def test_there_are_enough_of_them():
    assert len(PROGRAMS) >= 40


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_nothing_is_found(path):
    correct(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_nothing_is_found_by_a_watch(path):
    correct(path.read_text(encoding="utf-8"), around=lambda: doctor.watch(quiet=True))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_nothing_is_found_by_the_doctor(path, tmp_path, capsys):
    """As `flambeau doctor` runs a script: watched, its models examined before their first step."""
    script = tmp_path / path.name
    script.write_text(PRELUDE + path.read_text(encoding="utf-8"), encoding="utf-8")
    default = torch.get_default_dtype()
    try:
        report, code = diagnose(str(script))
    finally:
        torch.set_default_dtype(default)
    assert code == 0 and report.ok, str(report)

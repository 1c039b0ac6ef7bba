"""Correct programs in the styles of the wild, in `correct/`: no finding of level E or W, by default and under a watch.

The programs assume what checks/cases.py imports for them.
"""

from pathlib import Path

import pytest
from checks.cases import correct

from flambeau import doctor

PROGRAMS = sorted((Path(__file__).parent / "correct").glob("*.py"))


def test_there_are_enough_of_them():
    assert len(PROGRAMS) >= 40


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_nothing_is_found(path):
    correct(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_nothing_is_found_by_a_watch(path):
    correct(path.read_text(encoding="utf-8"), around=lambda: doctor.watch(quiet=True))

"""Findings: once per place, silenced by comment, block and list; warnings with a class per code."""

import subprocess
import sys
import warnings

import pytest
from checks.cases import Mistake, check, run

import flambeau as torch
from flambeau.checks import FB_LOSS_09, FlambeauWarning, collect, found
from flambeau.checks.sites import user_site


def report():
    return found("FB-LOSS-09", saw="two things", why="one is wrong", fix="use `the other`")


def test_said_once_per_place_and_counted():
    with warnings.catch_warnings(record=True) as said, collect(fresh=True) as findings:
        warnings.simplefilter("always")
        for _ in range(3):
            report()
        assert [f.count for f in findings] == [3]
        report()
    assert len(said) == 1  # both calls run on one line of `report`
    assert said[0].category is FB_LOSS_09 and issubclass(FB_LOSS_09, FlambeauWarning)
    assert said[0].filename == __file__ and "two things\n  why: one is wrong\n  fix: use `the other`" in str(
        said[0].message
    )


def test_a_filter_can_turn_one_code_into_an_error():
    with warnings.catch_warnings(), collect(fresh=True):
        warnings.simplefilter("error", FB_LOSS_09)
        with pytest.raises(FB_LOSS_09, match="two things"):
            report()


def test_silence_by_block_and_comment():
    with collect(fresh=True) as findings:
        with torch.allow("FB-LOSS-09"):
            report()
        found("FB-LOSS-09", saw="x")  # fb: ok FB-LOSS-09
        assert findings == []
    with pytest.raises(ValueError, match="FB-NO-1"):
        torch.allow("FB-NO-1")


def test_hints_are_kept_and_not_said():
    with warnings.catch_warnings(record=True) as said, collect(fresh=True) as findings:
        found("FB-SAVE-01", saw="x")
        assert [f.level for f in findings] == ["H"]
    assert not said


def test_a_site_reads_the_expression_that_runs():
    outcome = run("from flambeau.checks.sites import user_site\nhere = [user_site] and user_site(\n  )\n")
    site = outcome.names["here"]
    assert (site.line, site.source, site.function) == (2, "here = [user_site] and user_site(", "<module>")
    assert site.operands() == []


def test_operands_are_the_user_s_own_text():
    class Spy:
        def __sub__(self, other):
            self.site = user_site(sys._getframe(1))
            return self

    a = Spy()
    a - (3 + 4)
    assert a.site.operands() == ["a", "3 + 4"]


def test_off_switches_everything_off():
    code = (
        "import flambeau as torch\nfrom flambeau.checks import found, log\nassert not log.on\n"
        "assert found('FB-LOSS-09', saw='x') is None\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**__import__("os").environ, "FLAMBEAU_CHECKS": "off"},
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0 and done.stderr == ""


def test_a_summary_at_the_end_counts_repeats():
    code = "from flambeau.checks import found\nfor _ in range(4):\n    found('FB-LOSS-09', saw='x')\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "FB-LOSS-09 at <string>:3: 4 times" in done.stderr


def test_what_workers_find_is_said_once_by_their_parent():
    """Two workers, two epochs, each of them new processes: one warning, in the parent's report."""
    program = """
class Doubled(Dataset):
    def __init__(self):
        self.images = torch.full((16, 4), 200, dtype=torch.uint8)
    def __len__(self):
        return 16
    def __getitem__(self, i):
        return self.images[i] + self.images[i - 1]  # HERE
for epoch in range(2):
    for x in DataLoader(Doubled(), 4, num_workers=2):
        pass
"""
    outcome = check(Mistake("FB-DTYPE-03", program))
    assert [f.code for f in outcome.findings] == ["FB-DTYPE-03"]

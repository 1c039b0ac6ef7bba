"""The guides' programs run, and print what the guides show."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import guides


@pytest.mark.parametrize("guide", guides.all_guides(), ids=lambda path: path.stem)
def test_guide(guide, tmp_path):
    wrong = guides.made(guide, tmp_path)
    assert not wrong, "\n\n".join(wrong)


def written(tmp_path, text):
    path = tmp_path / "guide.md"
    path.write_text(text, encoding="utf-8")
    return guides.run(path)


def test_output_that_differs_is_found(tmp_path):
    assert not written(tmp_path, "```python\nprint(1 + 1)\n```\n\n```text\n2\n```\n")
    (wrong,) = written(tmp_path, "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n")
    assert "it shows\n3" in wrong and "2" in wrong
    assert written(tmp_path, "```python\nprint(1)\n```\nno text block\n")  # what is printed must be shown


def test_an_error_must_be_announced(tmp_path):
    assert "ZeroDivisionError" in written(tmp_path, "text\n\n```python\n1 / 0\n```\n")[0]
    assert not written(tmp_path, "```python raises\n1 / 0\n```\n```text\nZeroDivisionError: division ...\n```\n")
    assert "raises nothing" in written(tmp_path, "```python raises\n1 / 1\n```\n")[0]


def test_blocks_share_names_and_some_are_not_run(tmp_path):
    text = "```python\na = 1\n```\n\n```python no-run\na = 2\n```\n\n```python\nprint(a)\n```\n\n```text\n1\n```\n"
    assert not written(tmp_path, text)
    assert [b.line for b in guides.blocks(text)] == [2, 6, 10]


def test_a_guide_runs_again_only_when_it_has_changed(tmp_path):
    guide = tmp_path / "counted.md"
    guide.write_text("```python\nopen('out.txt', 'a').write('x')\n```\n")
    made = tmp_path / "made"
    assert not guides.bring_up_to_date([guide], made) and not guides.bring_up_to_date([guide], made)
    assert (made / "counted" / "out.txt").read_text() == "x"
    (made / "counted" / "out.txt").write_text("kept")
    assert not guides.bring_up_to_date([guide], made)
    assert (made / "counted" / "out.txt").read_text() == "kept"
    guide.write_text("```python\nopen('out.txt', 'a').write('y')\n```\n")
    guides.bring_up_to_date([guide], made)
    assert (made / "counted" / "out.txt").read_text() == "y"

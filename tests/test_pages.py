"""The pages of the codes: one for each code and language; the mistaken program gives its code, the corrected none."""

import re
import sys
from pathlib import Path

import pytest

from flambeau import language, pages
from flambeau.checks.codes import CODES
from flambeau.errors import MissingKey

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
import pages as tool

sys.path.pop(0)
LANGUAGES = ("en", "zh_CN", "zh_TW")
SECTIONS = 7
COMMENT = re.compile(r" *# .*")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(autouse=True)
def english():
    yield
    language.set_language(None)


@pytest.mark.parametrize("folder", LANGUAGES)
@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_page(code, folder):
    text = pages.page(code, folder)
    assert text.startswith(f"# {code} · {pages.title(code, folder)}\n")
    assert len(re.findall(r"^## ", text, re.MULTILINE)) == SECTIONS
    assert [COMMENT.sub("", p) for p in tool.programs(code, folder)] == [
        COMMENT.sub("", p) for p in tool.programs(code, "en")
    ]
    assert len(tool.programs(code, folder)) == 2 and (f"`# fb: ok {code}`" in text or CODES[code].level != "W")
    assert set(re.findall(r"FB-[A-Z]+-\d+", text)) <= set(CODES)


def test_titles_are_those_of_the_table():
    assert {code: pages.title(code, "en") for code in pages.codes()} == {c: entry.title for c, entry in CODES.items()}


@pytest.mark.parametrize("code", sorted(set(CODES) - set(tool.TIMED)))
def test_the_mistaken_program_gives_the_code_in_every_language(code):
    outcome = tool.run(tool.programs(code)[0], code)
    assert code in outcome.codes()
    for folder in ("zh_CN", "zh_TW"):
        language.set_language(folder)
        *facts, reason, remedy = tool.said(code, outcome).splitlines()
        assert all(map(CHINESE.search, (facts[-1], reason, remedy))), (facts, reason, remedy)


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_corrected_program_runs_without_a_finding(code):
    outcome = tool.run(tool.programs(code)[1], code, fixed=True)
    assert outcome.error is None
    assert code not in outcome.codes() and outcome.codes("EW") == []


def test_a_page_is_found_by_parts_of_its_code():
    assert pages.page("loss-01", "en") == pages.page("FB-LOSS-01", "en")
    with pytest.raises(MissingKey, match="FB-LOSS-99"):
        pages.page("FB-LOSS-99")
    with pytest.raises(MissingKey):
        pages.page("../../errors")


@pytest.mark.parametrize(
    "words, code",
    [
        ("mat1 and mat2 shapes cannot be multiplied", "FB-SHAPE-01"),
        ("Target 10 is out of bounds", "FB-LOSS-03"),
        ("view size is not compatible with input tensor's size and stride", "FB-INPL-03"),
        ("softmax CrossEntropyLoss", "FB-LOSS-01"),
    ],
)
def test_search_finds_the_page_of_a_message(words, code):
    assert pages.search(words, "en")[0] == code

"""The pages of the codes: one for each code and language; their corrected programs run without a finding."""

import contextlib
import io
import linecache
import re
import warnings

import pytest

from flambeau import pages
from flambeau.checks import collect
from flambeau.checks.codes import CODES
from flambeau.errors import MissingKey

LANGUAGES = ("en", "zh_CN", "zh_TW")
SECTIONS = 7
PROGRAM = re.compile(r"```python\n(.*?)```", re.DOTALL)
COMMENT = re.compile(r" *# .*")
# Their programs need a part that is not there yet.
NOT_YET = {"FB-DIST-02", *(c for c in CODES if "doctor.examine(" in pages.page(c, "en"))}


def programs(code, language="en"):
    """The mistaken program of a page, and the corrected one."""
    return PROGRAM.findall(pages.page(code, language))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_page(code, language):
    text = pages.page(code, language)
    assert text.startswith(f"# {code} · {pages.title(code, language)}\n")
    assert len(re.findall(r"^## ", text, re.MULTILINE)) == SECTIONS
    assert [COMMENT.sub("", p) for p in programs(code, language)] == [COMMENT.sub("", p) for p in programs(code)]
    assert len(programs(code, language)) == 2 and f"`# fb: ok {code}`" in text or CODES[code].level != "W"
    assert set(re.findall(r"FB-[A-Z]+-\d+", text)) <= set(CODES)


def test_titles_are_those_of_the_table():
    assert {code: pages.title(code, "en") for code in pages.codes()} == {c: entry.title for c, entry in CODES.items()}


@pytest.mark.parametrize("code", sorted(set(CODES) - NOT_YET))
def test_the_corrected_program_runs_without_a_finding(code):
    program, name = programs(code)[1], f"<{code}>"
    linecache.cache[name] = (len(program), None, program.splitlines(True), name)
    with (
        warnings.catch_warnings(),
        collect(fresh=True) as findings,
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("error")
        exec(compile(program, name, "exec"), {"__name__": "__main__"})
    assert findings == []


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

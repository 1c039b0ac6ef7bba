"""The doctor's report: order, forms, languages of its frame."""

import io
import json
import warnings

import pytest

from flambeau import doctor
from flambeau.checks import collect, found
from flambeau.errors import CannotWrite


@pytest.fixture
def report():
    with warnings.catch_warnings(), collect(fresh=True) as findings:
        warnings.simplefilter("ignore")
        found("FB-SAVE-01", saw="the file has the model only", fix="save `opt.state_dict()` too")
        found("FB-LOSS-01", saw="scores < 0 & > 1", why="twice", fix="drop `nn.Softmax`", share=0.5)
        found("FB-DATA-02", saw="inputs of std 74", confidence="likely", std=float("inf"))
    table = doctor.Table("Layers", ["layer", "std"], [["0", 1.23456], ["1", 2]])
    curve = doctor.Curve("loss", {"train": [(0, 1.0), (1, float("nan")), (2, 0.5)]}, log=True)
    return doctor.Report(findings, [table], [curve], {"model": "Net"})


def test_what_to_do_first_comes_first(report):
    assert report.codes() == ["FB-LOSS-01", "FB-DATA-02", "FB-SAVE-01"]  # certain before likely, hints last
    assert not report.ok and report.exit_code == 1
    assert doctor.Report(report.findings[2:]).exit_code == 0


def test_text_and_terminal_say_everything(report):
    for text in (str(report), _shown(report, 60), _shown(report, 40)):
        flat = " ".join(text.split())
        for piece in ("FB-LOSS-01", "scores < 0 & > 1", "drop `nn.Softmax`", "1.23", "Net", "test_report.py"):
            assert piece in flat or piece.replace(" ", "") in flat.replace(" ", ""), piece


def _shown(report, width):
    out = io.StringIO()
    report.show(out, width)
    assert max(map(len, out.getvalue().splitlines())) <= width
    return out.getvalue()


def test_json_is_plain_data(report, tmp_path):
    report.to_json(tmp_path / "r.json")
    data = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    first = data["findings"][0]
    assert (first["code"], first["level"], first["evidence"]) == ("FB-LOSS-01", "W", {"share": 0.5})
    assert first["line"] and first["file"].endswith("test_report.py")
    assert data["findings"][1]["evidence"] == {"std": "inf"}


def test_html_is_whole_escaped_and_drawn(report, tmp_path):
    report.to_html(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and page.endswith("</html>\n")
    assert "scores &lt; 0 &amp; &gt; 1" in page and "<code>nn.Softmax</code>" in page and "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )


def test_a_path_that_cannot_be_written_is_explained(report, tmp_path):
    with pytest.raises(CannotWrite, match="could not be written"):
        report.to_json(tmp_path / "no" / "r.json")

"""Graphs as pictures and files: valid whatever the names are, light and dark, written whole or not at all."""

import io
import xml.etree.ElementTree as ET

import pytest
from browser import opened
from PIL import Image

import flambeau as torch
from flambeau import nn
from flambeau.errors import ArgumentError, CannotWrite
from flambeau.viz import draw, make_dot
from flambeau.viz.graph import Graph, Node
from flambeau.viz.lettering import shorten, text_width

HOSTILE = [
    "<b>&amp;</b>",
    "a\x00b\x1b[1m",
    "卷积层 🦊 ﷽",
    'quote " and \\ back',
    "x" * 300,
    "",
    "a\nb\tc",
    "]]>",
    "\ud800",
]


def graph_of(names, direction="TB"):
    graph = Graph('<title> & "more"', "a < b", direction)
    for i, name in enumerate(names):
        graph.add(Node(str(i), [name, "(1, 2)"]))
        if i:
            graph.connect(str(i - 1), str(i), tooltip=name)
    return graph


@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_svg_is_valid_and_accessible_whatever_the_names_are(direction):
    svg = graph_of(HOSTILE, direction).svg()
    root = ET.fromstring(svg)  # raises if it is no XML
    space = {"s": "http://www.w3.org/2000/svg"}
    assert root.get("role") == "img"
    assert root.find("s:title", space).text == '<title> & "more"'
    assert root.find("s:desc", space).text == "a < b"
    assert root.get("aria-labelledby") == root.find("s:title", space).get("id")
    texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "<b>&amp;</b>" in texts
    assert "prefers-color-scheme: dark" in svg
    assert "x" * 300 in [t.text.split("\n")[0] for t in root.iter("{http://www.w3.org/2000/svg}title")]
    assert max(map(len, filter(None, texts))) < 60  # the long name is shortened, its whole text is the tooltip


def test_dot_text_quotes_its_names():
    source = graph_of(HOSTILE).source
    assert source.startswith("digraph {")
    assert r'[label="quote \" and \\ back\n(1, 2)"' in source
    assert "n0 -> n1" in source
    assert "\x00" not in source
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Linear(2, 1))
    assert "subgraph cluster_0 {" in draw(model, torch.ones(1, 2), depth=2).source
    w = torch.ones(2, requires_grad=True)
    assert "fillcolor=lightblue" in make_dot(w * 2).source


def test_png_is_the_same_picture():
    graph = graph_of(["one", "two", "三"])
    image = Image.open(io.BytesIO(graph.png(dpi=96)))
    assert abs(image.width - graph.width) <= 1
    assert abs(image.height - graph.height) <= 1
    assert len(image.convert("RGB").getcolors(1 << 20)) > 10


def test_very_long_graphs_become_png_files_too():
    image = Image.open(io.BytesIO(graph_of([f"n{i}" for i in range(400)]).png()))
    assert image.height <= 20000


def test_saving_by_suffix_and_rendering(tmp_path, monkeypatch):
    graph = graph_of(["a", "b"])
    monkeypatch.chdir(tmp_path)
    assert graph.save("g.svg").read_text().startswith("<svg")
    assert graph.save(tmp_path / "g.PNG").read_bytes().startswith(b"\x89PNG")
    assert graph.save("g.gv").read_text() == graph.source
    assert graph.save("g.pdf").read_bytes().startswith(b"%PDF")
    assert graph.render("out", format="png") == "out.png"
    graph.format = "dot"  # as scripts for graphviz set it
    assert graph.render("set") == "set.dot"
    graph.format = "gif"
    with pytest.raises(ArgumentError, match="format must be one of"):
        graph.render("set")
    assert graph.render("out.svg", directory="new/folder") == "new/folder/out.svg"
    written = {p.name for p in tmp_path.rglob("*") if p.is_file()}
    assert written == {"g.PNG", "g.gv", "g.pdf", "g.svg", "out.png", "out.svg", "set.dot"}
    with pytest.raises(ArgumentError, match="cannot tell the format"):
        graph.save("picture.jpeg")
    with pytest.raises(ArgumentError, match="format must be one of"):
        graph.render("picture", format="tiff")
    with pytest.raises(ArgumentError, match="format must be one of"):
        graph.pipe("tiff")
    assert graph.pipe("svg").decode() == graph.svg() and graph.pipe("png").startswith(b"\x89PNG")
    with pytest.raises(TypeError, match="the file to write to is 3 of type int"):
        graph.save(3)
    with pytest.raises(OSError, match="cannot write"):
        graph.save("no\0file.svg")


def test_view_opens_the_browser_or_says_where_the_file_is(monkeypatch, capsys, tmp_path):
    import webbrowser

    opened_pages = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened_pages.append(address) or len(opened_pages) < 2)
    graph = graph_of(["a"])
    path = graph.view()
    assert (
        opened_pages[0].startswith("file://") and opened_pages[0].endswith("graph.svg") and path.endswith("graph.svg")
    )
    assert graph.render(tmp_path / "g", view=True) in capsys.readouterr().err


def test_a_folder_that_is_not_there_or_cannot_be_written(tmp_path):
    graph = graph_of(["a", "b"])
    with pytest.raises(CannotWrite, match="the folder is not there") as caught:
        graph.save(tmp_path / "missing" / "g.svg")
    assert isinstance(caught.value, OSError)
    (tmp_path / "g.svg").mkdir()
    with pytest.raises(CannotWrite, match="cannot write"):
        graph.save(tmp_path / "g.svg")
    assert [p.name for p in tmp_path.iterdir()] == ["g.svg"]  # nothing is left lying about
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="cannot write"):
        graph.render("g", directory=tmp_path / "file")


def test_as_text():
    assert str(graph_of(["a", "b"])) == "  0  a (1, 2)\n  1  b (1, 2)  <- 0"
    assert repr(graph_of(["a"])) == "<Graph of 1 node and 0 edges>"
    assert graph_of(["a"])._repr_svg_().startswith("<svg")
    with pytest.raises(ArgumentError, match="'TB' or 'LR'"):
        Graph(direction="RL")


def test_widths_of_text():
    assert text_width("中文", 12) > text_width("ab", 12)
    assert text_width("e\u0301", 12) == text_width("e", 12)
    assert text_width("iii", 10) < text_width("mmm", 10)
    assert shorten("卷" * 40, 20).count("卷") == 9
    assert shorten("short", 20) == "short"


@pytest.mark.parametrize("dark", [False, True])
def test_texts_stay_inside_their_boxes_in_a_browser(tmp_path, dark):
    """Measured where it counts: in the browser, with its fonts."""

    class 网络(nn.Module):
        def __init__(self):
            super().__init__()
            self.卷积层 = nn.Conv2d(3, 8, 3)
            self.a_module_with_a_rather_long_name_indeed = nn.Sequential(nn.Flatten(), nn.Linear(288, 10))

        def forward(self, 图像):
            return self.a_module_with_a_rather_long_name_indeed(self.卷积层(图像).relu())

    path = draw(网络(), torch.ones(1, 3, 8, 8)).save(tmp_path / "g.svg")
    with opened(path, dark=dark) as (page, complaints):
        wide = page.evaluate(
            """[...document.querySelectorAll('g')].filter(g => g.querySelector('.box')).map(g => {
                const box = g.querySelector('.box').getBoundingClientRect()
                return Math.min(...[...g.querySelectorAll('text')].map(t => {
                    const r = t.getBoundingClientRect()
                    return Math.min(r.left - box.left, box.right - r.right)
                }))
            })"""
        )
        colour = page.evaluate("getComputedStyle(document.querySelector('.page')).fill")
    assert not complaints
    assert min(wide) > 1
    assert colour == ("rgb(22, 25, 30)" if dark else "rgb(255, 255, 255)")

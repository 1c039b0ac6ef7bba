"""Settings of the documentation: Sphinx with MyST; English, and Chinese from the same sources by gettext."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

import flambeau  # noqa: E402

project = "flambeau"
author = "the flambeau authors"
copyright = f"2026, {author}"
release = version = flambeau.__version__
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "locale", "guides/made"]
language = "en"
locale_dirs = ["locale"]
gettext_compact = False
gettext_location = False
gettext_uuid = False
suppress_warnings = ["misc.highlighting_failure"]  # blocks that show errors are not all Python

html_theme = "furo"
html_title = "flambeau"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "languages.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
templates_path = ["templates"]


def write_sources(app):
    """What is made: the reference from docstrings, the pages of the codes, what the guides print and draw."""
    import guides
    import reference
    from sphinx.errors import ExtensionError

    reference.write(HERE / "reference")
    write_codes("zh_CN" if app.config.language == "zh_CN" else "en")
    if app.builder.name != "gettext":
        wrong = guides.bring_up_to_date(guides.all_guides())
        if wrong:
            raise ExtensionError("the guides do not run as they say:\n" + "\n\n".join(wrong))


CODES = {  # these pages are written in each language, not translated by gettext: so is their list
    "en": (
        "Mistakes by their codes",
        "What flambeau says of each, why, and how it is mended. `flambeau explain CODE` prints one.",
    ),
    "zh_CN": ("按代码查错误", "每种错误 flambeau 会怎么说、为什么、怎么改。`flambeau explain 代码` 会打印其中一页。"),
}


def scroll_tables(app, name, source):
    """Tables that a program prints keep their lines, and scroll where they are too wide; messages are wrapped."""

    def marked(block):
        table = re.search(r"\S {3,}\S|^[-=]{9,}", block[1], re.MULTILINE) and "  why: " not in block[1]
        return f"```output\n{block[1]}```\n" if table else block[0]

    source[0] = re.sub(r"^```text\n(.*?)^```$\n", marked, source[0], flags=re.DOTALL | re.MULTILINE)


def write_codes(language):
    """The pages of the codes, which name each other as links, and their list."""
    from flambeau import pages

    folder = HERE / "codes"
    folder.mkdir(exist_ok=True)
    title, intro = CODES[language]
    rows = []
    for code in pages.codes():
        head, rest = pages.page(code, language).split("\n", 1)
        rest = re.sub(r"\b(FB-[A-Z]+-\d+)(?= ·)", r"[\1](\1.md)", rest)
        _write(folder / f"{code}.md", f"{head}\n{rest}")
        rows.append(f"- [{code}]({code}.md): {pages.title(code, language)}")
    toctree = "\n".join(["```{toctree}", ":hidden:", "", *pages.codes(), "```"])
    _write(folder / "index.md", "\n".join([f"# {title}", "", intro, "", *rows, "", toctree, ""]))


def _write(path, text):
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def search_chinese(app):
    """Chinese texts are searched by runs of two to four characters: no program that knows its words is needed.

    The English stemmer is named, too, which Sphinx 9 calls by a name that does not exist.
    """
    from sphinx.search.zh import SearchChinese

    def split(self, text):
        latin = self.latin1_letters.findall(text)
        self.latin_terms.update(latin)
        runs = re.findall("[\u4e00-\u9fff]+", text)
        return latin + [run[i : i + n] for run in runs for n in (2, 3, 4) for i in range(len(run) - n + 1)]

    SearchChinese.split = split
    SearchChinese.language_name = "English"


def setup(app):
    app.connect("builder-inited", write_sources)
    app.connect("builder-inited", search_chinese)
    app.connect("source-read", scroll_tables)

"""Builds the documentation in all its languages, warnings being errors: `python3 dev.py docs [--out FOLDER]`.

`python tools/documentation.py catalogues` brings docs/locale up to date with the sources, for translators.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
LANGUAGES = ("en", "zh_CN")
# The first page: the language that the reader's browser asks for.
DOOR = """<!doctype html>
<meta charset="utf-8"><title>flambeau</title>
<script>location.replace((navigator.language.startsWith("zh") ? "zh_CN" : "en") + "/index.html")</script>
<p><a href="en/index.html">English</a> · <a href="zh_CN/index.html" lang="zh-Hans">简体中文</a></p>
"""


def sphinx(*args):
    return subprocess.run([sys.executable, "-m", "sphinx", "-q", *args], cwd=ROOT).returncode


def build(out):
    """Both languages side by side in `out`, and a page that leads to one of them."""
    for language in LANGUAGES:
        trees = out / f".doctrees-{language}"
        print(f"building {out / language}", flush=True)
        options = ("-W", "--keep-going", "-D", f"language={language}", "-d", str(trees))
        if sphinx("-b", "html", *options, str(DOCS), str(out / language)):
            return 1
    (out / "index.html").write_text(DOOR, encoding="utf-8")
    print(f"open {out / 'index.html'}")
    return 0


def catalogues():
    """docs/locale/zh_CN: new and changed texts, without those of the codes' pages, which have a file per language."""
    made = DOCS / "_build" / "gettext"
    if sphinx("-b", "gettext", str(DOCS), str(made)):
        return 1
    for part in made.glob("codes/*.pot"):
        part.unlink()
    update = [sys.executable, "-m", "sphinx_intl", "update", "-p", str(made), "-d", str(DOCS / "locale"), "-l", "zh_CN"]
    return subprocess.run([*update, "--no-obsolete"], cwd=ROOT).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["build", "catalogues"], default="build")
    parser.add_argument("--out", type=Path, default=DOCS / "_build" / "html")
    args = parser.parse_args()
    return catalogues() if args.what == "catalogues" else build(args.out.resolve())


if __name__ == "__main__":
    sys.exit(main())

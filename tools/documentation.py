"""Builds the documentation in all its languages, warnings being errors: `python3 dev.py docs [--out FOLDER]`.

For translators: `python tools/documentation.py catalogues` brings docs/locale up to date with the sources, `todo` lists
what is not translated, `merge LIST` takes such a list with translations in place of the English.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
CATALOGUES = DOCS / "locale" / "zh_CN" / "LC_MESSAGES"
LANGUAGES = ("en", "zh_CN")
# The first page: the language that the reader's browser asks for.
DOOR = """<!doctype html>
<meta charset="utf-8"><title>flambeau</title>
<script>location.replace((navigator.language.startsWith("zh") ? "zh_CN" : "en") + "/index.html")</script>
<p><a href="en/index.html">English</a> · <a href="zh_CN/index.html" lang="zh-Hans">简体中文</a></p>
"""


def sphinx(*args):
    return subprocess.run([sys.executable, "-m", "sphinx", "-q", "-j", "auto", *args], cwd=ROOT).returncode


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
    """Bring docs/locale/zh_CN up to date with the sources.

    The codes' pages have a file per language instead. A text that is translated elsewhere, or that holds no words but
    names, is filled in.
    """
    made = DOCS / "_build" / "gettext"
    if sphinx("-b", "gettext", str(DOCS), str(made)):
        return 1
    shutil.rmtree(made / "codes", ignore_errors=True)
    update = [sys.executable, "-m", "sphinx_intl", "update", "-p", str(made), "-d", str(DOCS / "locale"), "-l", "zh_CN"]
    if subprocess.run([*update, "--no-obsolete"], cwd=ROOT, stdout=subprocess.DEVNULL).returncode:
        return 1
    files = opened()
    known = {e.msgid: e.msgstr for po in files.values() for e in po if e.msgstr and not e.fuzzy}
    for path, po in files.items():
        if path.stem == "sphinx":
            continue  # words of the theme, which have no source here
        if not (made / path.relative_to(CATALOGUES)).with_suffix(".pot").exists():
            path.unlink()  # its source is gone
            continue
        for entry in missing(po):
            entry.msgstr = known.get(entry.msgid, "") or by_form(entry.msgid)
            if entry.msgstr == entry.msgid:
                po.remove(entry)
                continue
            if entry.msgstr and entry.fuzzy:
                entry.flags.remove("fuzzy")
            entry.previous_msgid = None
        po.metadata = {
            "Language": "zh_CN",
            "Content-Type": "text/plain; charset=utf-8",
            "Plural-Forms": "nplurals=1; plural=0;",
        }
        po.metadata_is_fuzzy = False
        po.header = ""
        po.save(str(path))
    return 0


def opened(parts=()):
    """The catalogues whose names begin with one of `parts` (all of them for none), by path."""
    paths = sorted(p for p in CATALOGUES.rglob("*.po") if str(p.relative_to(CATALOGUES)).startswith(tuple(parts) or ""))
    return {path: polib.pofile(str(path), wrapwidth=120) for path in paths}


def missing(po):
    return [e for e in po if (not e.msgstr or e.fuzzy) and not e.obsolete]


def by_form(text):
    """The translation of a text that is the same but for names in it, or is nothing but names; else nothing."""
    for form, chinese in (("Source: ", "源码："), ("Also: ", "别名：")):
        if re.fullmatch(re.escape(form) + r"(`[^`]+`(, )?)+\.?", text):
            return chinese + text.removeprefix(form)
    bare = re.sub(r"`[^`]*`|\{[^}]*\}|\bflambeau[\w.]*|[A-Z]\w*[A-Z]\w*|[\W\d_]", " ", text)
    return "" if re.search(r"[A-Za-z]{2,}", bare) else text


def todo(parts):
    """Print what is not translated, one a line: a short name and the English text. Texts in both are printed once."""
    shown = set()
    for path, po in opened(parts).items():
        entries = [e for e in missing(po) if e.msgid not in shown]
        if entries:
            print(f"# {path.relative_to(CATALOGUES)}")
        for entry in entries:
            shown.add(entry.msgid)
            print(f"{short(entry.msgid)}\t{json.dumps(entry.msgid, ensure_ascii=False)[1:-1]}")
    return 0


def merge(lists):
    """Take over lists with translations in place of the English texts, wherever the texts occur."""
    given = {}
    for path in lists:
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            name, tab, text = line.partition("\t")
            if tab and not line.startswith("#"):
                given[name] = json.loads(f'"{text}"')
    used = set()
    for path, po in opened().items():
        for entry in missing(po):
            if (name := short(entry.msgid)) in given:
                if faults := wrong(entry.msgid, given[name]):
                    print(f"{name}: {faults}")
                    continue
                entry.msgstr = given[name]
                entry.flags = []
                used.add(name)
        po.save(str(path))
    print(f"{len(used)} texts taken over")
    return 0


def wrong(text, translation):
    """What a translation must keep, and has not: code in backquotes, targets of links."""
    for what, pattern in (("code", r"``.+?``|`[^`]+`"), ("links", r"\]\(([^)]+)\)")):
        if sorted(re.findall(pattern, text)) != sorted(re.findall(pattern, translation)):
            return f"{what} differ: {text!r}, {translation!r}"
    return ""


def short(text):
    return hashlib.sha1(text.encode()).hexdigest()[:8]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["build", "catalogues", "todo", "merge"], default="build")
    parser.add_argument("which", nargs="*", help="todo: beginnings of names of catalogues; merge: lists")
    parser.add_argument("--out", type=Path, default=DOCS / "_build" / "html")
    args = parser.parse_args()
    if args.what == "build":
        return build(args.out.resolve())
    return {"catalogues": lambda _: catalogues(), "todo": todo, "merge": merge}[args.what](args.which)


if __name__ == "__main__":
    sys.exit(main())

"""Runs the code of the guides, and compares what it prints with what they show: `python tools/guides.py [GUIDE...]`.

`--write` puts what differs into the guides instead; read it before you believe it.

The Python blocks of a guide are one program. A `text` block right after one is what it prints (`...` stands for
anything, white space does not count); after a ```` ```python raises ```` block it is in the text of the error.
```` ```python no-run ```` is only shown. Files that a guide saves go to a folder of its name in docs/guides/made, where
the documentation takes its pictures from.
"""

from __future__ import annotations

import contextlib
import doctest
import hashlib
import io
import linecache
import os
import re
import shutil
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GUIDES = ROOT / "docs" / "guides"
MADE = GUIDES / "made"
BLOCK = re.compile(r"^```(python|text)([^\n]*)\n(.*?)^```$\n?", re.DOTALL | re.MULTILINE)
CHECK = doctest.OutputChecker()
RULES = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass
class Block:
    """A block of code, the line it begins at, and what the guide says that it prints (None: nothing is said)."""

    code: str
    line: int
    kind: str
    shows: str | None = None
    shown_at: tuple[int, int] = (0, 0)


def blocks(text: str) -> list[Block]:
    """The Python blocks of a guide, in order."""
    found: list[Block] = []
    end = -1
    for match in BLOCK.finditer(text):
        language, kind, body = match[1], match[2].strip(), match[3]
        if language == "python":
            found.append(Block(body, text.count("\n", 0, match.start(3)) + 1, kind))
            end = match.end()
        elif found and not text[end : match.start()].strip():
            found[-1].shows, found[-1].shown_at, end = body, match.span(3), -1
    return found


def run(guide: Path, write: bool = False) -> list[str]:
    """Run a guide in the current folder; what is wrong with it, each as a paragraph."""
    wrong = []
    changes: list[tuple[tuple[int, int], str]] = []
    space: dict = {"__name__": "__main__"}
    text = guide.read_text(encoding="utf-8")
    program = [b for b in blocks(text) if b.kind != "no-run"]
    # To Python the guide is a file that holds nothing but the code, at its lines: messages can quote it.
    name = f"{guide.stem}.py"
    lines = [""] * text.count("\n")
    for block in program:
        lines[block.line - 1 : block.line - 1 + block.code.count("\n")] = block.code.splitlines()
    linecache.cache[name] = (len(text), None, [line + "\n" for line in lines], name)
    for block in program:
        code = compile("\n" * (block.line - 1) + block.code, name, "exec")
        out, error = io.StringIO(), None
        with contextlib.redirect_stdout(out):
            try:
                exec(code, space)
            except Exception as raised:
                error = raised
        where = f"{guide.name}:{block.line}"
        if (error is not None) != (block.kind == "raises"):
            told = "".join(traceback.format_exception(error)) if error else "it raises nothing"
            wrong.append(f"{where}: {told}")
            break
        got = f"{type(error).__name__}: {error}" if error else out.getvalue()
        shows = block.shows if block.shows is not None or error else ""
        if shows is not None and not CHECK.check_output(shows, got if got else "\n", RULES):
            if write and block.shows is not None:
                changes.append((block.shown_at, got.rstrip() + "\n"))
            else:
                wrong.append(f"{where}: it shows\n{shows}\nbut this came\n{got}")
    for (start, end), got in reversed(changes):
        text = text[:start] + got + text[end:]
    if changes:
        guide.write_text(text, encoding="utf-8")
    return wrong


def made(guide: Path, folder: Path, write: bool = False) -> list[str]:
    """Run a guide in a process of its own, in an empty folder; what is wrong with it."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    # English text, no display, and one folder of caches for all.
    settings = os.environ | {"MPLBACKEND": "Agg", "FLAMBEAU_LANG": "en", "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"}
    child = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--here", str(guide), *(["--write"] if write else [])],
        cwd=folder,
        env=settings,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    without_paths(folder)
    if child.returncode:
        return [child.stdout.strip() or child.stderr.strip() or f"{guide.name}: exit code {child.returncode}"]
    return []


def without_paths(folder: Path) -> None:
    """Takes the paths of this machine out of the pages that a guide has written: the documentation shows them."""
    here = {str(folder): ".", str(ROOT): ".", sys.prefix: ".venv", os.environ.get("FLAMBEAU_CACHE_DIR"): "cache"}
    for page in folder.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for path in sorted(filter(None, here), key=len, reverse=True):
            text = text.replace(path, here[path])
        page.write_text(text, encoding="utf-8")


def all_guides() -> list[Path]:
    return sorted(GUIDES.glob("*.md"))


def bring_up_to_date(guides: list[Path], folder: Path = MADE) -> list[str]:
    """Run those guides whose text has changed since they were run; what is wrong."""
    wrong = []
    for guide in guides:
        stamp = folder / guide.stem / ".of"
        text = hashlib.sha256(guide.read_bytes()).hexdigest()
        if stamp.exists() and stamp.read_text() == text:
            continue
        faults = made(guide, folder / guide.stem)
        if not faults:
            stamp.write_text(text)
        wrong += faults
    return wrong


def main(args: list[str]) -> int:
    if args[:1] == ["--here"]:
        sys.argv = [f"{Path(args[1]).stem}.py"]  # to what it runs, the guide is a program of that name
        wrong = run(Path(args[1]), "--write" in args)
    else:
        wanted = [GUIDES / f"{Path(a).stem}.md" for a in args if a != "--write"] or all_guides()
        wrong = []
        for guide in wanted:
            if "--write" in args:  # what is written moves the lines that errors name: those are right the second time
                made(guide, MADE / guide.stem, write=True)
            faults = made(guide, MADE / guide.stem, "--write" in args)
            print(f"{guide.stem}: {'wrong' if faults else 'runs'}", flush=True)
            wrong += faults
    print("\n\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A page for each mistake that flambeau knows by a code: what happens, what flambeau says, why, and the fix.

`flambeau explain FB-LOSS-01` prints one. The pages are Markdown files, one folder for each language.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import MissingKey
from ..language import language as current

FOLDER = Path(__file__).parent
# What search leaves out: words that are on every page.
_COMMON = {"a", "an", "and", "in", "is", "it", "not", "of", "or", "the", "to"}


def codes() -> list[str]:
    """The codes that have a page, in order.

    >>> from flambeau import pages
    >>> pages.codes()[:2]
    ['FB-DATA-01', 'FB-DATA-02']
    """
    return sorted(path.stem for path in (FOLDER / "en").glob("FB-*.md"))


def page(code: str, language: str | None = None) -> str:
    """The page of a code, in a language ("en", "zh_CN", "zh_TW"; default: that of messages) or else in English.

    The code may be written in small letters, and without its first part.

    >>> from flambeau import pages
    >>> print(pages.page("loss-01", "en").splitlines()[0])
    # FB-LOSS-01 · softmax before CrossEntropyLoss
    """
    name = code.strip().upper()
    name = name if name.startswith("FB-") else f"FB-{name}"
    for folder in (language or current(), "en"):
        path = FOLDER / folder / f"{name}.md"
        if re.fullmatch(r"FB-[A-Z]+-\d+", name) and path.is_file():
            return path.read_text(encoding="utf-8")
    raise MissingKey(f"there is no page for '{code}'", fix="`flambeau explain` lists the codes")


def title(code: str, language: str | None = None) -> str:
    """The title of a code's page: what the mistake is, in a few words.

    >>> from flambeau import pages
    >>> pages.title("FB-LOSS-01", "en")
    'softmax before CrossEntropyLoss'
    """
    return page(code, language).splitlines()[0].partition("·")[2].strip()


def search(text: str, language: str | None = None) -> list[str]:
    """The codes whose pages speak of `text` (an error's message, or a few words), those that fit best first.

    >>> from flambeau import pages
    >>> pages.search("mat1 and mat2 shapes cannot be multiplied")[0]
    'FB-SHAPE-01'
    """
    wanted = set(_words(text)) - _COMMON
    scores = {}
    for code in codes():
        content = page(code, language)
        words, heading = set(_words(content)), set(_words(content.partition("\n")[0]))
        score = 10 * (text.strip().lower() in content.lower()) + len(wanted & words) + 2 * len(wanted & heading)
        if score:
            scores[code] = score
    return sorted(scores, key=lambda code: (-scores[code], code))


def _words(text: str) -> list[str]:
    """Words in small letters; each Chinese character for itself."""
    return re.findall(r"[a-z_][a-z_0-9]*|[\u4e00-\u9fff]", text.lower())

"""How wide text will be, as well as that can be known without the reader's fonts; long text is shortened."""

from __future__ import annotations

import unicodedata

from ..widths import shorten as shortened

SANS = (
    "Helvetica, Arial, 'Liberation Sans', 'Noto Sans', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif"
)
MONO = "Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', 'Noto Sans Mono CJK SC', monospace"
_NARROW, _MIDDLE, _BROAD = "fijlrtI.,:;'|!()[]{} ", 'cksvxyzJ-"*/\\', "mwMWOQGCD@%—…→×·"


def _em(character: str) -> float:
    """The width of a character in a sans-serif face, in its font's size."""
    if unicodedata.east_asian_width(character) in "WF":
        return 1.02
    if unicodedata.combining(character) or character in "\u200b\u200d\ufe0f":
        return 0.0
    if ord(character) > 0x2E80:
        return 1.1
    if character in _NARROW:
        return 0.33
    if character in _MIDDLE:
        return 0.52
    if character in _BROAD:
        return 0.86
    return 0.68 if character.isupper() else 0.58


def text_width(text: str, size: float, mono: bool = False, bold: bool = False) -> float:
    """About how wide a line of text is; rather more than less.

    >>> from flambeau.viz.lettering import text_width
    >>> text_width("abcd", 10, mono=True), text_width("卷积", 10)
    (24.2, 20.4)
    """
    if mono:
        units = sum(max(0.605, _em(c)) if ord(c) > 0x2E80 or not _em(c) else 0.605 for c in text)
    else:
        units = sum(map(_em, text)) * (1.06 if bold else 1.0)
    return round(units * size, 2)


def shorten(text: str, most: int = 40) -> str:
    """A text of at most `most` characters: the middle of a longer one is left out; Chinese ones count twice.

    >>> from flambeau.viz.lettering import shorten
    >>> shorten("a_very_long_name_of_a_layer", 15)
    'a_very_…a_layer'
    """
    return shortened(printable(text), most)


def printable(text: str) -> str:
    """The text with line breaks as spaces, and without what XML and terminals cannot have."""
    return "".join(c if _allowed(c) else " " if c in "\n\r\t" else "\ufffd" for c in str(text))


def _allowed(c: str) -> bool:
    n = ord(c)
    return (
        0x20 <= n < 0x7F
        or 0xA0 <= n < 0xD800
        or 0xE000 <= n < 0xFFFE
        or 0x10000 <= n < 0x110000
        and n & 0xFFFE != 0xFFFE
    )

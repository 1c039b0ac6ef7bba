"""Fonts for text that matplotlib's default font cannot show: names of classes in Chinese, Japanese, Korean..."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from ..language import warn

# Parts of the names of fonts with Chinese characters (of the font itself, or of its file), the most readable first.
_PREFERRED = (
    "noto sans cjk sc", "noto sans cjk", "notosanscjk", "noto sans sc", "noto sans tc", "notosanssc", "source han sans",
    "sourcehansans", "pingfang", "hiragino sans gb", "microsoft yahei", "msyh", "jhenghei", "msjh", "wenquanyi",
    "wqy", "heiti", "simhei", "droid sans fallback", "arial unicode", "sarasa", "noto serif cjk", "notoserifcjk",
    "source han serif", "simsun", "songti", "ar pl", "uming", "ukai", "noto", "unifont", "symbol",
)  # fmt: skip


def for_text(text: str) -> tuple[list[str], str]:
    """What to add to the default font so that it shows a text: (names of fonts, characters that no font has).

    Characters that no installed font has are named in a warning, once.
    """
    other = frozenset(c for c in text if not c.isascii() and c.isprintable())
    return _for_characters(other) if other else ([], "")


@lru_cache(maxsize=64)
def _for_characters(characters: frozenset[str]) -> tuple[list[str], str]:
    from matplotlib import font_manager  # noqa: PLC0415 - an extra

    manager = font_manager.fontManager
    lacking = characters - _has(manager.findfont(font_manager.FontProperties()), characters)
    families, lacking = _choose(lacking)
    if lacking:
        # matplotlib keeps its list of fonts in a file: fonts that were installed later are not in it.
        listed = {entry.fname for entry in manager.ttflist}
        files = [(Path(path).stem, path) for path in font_manager.findSystemFonts() if path not in listed]
        new = [path for _, path in _preferred(files) if _has(path, lacking)]
        for path in new:
            manager.addfont(path)
        more, lacking = _choose(lacking) if new else ([], lacking)
        families += more
    if lacking:
        shown = "".join(sorted(lacking)[:20])
        warn(
            f"no installed font has the characters {shown} ({len(lacking)} in all): pictures show □ in their place. "
            "Install a font that has them, for Chinese Noto Sans CJK or WenQuanYi (on Debian and Ubuntu: "
            "`apt install fonts-noto-cjk`), and start Python again",
            stacklevel=5,
        )
    return families, "".join(sorted(lacking))


def _choose(characters: frozenset[str]) -> tuple[list[str], frozenset[str]]:
    """Names of fonts that matplotlib knows, as many as are needed, and the characters that remain without one."""
    from matplotlib.font_manager import fontManager  # noqa: PLC0415

    chosen: list[str] = []
    for name, path in _preferred((entry.name, entry.fname) for entry in fontManager.ttflist):
        found = _has(path, characters)
        if found:
            chosen.append(name)
            characters -= found
    return chosen, characters


def _preferred(fonts: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those (name, file) whose name is among the preferred ones, the best first."""
    ranks = [(next((k for k, part in enumerate(_PREFERRED) if part in font[0].lower()), None), font) for font in fonts]
    return [font for rank, font in sorted((rank, font) for rank, font in ranks if rank is not None)]


def _has(path: str, characters: Iterable[str]) -> frozenset[str]:
    """Those characters that the font in a file has; none if matplotlib cannot read the file."""
    from matplotlib.ft2font import FT2Font  # noqa: PLC0415

    if not characters:
        return frozenset()
    try:
        table = FT2Font(path).get_charmap()
    except (OSError, RuntimeError, ValueError):
        return frozenset()
    return frozenset(c for c in characters if ord(c) in table)

"""Which language messages are in: English, Simplified or Traditional Chinese; `translate` gives their translation.

Messages are written in English where they arise, with the values filled in. For another language, the catalogue's
template of the finished sentence is found again (`translation.py`): code that raises an error knows nothing of this,
and in English nothing is loaded.
"""

from __future__ import annotations

import os
import warnings

LANGUAGES = ("en", "zh_CN", "zh_TW")
# Where Chinese is written in traditional characters.
_TRADITIONAL = ("hant", "tw", "hk", "mo")

_chosen: str | None = None


def language() -> str:
    """The language of messages: what `set_language` was given, else `FLAMBEAU_LANG`, else the locale.

    The locale is the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set.

    >>> from flambeau.language import language, set_language
    >>> set_language("zh_HK.UTF-8")
    >>> language()
    'zh_TW'
    >>> set_language("en")
    """
    if _chosen is not None:
        return _chosen
    for variable in ("FLAMBEAU_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        name = os.environ.get(variable)
        if name:
            return _known(name)
    return "en"


def set_language(name: str | None) -> None:
    """Put messages in a language ("en", "zh_CN", "zh_TW" or any name of a locale); None asks the environment again.

    What is neither form of Chinese is English.

    >>> from flambeau.language import set_language, translate
    >>> set_language("zh_CN")
    >>> set_language("en")
    """
    global _chosen
    _chosen = None if name is None else _known(name)


def _known(name: str) -> str:
    """The language, of those there are, that the name of a locale stands for: zh_SG.UTF-8 is zh_CN."""
    parts = name.partition(".")[0].partition("@")[0].lower().replace("-", "_").split("_")
    if parts[0] != "zh":
        return "en"
    if "hans" in parts:
        return "zh_CN"
    return "zh_TW" if any(part in _TRADITIONAL for part in parts[1:]) else "zh_CN"


def translate(text: str) -> str | None:
    """The translation of an English message with its values filled in; None in English, or where there is none."""
    name = language()
    if name == "en" or not text:
        return None
    from .translation import catalogue  # noqa: PLC0415 - English must cost nothing

    return catalogue(name).translate(text)


def text(english: str) -> str:
    """What to print for an English text: its translation, else itself. Command-line texts go through this, as `_`."""
    return translate(english) or english


def both(english: str) -> str:
    """An English text, and on the next line its translation where there is one: the English can be searched for."""
    translated = translate(english)
    return english if translated is None else f"{english}\n{translated}"


def warn(message: str, category: type[Warning] = UserWarning, stacklevel: int = 1) -> None:
    """`warnings.warn` of an English text, followed by its translation where there is one.

    >>> import warnings
    >>> from flambeau.language import set_language, warn
    >>> set_language("en")
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warn("CUDA is not available. Disabling autocast.")
    >>> print(caught[0].message)
    CUDA is not available. Disabling autocast.
    """
    warnings.warn(both(message), category, stacklevel + 1)


def part(english: str) -> str:
    """The text itself: marks one line of a message that is put together of several, each with its own translation."""
    return english


_ = text


def line(label: str, words: str) -> str:
    """One labelled line of a message; a Chinese colon brings its own space."""
    return f"  {label}{words}" if label.endswith("：") else f"  {label} {words}"


def findings_text(f) -> str:
    """The message of a finding."""
    lines = [both(f.saw)]
    if f.why:
        lines.append(line(_("why:"), _(f.why)))
    if f.fix:
        lines.append(line(_("fix:"), _(f.fix)))
    more = _(f"{f.code}: `flambeau explain {f.code}` says more; `# fb: ok {f.code}` on the line silences it")
    return "\n".join([*lines, f"  {more}"])


def summary_text(often) -> str:
    """The lines at the end of a run."""
    lines = [_(f"flambeau: {len(often)} of the warnings above came up again:")]
    for f in often:
        where = str(f.site) if f.site is not None else f.place
        lines.append("  " + _(f"{f.code} at {where}: {f.count} times. {f.title}"))
    return "\n".join(lines)

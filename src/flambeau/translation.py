"""Finds the catalogue's template of a finished message, and fills the values into its translation.

A template is text with places, "expected {n} dimensions, got {shape}" ("{{" is a brace). The message "expected 4
dimensions, got (2, 3)" fits it with n = "4" and shape = "(2, 3)".
"""

from __future__ import annotations

import gettext
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).with_name("locale")
_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")
_WORD = re.compile(r"\w+")
_OPENING, _CLOSING = "([{", ")]}"


def parse(template: str) -> tuple[list[str], list[str]]:
    """The literal texts of a template, and the names of the places between them (one fewer).

    >>> parse("expected {n} dimensions, got {shape}")
    (['expected ', ' dimensions, got ', ''], ['n', 'shape'])
    """
    literals, names, at = [""], [], 0
    for found in _PLACE.finditer(template):
        literals[-1] += template[at : found.start()]
        if found[1] is None:
            literals[-1] += found[0][0]
        else:
            names.append(found[1])
            literals.append("")
        at = found.end()
    literals[-1] += template[at:]
    return literals, names


def match(literals: list[str], names: list[str], text: str) -> dict[str, str] | None:
    """What stands at each place when `text` has this form; None when it has not.

    Each place takes as little as it can, as long as its brackets close: of "sizes (2, 3), 4" the first of two places
    divided by ", " takes "(2, 3)". A name that occurs twice must stand for one text.
    """
    return _match(literals, names, text, True) or _match(literals, names, text, False)


def _match(literals, names, text, balanced):
    if not (text.startswith(literals[0]) and text.endswith(literals[-1])):
        return None
    at, end, values = len(literals[0]), len(text) - len(literals[-1]), {}
    for i, name in enumerate(names, 1):
        literal = literals[i]
        if i == len(names):
            stop = end
        else:
            stop = text.find(literal, at, end)
            while balanced and stop >= 0 and not _closed(text[at:stop]):
                stop = text.find(literal, stop + 1, end)
        if stop < at or values.setdefault(name, text[at:stop]) != text[at:stop]:
            return None
        at = stop + len(literal)
    return values


def _closed(value: str) -> bool:
    """Whether brackets and backquotes in a text come in pairs."""
    depth = sum(value.count(c) for c in _OPENING) - sum(value.count(c) for c in _CLOSING)
    return depth == 0 and value.count("`") % 2 == 0


class Catalogue:
    """The translations into one language, by template.

    >>> c = Catalogue({"expected {n}, got {shape}": "得到 {shape}，而应为 {n}"})
    >>> c.translate("expected 4, got (2, 3)")
    '得到 (2, 3)，而应为 4'
    """

    def __init__(self, texts: dict[str, str]):
        self.fixed: dict[str, str] = {}
        self.forms = []  # (literals, names, translation), those with the most literal text first
        for template, translation in texts.items():
            literals, names = parse(template)
            if names:
                self.forms.append((literals, names, translation))
            else:
                self.fixed["".join(literals)] = "".join(parse(translation)[0])
        self.forms.sort(key=lambda form: -sum(map(len, form[0])))
        self._index()

    def _index(self) -> None:
        """Puts each template under its rarest word: a message can only have the form of those whose word it has."""
        words = [_whole_words(literals) for literals, _, _ in self.forms]
        often = Counter(word for each in words for word in each)
        self.by_word: dict[str, list[int]] = {}
        for i, each in enumerate(words):
            rarest = min(each, key=lambda word: (often[word], word), default="")
            self.by_word.setdefault(rarest, []).append(i)

    def translate(self, text: str) -> str | None:
        """The translation of a finished message; None where no template fits."""
        if text in self.fixed:
            return self.fixed[text]
        candidates = {i for word in {"", *_WORD.findall(text)} for i in self.by_word.get(word, ())}
        for i in sorted(candidates):
            literals, names, translation = self.forms[i]
            values = match(literals, names, text)
            if values is not None:
                return self._fill(translation, values)
        return None

    def _fill(self, translation, values):
        literals, names = parse(translation)
        parts = [literals[0]]
        for name, literal in zip(names, literals[1:], strict=True):
            parts += (self._value(values[name]), literal)
        return "".join(parts)

    def _value(self, value):
        """A value; translated if it is itself a sentence of the catalogue, or lines of such. A word is a name."""
        if "\n" not in value:
            return self.fixed.get(value, value) if " " in value else value
        bare = [(line, line.lstrip()) for line in value.split("\n")]
        return "\n".join(line.removesuffix(text) + (self.translate(text) or text) for line, text in bare)


def _whole_words(literals: list[str]) -> set[str]:
    """The words of a template that no place touches: they stand in a message as they are."""
    words = set()
    for i, literal in enumerate(literals):
        for found in _WORD.finditer(literal):
            glued = (i > 0 and found.start() == 0) or (i < len(literals) - 1 and found.end() == len(literal))
            if not glued:
                words.add(found[0])
    return words


@lru_cache
def catalogue(language: str) -> Catalogue:
    """The catalogue of a language, read when it is first needed."""
    read = gettext.translation("flambeau", FOLDER, [language])
    # gettext looks up by the exact text only; what it has read is in `_catalog` in every version of Python.
    return Catalogue({key: value for key, value in read._catalog.items() if key and value})  # type: ignore[attr-defined]

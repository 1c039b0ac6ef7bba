"""How many columns text takes on a terminal, two for a Chinese character, and text shortened to fit into some."""

from __future__ import annotations

import unicodedata


def wide(text: str) -> int:
    """The columns that a text takes; about its width in Latin letters, in a picture.

    >>> from flambeau.widths import wide
    >>> wide("cat"), wide("猫")
    (3, 2)
    """
    if text.isascii():
        return len(text)
    return sum([0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text])


def shorten(text: str, most: int) -> str:
    """A text in at most so many columns: the middle of a longer one goes, because both ends of a path tell it apart.

    >>> from flambeau.widths import shorten
    >>> shorten("encoder.layers.11.self_attn.out_proj.weight", 24), shorten("很长的类别名称", 10)
    ('encoder.laye…proj.weight', '很长…名称')
    """
    if wide(text) <= most:
        return text
    head, tail = "", ""
    while wide(head + tail) < most - 1:
        if wide(head) <= wide(tail):
            head = text[: len(head) + 1]
        else:
            tail = text[-len(tail) - 1 :]
    while wide(head + tail) > most - 1 and head:
        head = head[:-1]
    return head + "…" + tail

"""Words coloured by their attribution, as HTML for notebooks and as a page: what is behind `visualize_text`."""

from __future__ import annotations

import html
import math
import os
import sys
from collections.abc import Iterable
from typing import Any

from ..errors import ArgumentError, ArgumentTypeError, CannotWrite
from ..language import language
from ..language import text as _
from ..told import tell
from ..viz import style

__all__ = [
    "VisualizationDataRecord", "format_classname", "format_special_tokens", "format_tooltip", "format_word_importances",
    "visualize_text",
]  # fmt: skip

# Everything that is coloured has a translucent background and the page's own colour of text, so that it can be read on
# a light and on a dark page; the contrast is at least 4.5 to 1 on both, at any strength.
_GREEN, _RED, _MOST = "120, 60%, 35%", "0, 75%, 50%", 0.75

_STYLE = """
.fbtext{color-scheme:light dark;font-size:.95rem;line-height:1.5}
.fbtext .scroll{overflow-x:auto}
.fbtext table{border-collapse:collapse}
.fbtext th,.fbtext td{padding:.35rem .8rem;text-align:left;vertical-align:top;border-bottom:1px solid #8885}
.fbtext th,.fbtext td:not(:last-child){white-space:nowrap}
.fbtext td:last-child{min-width:16rem;line-height:1.9}
.fbtext mark{padding:.12em .25em;border-radius:.25em;white-space:pre-wrap}
@media(max-width:44rem){.fbtext tr:has(th){display:none}.fbtext tr{display:block;border-bottom:1px solid #8885}
.fbtext td:not(:last-child),.fbtext td{display:block;border:0;padding:.1rem 0;white-space:normal}}
.fbtext .legend{margin:0 0 .6rem}
.fbtext .legend span{display:inline-block;width:.85em;height:.85em;border:1px solid #888;vertical-align:-.1em;
margin:0 .3em 0 .9em}
"""


class VisualizationDataRecord:
    """What `visualize_text` shows of one sentence.

    Arguments:
        word_attributions: a number from -1 to 1 for each word (divide by the largest absolute value to get there).
        pred_prob: probability of the predicted class.
        pred_class, true_class, attr_class: the class predicted, the right one, and the one that the attributions are
            about; numbers or names.
        attr_score: sum of the attributions.
        raw_input_ids: the words.
        convergence_score: convergence delta of the method; kept, not shown.

    >>> from flambeau.attr import visualization as viz
    >>> record = viz.VisualizationDataRecord([0.8, -0.1], 0.97, "good", "good", "good", 0.7, ["fine", "day"], 0)
    >>> record
    VisualizationDataRecord(2 words, predicted good (0.97))
    """

    __slots__ = (
        "attr_class", "attr_score", "convergence_score", "pred_class", "pred_prob", "raw_input_ids", "true_class",
        "word_attributions",
    )  # fmt: skip

    def __init__(
        self,
        word_attributions: Any,
        pred_prob: float,
        pred_class: Any,
        true_class: Any,
        attr_class: Any,
        attr_score: float,
        raw_input_ids: list[str],
        convergence_score: float,
    ):
        self.word_attributions = word_attributions
        self.pred_prob = pred_prob
        self.pred_class = pred_class
        self.true_class = true_class
        self.attr_class = attr_class
        self.attr_score = attr_score
        self.raw_input_ids = raw_input_ids
        self.convergence_score = convergence_score

    def __repr__(self):
        return (
            f"VisualizationDataRecord({len(self.raw_input_ids)} words, "
            f"predicted {self.pred_class} ({_number(self.pred_prob, 'pred_prob'):.2f}))"
        )


class ColouredText:
    """HTML that a notebook shows, with its text as `data` (as `IPython.display.HTML` has it) and `save` for a page."""

    def __init__(self, data: str):
        self.data = data

    def _repr_html_(self) -> str:
        return self.data

    def __html__(self) -> str:
        return self.data

    def __str__(self) -> str:
        return self.data

    def save(self, path: str | os.PathLike, title: str | None = None) -> None:
        """Write a page of its own that needs nothing else: in UTF-8, light or dark as the reader's system is.

        Arguments:
            path: the file.
            title: its title and heading. Default: what it is.
        Raises OSError where the file cannot be written.
        """
        tag = {"zh_CN": "zh-Hans", "zh_TW": "zh-Hant"}.get(language(), "en")
        heading = html.escape(_("Attribution of words") if title is None else title)
        page = (
            f'<!doctype html>\n<html lang="{tag}"><head><meta charset="utf-8"><title>{heading}</title>\n'
            '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
            "<style>:root{color-scheme:light dark}body{margin:2rem auto;max-width:64rem;padding:0 1rem;"
            "font-family:system-ui,sans-serif}h1{font-size:1.4rem}</style></head>\n"
            f"<body><h1>{heading}</h1>\n{self.data}\n</body></html>\n"
        )
        try:
            with open(os.fspath(path), "w", encoding="utf-8", errors="replace") as file:
                file.write(page)
        except OSError as error:
            raise CannotWrite(
                f"the page cannot be written to {os.fspath(path)}",
                why=f"the system says: {error.strerror or error}",
                fix="give the name of a file in a folder that exists and that you may write to",
            ) from error


def visualize_text(datarecords: Iterable[VisualizationDataRecord], legend: bool = True) -> ColouredText:
    """A table of sentences, each word on a background of its attribution: green speaks for the class, red against it.

    In a notebook it is displayed at once. The number of a word appears when the mouse rests on it, and words that speak
    against the class are underlined with dashes, so that the two kinds can be told apart without colours.

    Arguments:
        datarecords: `VisualizationDataRecord`s.
        legend: explain the colours above the table. Default: True.
    Returns: an object with `data` (the HTML), `_repr_html_` and `save(path)`, which writes a page of its own.
    Raises ValueError for attributions that are not finite, and for fewer of them than words.
    Source: the form of the table is Captum's.

    >>> from flambeau.attr import visualization as viz
    >>> record = viz.VisualizationDataRecord([0.9, -0.6], 0.8, "正面", "正面", "正面", 0.3, ["很", "但"], 0)
    >>> page = viz.visualize_text([record])
    >>> "很" in page.data
    True
    """
    if isinstance(datarecords, VisualizationDataRecord) or not isinstance(datarecords, Iterable):
        datarecords = [datarecords]
    records = list(datarecords)
    for record in records:
        if not all(hasattr(record, name) for name in VisualizationDataRecord.__slots__):
            raise ArgumentTypeError(
                f"visualize_text shows VisualizationDataRecords, not {type(record).__name__}",
                fix="make `VisualizationDataRecord(word_attributions, pred_prob, pred_class, true_class, attr_class, "
                "attr_score, raw_input_ids, convergence_score)` of each sentence",
            )
    _look_at_size(records)
    parts = [f'<div class="fbtext"><style>{_STYLE}</style>']
    if legend:
        parts.append(_legend())
    names = (
        _("True Label"),
        _("Predicted Label"),
        _("Attribution Label"),
        _("Attribution Score"),
        _("Word Importance"),
    )
    # On a narrow page each cell becomes a line of its own, with the name of its column before it.
    labels = "".join(f'.fbtext td:nth-child({i})::before{{content:"{name}: "}}' for i, name in enumerate(names[:-1], 1))
    parts.append(f"<style>@media(max-width:44rem){{{labels}}}</style>")
    parts.append('<div class="scroll"><table><tr>' + "".join(f"<th>{html.escape(n)}</th>" for n in names) + "</tr>")
    for record in records:
        probability = _number(record.pred_prob, "pred_prob")
        parts.append(
            "<tr>"
            + format_classname(record.true_class)
            + format_classname(f"{_label(record.pred_class)} ({probability:.2f})")
            + format_classname(record.attr_class)
            + format_classname(f"{_number(record.attr_score, 'attr_score'):.2f}")
            + format_word_importances(record.raw_input_ids, record.word_attributions)
            + "</tr>"
        )
    parts.append("</table></div></div>")
    made = ColouredText("\n".join(parts))
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        ipython.display.display(made)
    return made


def _legend() -> str:
    """The three colours and what they mean."""
    samples = ((-1, _("Negative")), (0, _("Neutral")), (1, _("Positive")))
    swatches = "".join(
        f'<span style="background-color: {_get_color(value)}"></span>{html.escape(label)}' for value, label in samples
    )
    return f'<p class="legend"><b>{html.escape(_("Legend:"))}</b>{swatches}</p>'


def _look_at_size(records) -> None:
    """A warning if all words of all records would stay without colour because their numbers are small."""
    largest = max((max(map(abs, _numbers(r.word_attributions)), default=0) for r in records), default=0)
    if 0 < largest < 0.02:
        tell(
            f"the largest attribution of all words is {largest:.2g}: next to nothing will be coloured, because colours "
            "are for numbers from -1 to 1. Divide each sentence's attributions by `attributions.abs().max()`"
        )


def _label(name: Any) -> str:
    """A class as text; a tensor of one number as that number."""
    return str(name.item() if hasattr(name, "item") and getattr(name, "ndim", 1) == 0 else name)


def _number(value: Any, name: str) -> float:
    """A number of a record, whatever it comes as (a tensor of one element is one)."""
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentTypeError(
            f"{name} of a VisualizationDataRecord is not a number: {type(value).__name__}",
            why="it is shown with two decimals",
            fix=f"pass a float as `{name}`, for instance `tensor.item()`",
        ) from error


def _numbers(importances: Any) -> list[float]:
    """Attributions of words as floats, whatever they come in."""
    if importances is None:
        return []
    array = style.numbers(importances, "word_attributions")
    if array.ndim != 1:
        raise ArgumentError(
            f"Expected 1D array, got {tuple(array.shape)}",
            why="each word has one attribution",
            fix="sum over the dimension of the embedding: `attributions.sum(dim=-1).squeeze(0)`",
        )
    return [float(value) for value in array]


def _get_color(attr: float) -> str:
    """The background of a word, for an attribution from -1 to 1; what lies beyond is as strong as the ends."""
    strength = min(1.0, abs(attr))
    return f"hsla({_GREEN if attr > 0 else _RED}, {_MOST * strength:.2f})"


def format_classname(classname: Any) -> str:
    """A cell of the table with the name of a class in it.

    >>> from flambeau.attr.visualization import format_classname
    >>> format_classname("<unk>")
    '<td><b>&lt;unk&gt;</b></td>'
    """
    return f"<td><b>{html.escape(_label(classname))}</b></td>"


def format_special_tokens(token: str) -> str:
    """A token such as `<pad>` as `#pad`; any other as it is.

    >>> from flambeau.attr.visualization import format_special_tokens
    >>> format_special_tokens("<pad>"), format_special_tokens("word")
    ('#pad', 'word')
    """
    if token.startswith("<") and token.endswith(">"):
        return "#" + token.strip("<>")
    return token


def format_tooltip(item: str, text: str) -> str:
    """An item that shows a text when the mouse rests on it.

    >>> from flambeau.attr.visualization import format_tooltip
    >>> format_tooltip("a < b", "less")
    '<span title="less">a &lt; b</span>'
    """
    return f'<span title="{html.escape(str(text))}">{html.escape(str(item))}</span>'


def format_word_importances(words: Iterable[str], importances: Any) -> str:
    """A cell of the table with words, each on a background of its importance.

    Arguments:
        words: the words, or tokens.
        importances: a number from -1 to 1 for each (a tensor, an array or a list); further ones are left out.
    Raises ValueError if there are fewer numbers than words, or a number is not finite.

    >>> from flambeau.attr.visualization import format_word_importances
    >>> format_word_importances(["good"], [0.5])
    '<td> <mark style="background-color: hsla(120, 60%, 35%, 0.38); color: inherit" title="+0.5">good</mark></td>'
    """
    words, values = [str(word) for word in words], _numbers(importances)
    if not values:
        return "<td></td>"
    if len(words) > len(values):
        raise ArgumentError(
            f"there are {len(words)} words and {len(values)} attributions",
            why="each word is coloured by its own attribution",
            fix="pass as many attributions as words (special tokens and padding among them)",
        )
    cell = ["<td>"]
    for i, (word, value) in enumerate(zip(words, values)):
        if not math.isfinite(value):
            raise ArgumentError(
                f"the attribution of word {i} ({word!r}) is {value}",
                why="only finite numbers can be shown as colours",
                fix="look for nan or inf in the model's output and its gradients",
            )
        word = format_special_tokens(word).replace("\n", "↵")
        against = "; text-decoration: underline dashed" if value <= -0.1 else ""
        cell.append(
            f' <mark style="background-color: {_get_color(value)}; color: inherit{against}" title="{value:+.3g}">'
            f"{html.escape(word)}</mark>"
        )
    return "".join([*cell, "</td>"])

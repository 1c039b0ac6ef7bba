"""A summary as a page: one table whose rows fold, with bars for shares; no script, no network, light and dark."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..language import language
from ..language import text as _
from .layer_info import LayerInfo
from .layers_text import milliseconds, size

if TYPE_CHECKING:
    from .layers import ModelStatistics

STYLE = """
.fbsum{color-scheme:light dark;--line:#8883;--soft:#8881;--p:#2f6fb3;--t:#b3591a;--dim:#5c6370;
font:15px/1.45 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;container-type:inline-size}
@media(prefers-color-scheme:dark){.fbsum{--p:#7db4ee;--t:#f0a870;--dim:#a9b1bd}}
.fbsum dl{display:flex;flex-wrap:wrap;gap:.5rem 2rem;margin:0 0 1rem}
.fbsum.fbsum dl dt,.fbsum.fbsum dl dd{float:none;width:auto;padding:0}/* notebooks set these side by side */
.fbsum dt{color:var(--dim);font-size:.85em}.fbsum dd{margin:0;font-weight:600;font-variant-numeric:tabular-nums}
.fbsum .r{display:grid;grid-template-columns:minmax(9rem,2.2fr) minmax(6.5rem,1.2fr) minmax(7rem,1.2fr)
minmax(6rem,.9fr) minmax(6.5rem,1.1fr) minmax(4.5rem,.6fr);gap:0 .8rem;padding:.16rem .3rem;
border-bottom:1px solid var(--line);align-items:baseline;list-style:none;min-height:1.5rem}
.fbsum .h{font-weight:600;border-bottom:2px solid var(--line);color:var(--dim)}
.fbsum summary.r{cursor:pointer}.fbsum summary.r::-webkit-details-marker{display:none}
.fbsum .r:hover{background:var(--soft)}.fbsum summary.r:focus-visible{outline:2px solid var(--p);outline-offset:-2px}
.fbsum .n{padding-left:calc(var(--d)*1.15rem + 1.1rem);text-indent:-1.1rem;overflow-wrap:anywhere}
.fbsum .n::before{content:"";display:inline-block;width:1.1rem;text-indent:0;color:var(--dim)}
.fbsum summary>.n::before{content:"▸"}.fbsum details[open]>summary>.n::before{content:"▾"}
.fbsum code{font-family:ui-monospace,monospace;font-size:.95em}.fbsum .c{color:var(--dim)}
.fbsum .v{font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.fbsum .b{display:grid;grid-template-columns:1fr auto;column-gap:.5rem}
.fbsum .b i{grid-column:1/3;height:.3rem;background:var(--soft);border-radius:.15rem;overflow:hidden;margin:.1rem 0}
.fbsum .b i::before{content:"";display:block;height:100%;width:var(--w);background:var(--k);border-radius:.15rem}
.fbsum .s{color:var(--dim);font-size:.85em}.fbsum .w{color:var(--dim);font-size:.92em}
.fbsum p{color:var(--dim);font-size:.88em;margin:.6rem 0 0;max-width:60rem}
@container(max-width:46rem){.fbsum .h{display:none}.fbsum .r{grid-template-columns:repeat(auto-fit,minmax(7.5rem,1fr))}
.fbsum .n{grid-column:1/-1}.fbsum .v[data-l]:not(:empty)::before{content:attr(data-l);display:block;color:var(--dim);
font-size:.8em;grid-column:1/3}}
@media print{.fbsum{color-scheme:light}}
"""


def page(stats: ModelStatistics, title: str) -> str:
    """A whole page."""
    tag = {"zh_CN": "zh-Hans", "zh_TW": "zh-Hant"}.get(language(), "en")
    return (
        f'<!doctype html>\n<html lang="{tag}"><head><meta charset="utf-8"><title>{_e(title)}</title>\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        "<style>:root{color-scheme:light dark}body{margin:1.5rem auto;max-width:84rem;padding:0 1rem;"
        'font-family:system-ui,"Noto Sans CJK SC",sans-serif}h1{font-size:1.4rem;overflow-wrap:anywhere}</style>'
        "</head>\n"
        f"<body>\n<h1>{_e(title)}</h1>\n{section(stats)}\n</body></html>\n"
    )


def section(stats: ModelStatistics) -> str:
    """The summary as a part of a page."""
    facts = "".join(f"<div><dt>{_e(name)}</dt><dd>{_e(value)}</dd></div>" for name, value in _facts(stats))
    labels = _labels()
    head = "".join(f"<span>{_e(label)}</span>" for label in labels)
    rows = stats.summary_list
    body = "".join(_row(row, stats, labels) for row in rows if not row.depth)
    note = ""
    if stats.total_seconds is not None:
        note = _e(
            _(
                "Times are medians of several runs on this machine, and contain the layers inside. Memory is what the "
                "operations of a layer keep for the backward pass."
            )
        )
    return (
        f'<section class="fbsum"><style>{STYLE}</style><dl>{facts}</dl>\n<div class="r h">{head}</div>\n{body}'
        f"{f'<p>{note}</p>' if note else ''}</section>"
    )


def _labels() -> list[str]:
    return [_("Layer"), _("Output"), _("Parameters"), _("Multiply–adds"), _("Milliseconds"), _("Memory")]


def _facts(stats: ModelStatistics) -> Iterator[tuple[str, str]]:
    yield _("Parameters"), f"{stats.total_params:,}"
    frozen = stats.total_params - stats.trainable_params
    if frozen:
        yield _("Frozen parameters"), f"{frozen:,}"
    yield _("Memory of the parameters"), size(stats.total_param_bytes)
    if stats.input_size:
        yield _("Multiply–adds"), f"{stats.total_mult_adds:,}"
        yield _("Input"), size(stats.total_input)
        yield _("Kept for the backward pass"), size(stats.total_saved_bytes)
    if stats.total_seconds is not None:
        yield _("Forward pass"), f"{milliseconds(stats.total_seconds)} ms"


def _row(row: LayerInfo, stats: ModelStatistics, labels: list[str]) -> str:
    """A row, with those inside it."""
    name = f"<code>{_e(row.var_name)}</code> <span class=c>{_e(row.class_name)}</span>" if row.depth else ""
    name = name or f"<code>{_e(row.class_name)}</code>"
    cells = f'<span class=n style="--d:{row.depth}">{name}</span>' + "".join(
        f'<span class="v{extra}" data-l="{_e(label)}">{made}</span>'
        for label, (made, extra) in zip(labels[1:], _cells(row, stats))
    )
    inner = [_row(child, stats, labels) for child in row.children if child.depth == row.depth + 1]
    if not inner and not row.is_recursive:
        inner = [_weight(row, *found) for found in row.parameters]
    if not inner:
        return f'<div class="r">{cells}</div>\n'
    unfolded = bool(row.children) and row.depth < stats.formatting.max_depth
    return f'<details{" open" if unfolded else ""}><summary class="r">{cells}</summary>\n{"".join(inner)}</details>\n'


def _weight(row: LayerInfo, name: str, shape: list[int], count: int) -> str:
    return (
        f'<div class="r w"><span class=n style="--d:{row.depth + 1}"><code>{_e(name)}</code></span>'
        f"<span class=v>{_shape(shape)}</span><span class=v>{count:,}</span></div>\n"
    )


def _cells(row: LayerInfo, stats: ModelStatistics) -> Iterator[tuple[str, str]]:
    """(content, further classes) of the cells behind the name."""
    yield _shape(row.output_size), ""
    count = row.total("own_params")
    if row.is_recursive and row.num_params:
        yield _e(_("(used again)")), ""
    elif not count and row.num_params:
        yield _e(_("(shared)")), ""
    else:
        frozen = "" if row.trainable_params or not count else f" <span class=s>{_e(_('frozen'))}</span>"
        yield _bar(f"{count:,}{frozen}", count, stats.total_params, "p")
    macs = row.total("macs")
    yield (f"{macs:,}" if macs else ""), ""
    seconds = row.seconds
    if seconds is None and not row.executed and row.calls:  # a container: what its layers take
        seconds = sum(call.seconds or 0.0 for call in row.calls)
    if seconds is None:
        yield "", ""
    else:
        yield _bar(milliseconds(seconds), seconds, stats.total_seconds or 0, "t")
    saved = row.total("saved_bytes")
    yield (size(saved) if saved else ""), ""


def _bar(text: str, part: float, whole: float, colour: str) -> tuple[str, str]:
    """A number with its share of the whole, in figures and as a bar."""
    if not part or not whole:
        return ("" if text == "0" else f"<span>{text}</span>"), ""
    share = min(part / whole, 1)
    percent = f"{share:.1%}" if share >= 0.0005 else "< 0.1%"
    return (
        f'<span>{text}</span><span class=s>{_e(percent)}</span><i style="--w:{share:.2%};--k:var(--{colour})"></i>',
        " b",
    )


def _shape(sizes: list[int]) -> str:
    return _e(" × ".join(map(str, sizes))) if sizes else ""


def _e(text: str) -> str:
    return html.escape(text)

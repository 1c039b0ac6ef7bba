"""The doctor's report as a self-contained HTML page: no network, light and dark, plots drawn by matplotlib."""

from __future__ import annotations

import html
import math
import re
from typing import TYPE_CHECKING

from .. import pages
from ..errors import MissingDependency
from ..language import language
from ..language import text as _
from ..viz import style
from .report import _level, _shown, advice, where

if TYPE_CHECKING:
    from .report import Curve, Report

STYLE = """
.fbdoc{color-scheme:light dark;--e:#b3261e;--w:#8a5a00;--h:#0b6472;--line:#8884;font:16px/1.5 system-ui,sans-serif;
max-width:60rem}
@media(prefers-color-scheme:dark){.fbdoc{--e:#ff8a80;--w:#ffc36b;--h:#7fd6e6}}
.fbdoc ol{list-style:none;padding:0}
.fbdoc li.finding{border-left:.3rem solid var(--c);padding:.2rem 0 .2rem 1rem;margin:1.2rem 0}
.fbdoc .E{--c:var(--e)}.fbdoc .W{--c:var(--w)}.fbdoc .H{--c:var(--h)}
.fbdoc .level{color:var(--c);font-weight:600}
.fbdoc h3{margin:0;font-size:1.05rem}.fbdoc p{margin:.3rem 0}
.fbdoc .dim{opacity:.75;font-size:.9rem}
.fbdoc code,.fbdoc pre{font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere}
.fbdoc .fix{font-weight:600}.fbdoc h4{margin:.6rem 0 0}
.fbdoc summary{cursor:pointer;opacity:.75;font-size:.9rem}.fbdoc details pre{overflow-x:auto;border:1px solid
var(--line);padding:.5rem;border-radius:.3rem}
.fbdoc .scroll{overflow-x:auto}
.fbdoc table{border-collapse:collapse;font-size:.9rem;margin:.5rem 0}
.fbdoc td,.fbdoc th{padding:.2rem .7rem;border-bottom:1px solid var(--line);text-align:right}
.fbdoc td:first-child,.fbdoc th:first-child{text-align:left}
.fbdoc figure{margin:1rem 0}.fbdoc svg{max-width:100%;height:auto;background:#fff;border-radius:.3rem}
"""


def page(report: Report, title: str) -> str:
    """A whole page."""
    tag = {"zh_CN": "zh-Hans", "zh_TW": "zh-Hant"}.get(language(), "en")
    return (
        f'<!doctype html>\n<html lang="{tag}"><head><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1"></head>\n'
        "<style>:root{color-scheme:light dark}body{margin:2rem auto;max-width:60rem;padding:0 1rem;"
        "font-family:system-ui,sans-serif}</style>\n"
        f"<body>\n<h1>{html.escape(title)}</h1>\n"
        f"{section(report)}\n</body></html>\n"
    )


def section(report: Report) -> str:
    """The report as a part of a page."""
    parts = [f'<section class="fbdoc"><style>{STYLE}</style>']
    if report.facts:
        rows = "".join(f"<tr><td>{_e(_(str(k)))}</td><td>{_e(str(v))}</td></tr>" for k, v in report.facts.items())
        parts.append(f'<div class="scroll"><table>{rows}</table></div>')
    if not report.findings:
        parts.append(f"<p>{_e(_('The doctor found nothing wrong.'))}</p>")
    parts.append("<ol>")
    for f in report.findings:
        said = advice(f)
        parts.append(
            f'<li class="finding {f.level}"><h3><span class="level">{f.code} · {_e(_level(f))}</span> '
            f"{_e(said['title'])}</h3>"
        )
        if where(f):
            parts.append(f'<p class="dim">{_code(where(f))}</p>')
        parts.append(f"<p>{_code(said['saw'])}</p>")
        if said["original"]:
            parts.append(f'<p class="dim" lang="en">{_code(said["original"])}</p>')
        if said["why"]:
            parts.append(f"<p>{_code(said['why'])}</p>")
        if said["fix"]:
            parts.append(f'<p class="fix">{_e(_("fix:"))} {_code(said["fix"])}</p>')
        if f.evidence:
            numbers = ", ".join(f"{k} = {_shown(v)}" for k, v in f.evidence.items())
            parts.append(f'<p class="dim">{_e(numbers)}</p>')
        parts.append(f"<details><summary>flambeau explain {f.code}</summary>{explained(f.code)}</details>")
        parts.append("</li>")
    parts.append("</ol>")
    for table in report.tables:
        head = "".join(f"<th>{_e(_(str(c)))}</th>" for c in table.columns)
        rows = "".join("<tr>" + "".join(f"<td>{_e(_shown(v))}</td>" for v in row) + "</tr>" for row in table.rows)
        parts.append(f'<h3>{_e(_(table.title))}</h3><div class="scroll"><table><tr>{head}</tr>{rows}</table></div>')
    for curve in report.curves:
        parts.append(f"<figure><figcaption>{_e(_(curve.title))}</figcaption>{drawing(curve)}</figure>")
    parts.append("</section>")
    return "\n".join(parts)


def explained(code: str) -> str:
    """The page of a code, so that the report says all without a network; its Markdown is set plainly."""
    body = []
    for i, part in enumerate(pages.page(code).split("```")):
        if i % 2:
            body.append(f"<pre>{_e(part.partition(chr(10))[2])}</pre>")
            continue
        for line in filter(None, part.split("\n")):
            heading = re.fullmatch(r"#+ (.*)", line)
            bold = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", _code(line))
            body.append(f"<h4>{_code(heading[1])}</h4>" if heading else f"<p>{bold}</p>")
    return "".join(body)


def drawing(curve: Curve) -> str:
    """A curve as SVG; a table of its ends where matplotlib is not installed or nothing can be drawn."""
    finite = {
        name: [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y) and (y > 0 or not curve.log)]
        for name, points in curve.lines.items()
    }
    finite = {name: points for name, points in finite.items() if points}
    if not finite:
        return f"<p>{_e(_('There are no finite numbers to draw.'))}</p>"
    try:
        figure = style.figure(7, 2.6, shown=False)
    except MissingDependency:
        return f"<p>{_e(_('Plots need matplotlib: pip install flambeau[viz]'))}</p>"
    axes = figure.add_subplot()
    for name, points in finite.items():
        axes.plot(*zip(*points), label=name, linewidth=1.4, marker="." if len(points) == 1 else None)
    if curve.log:
        axes.set_yscale("log")
    if len(finite) > 1:
        axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    return style.svg(style.finish(axes))


def _e(text: str) -> str:
    return html.escape(text)


def _code(text: str) -> str:
    """Text whose parts in backquotes become code."""
    parts = text.split("`")
    return "".join(f"<code>{_e(p)}</code>" if i % 2 else _e(p) for i, p in enumerate(parts)).replace("\n", "<br>")

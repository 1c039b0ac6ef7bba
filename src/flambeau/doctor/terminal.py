"""The doctor's report on a terminal, drawn by rich."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ..language import text as _
from .report import _level, _shown, advice, where, writable

if TYPE_CHECKING:
    from .report import Report

_COLOURS = {"E": "bold red", "W": "bold yellow", "H": "cyan"}


def show(report: Report, file: TextIO, width: int | None = None) -> None:
    """Print a report: a table of findings, then the other tables."""
    console = Console(file=writable(file), width=width, highlight=False)
    for name, value in report.facts.items():
        console.print(f"[dim]{escape(_(str(name)))}[/dim]  {escape(str(value))}")
    if not report.findings:
        console.print(f"[green]{escape(_('The doctor found nothing wrong.'))}[/green]")
    else:
        table = Table(box=box.SIMPLE_HEAD, show_lines=False, pad_edge=False, expand=False)
        for column in ("", _("code"), _("finding")):
            table.add_column(column, overflow="fold", no_wrap=column == _("code"))
        for number, f in enumerate(report.findings, 1):
            said = advice(f)
            text = Text(said["title"], style="bold")
            if where(f):
                text.append(f"\n{where(f)}", style="dim")
            text.append(f"\n{said['saw']}")
            if said["original"]:
                text.append(f"\n{said['original']}", style="dim")
            if said["why"]:
                text.append(f"\n{said['why']}")
            if said["fix"]:
                text.append("\n" + (_("fix:") + " ").replace("： ", "："), style="bold green")
                text.append(said["fix"], style="green")
            if f.count > 1:
                text.append("\n" + _(f"seen {f.count} times"), style="dim")
            code = Text(f.code, style=_COLOURS[f.level])
            code.append(f"\n{_level(f)}", style="dim")
            table.add_row(str(number), code, text)
            table.add_section()
        console.print(table)
    for other in report.tables:
        drawn = Table(title=_(other.title), box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
        for i, column in enumerate(other.columns):
            drawn.add_column(_(str(column)), justify="left" if i == 0 else "right", overflow="fold")
        for row in other.rows:
            drawn.add_row(*(escape(_shown(v)) for v in row))
        console.print(drawn)

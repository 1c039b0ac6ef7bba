"""The page of a run, and the page that compares runs: one HTML file with its style, script and data in it."""

from __future__ import annotations

import html
import json
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import __version__
from ..generator import DEFAULT_SEED
from .records import Record

ASSETS = Path(__file__).with_name("assets")
SCRIPTS = tuple(f"{name}.js" for name in ("base", "scales", "chart", "charts", "sections", "compare", "page", "start"))
PICTURES = 8  # of one name that the page shows: the first, the last, and some between
TEXT = 150_000  # letters of the program that the page shows
# Nothing is ever fetched: browsers hold the page to it.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'"


@lru_cache(None)
def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def page(records: list[Record], kind: str = "run", title: str = "", **more: Any) -> str:
    """The text of a page.

    Arguments:
        records: the runs. kind: "run" for the page of one, "compare" for several. title: until the script has run.
        more: further data for the script.
    """
    data = {
        "kind": kind,
        "version": __version__,
        "written": time.time(),
        "unseeded": str(DEFAULT_SEED),
        "texts": json.loads(_asset("texts.json")),
        "runs": [content(record, pictures=kind == "run") for record in records],
        **more,
    }
    # "<" is the only letter that could end the script's element or open another.
    encoded = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title or records[0].name)} · flambeau</title>\n"
        f'<link rel="icon" href="data:,">\n<style>\n{_asset("page.css")}</style>\n</head>\n<body>\n'
        "<noscript>This page draws its charts with JavaScript, which is switched off. "
        "The numbers are in metrics.jsonl beside it.</noscript>\n"
        f'<script type="application/json" id="data">{encoded}</script>\n'
        + "".join(f"<script>\n{_asset(name)}</script>\n" for name in SCRIPTS)
        + "</body>\n</html>\n"
    )


def content(record: Record, pictures: bool = True) -> dict[str, Any]:
    """What the page shows of one run, as plain data."""
    state, metrics = record.state, record.metrics
    epochs = metrics.axis()
    room, code = TEXT, []
    for file in state["code"]:
        shown = len(file.get("text", "")) <= room
        room -= len(file.get("text", "")) if shown else 0
        code.append(file if shown else {k: v for k, v in file.items() if k != "text"})
    shown_items = []
    if pictures:
        left_out = _superfluous(state["items"])
        for i, item in enumerate(state["items"]):
            if item["kind"] != "picture":
                shown_items.append(item)
            elif i not in left_out:
                shown_items.append({**item, "source": record.picture(item["file"])})
    model = state.get("model")
    if model is not None and pictures:
        model = {**model, "source": record.picture(model["file"]) if "file" in model else ""}
    return {
        **state,
        "model": model,
        "folder": str(record.folder),
        "metrics": metrics.plain(),
        "epochs": epochs,
        "epoch": metrics.epochs[-1][1] if metrics.epochs else None,
        "steps": metrics.steps + 1,
        "seconds": state.get("seconds", metrics.seconds),
        "code": code,
        "items": shown_items,
    }


def _superfluous(items: list[dict]) -> set[int]:
    """The numbers of the pictures that are not shown, because there are many under their name."""
    names: dict[str, list[int]] = {}
    for i, item in enumerate(items):
        if item["kind"] == "picture":
            names.setdefault(item["name"], []).append(i)
    left_out = set()
    for numbers in names.values():
        kept = {numbers[round(k * (len(numbers) - 1) / (PICTURES - 1))] for k in range(PICTURES)}
        left_out |= set(numbers) - kept
    return left_out

"""What a run's record can hold beside numbers: figures, images, tables, texts, the model, profiles, checkpoints."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import ArgumentTypeError
from ..nn.modules.module import Module
from ..nn.parameter import is_lazy
from . import folder, pictures
from .findings import report as plain_report
from .records import Record
from .settings import configuration

PROFILE_ROWS = 40


class Contents:
    """The `add_*` methods of `Run`."""

    record: Record
    folder: Path
    open: bool
    flush: Callable[[], None]
    _failed: Callable[[OSError], None]

    def add_config(self, config: Any = None, **settings: Any) -> None:
        """Add settings that were not known when the run began.

        Arguments:
            config: as `Run` takes it; settings: further ones by name.
        """
        self.record.config.update({**configuration(config), **configuration(settings)})

    def add_figure(self, name: str, figure: Any, step: int | None = None, *, caption: str = "") -> None:
        """Add a figure of matplotlib, or a drawing of `flambeau.viz`.

        Arguments:
            name: its title. Figures of one name at several steps are shown one at a time.
            figure: the figure; it is not closed.
            step: the step it belongs to. Default: the last.
            caption: a sentence shown below it.
        """
        _check(name)
        file = self._keep(*pictures.of_figure(figure))
        self._add("picture", name, step, caption=str(caption), file=file)

    def add_image(
        self, name: str, image: Any, step: int | None = None, *, caption: str = "", dataformats: str = ""
    ) -> None:
        """Add an image: a tensor or array of pixels, a PIL image, or the path of a picture's file.

        Arguments:
            name, step, caption: as for `add_figure`.
            image: (H, W), (C, H, W), (H, W, C), or several as (N, C, H, W); floats from 0 to 1, or bytes.
            dataformats: what the dimensions are, such as "HWC", where the shape leaves it open.
        """
        _check(name)
        file = self._keep(*pictures.of_image(image, dataformats))
        self._add("picture", name, step, caption=str(caption), file=file)

    def _keep(self, ending: str, data: bytes) -> str:
        """Write a picture beside the page; the name of its file."""
        number = self.record.state["pictures"] = self.record.state.get("pictures", 0) + 1
        file = f"{number:04d}{ending}"
        self.record.keep(file, data)
        try:
            (self.folder / folder.PICTURES).mkdir(exist_ok=True)
            folder.write(self.folder / folder.PICTURES / file, data)
        except OSError as error:
            self._failed(error)
        return file

    def add_text(self, name: str, text: str, step: int | None = None) -> None:
        """Add a text, shown as it is.

        Arguments:
            name, step: as for `add_figure`.
            text: the text.
        """
        self._add("text", name, step, text=str(text))

    def add_table(self, name: str, rows: Any, columns: Any = None, step: int | None = None) -> None:
        """Add a table.

        Arguments:
            name, step: as for `add_figure`.
            rows: a list of rows, a list of dicts, a dict (two columns), an array, or a data frame of pandas.
            columns: the names of the columns, where the rows do not say them.
        """
        names, cells = pictures.table(rows, columns)
        self._add("table", name, step, columns=names, rows=cells[: pictures.ROWS], left_out=len(cells[pictures.ROWS :]))

    def add_model(self, model: Module, input: Any = None) -> None:
        """Add the model: `flambeau.summary` of its layers, and a drawing of it where an input is given.

        Arguments:
            model: the module.
            input: an example of its input (a tensor, or a tuple of them). The model is run on it, and is afterwards as
                it was; an error of its forward comes through as it is.
        """
        if not isinstance(model, Module):
            raise ArgumentTypeError(
                f"add_model() takes a module, not {type(model).__name__}",
                why="its layers are listed",
                fix="pass the model: `run.add_model(model)`",
            )
        from ..viz import draw, summary  # noqa: PLC0415 - only when a model is shown

        parameters = list(model.parameters())
        shown: dict[str, Any] = {
            "class": type(model).__name__,
            "parameters": sum(p.numel() for p in parameters if not is_lazy(p)),
            "trainable": sum(p.numel() for p in parameters if p.requires_grad and not is_lazy(p)),
            "text": str(summary(model, input_data=input, verbose=0)),
        }
        if input is not None:
            shown["file"] = self._keep(*pictures.of_figure(draw(model, input)))
        self.record.state["model"] = shown

    def add_profile(self, profile: Any, rows: int = PROFILE_ROWS) -> None:
        """Add where the time went, as a `flambeau.profiler.profile` has measured it.

        Arguments:
            profile: the profile, after its block has been left.
            rows: how many operations to show, those that took most time themselves.
        """
        if not hasattr(profile, "key_averages"):
            raise ArgumentTypeError(
                f"add_profile() takes a profile, not {type(profile).__name__}",
                why="the times of its operations are listed",
                fix="pass `prof` of `with flambeau.profiler.profile() as prof:`, after the block",
            )
        events = sorted(profile.key_averages(), key=lambda e: -e.self_cpu_time_total)
        self.record.state["profile"] = {
            "total": sum(e.self_cpu_time_total for e in events) / 1e6,
            "rows": [[str(e.key), e.count, e.self_cpu_time_total / 1e6, e.cpu_time_total / 1e6] for e in events[:rows]],
            "left_out": len(events[rows:]),
            "layers": [
                [row.name, row.calls, row.forward / 1e6, row.backward / 1e6, row.own / 1e6]
                for row in getattr(profile, "by_module", list)()
            ],
        }

    def add_report(self, report: Any) -> None:
        """Add a report of the doctor's: of `doctor.examine`, or of a watch."""
        self.record.state["doctor"] = plain_report(report)

    def add_checkpoint(self, path: str | os.PathLike, step: int | None = None, note: str = "") -> None:
        """Note that a checkpoint was saved.

        Arguments:
            path: its file; it is not copied.
            step: as for `add_figure`.
            note: a word about it, such as "best".
        """
        file = Path(path).absolute()
        size = file.stat().st_size if file.is_file() else None
        shown = str(file.relative_to(self.folder)) if file.is_relative_to(self.folder) else str(file)
        self._add("checkpoint", shown, step, note=str(note), size=size)

    def _add(self, kind: str, name: str, step: int | None, **content: Any) -> None:
        _check(name)
        step = max(0, self.record.metrics.steps) if step is None else int(step)
        self.record.state["items"].append({"kind": kind, "name": name, "step": step, "time": time.time(), **content})
        if not self.open:  # a picture of the finished model, say: the page is written once more
            self.flush()


def _check(name: Any) -> None:
    if not isinstance(name, str):
        raise ArgumentTypeError(
            f"the name of what is added to a run is a text, not {type(name).__name__}",
            why="it is shown as its title",
            fix='give the name first: `run.add_figure("confusion", figure)`',
        )

"""The plain program that does what `fit` does with some arguments: for those who want to take the loop over.

Every line is there because an argument asks for it. The lines of a step are those that `fit` itself runs (steps.py).
"""

from __future__ import annotations

import json
from typing import Any

from ..optim.lr_scheduler import ReduceLROnPlateau
from .steps import forward, single, step_source
from .stopping import Best

SIZE = '''
def size(batch):
    """How many samples a batch has."""
    while not isinstance(batch, torch.Tensor):
        batch = next(iter(batch.values())) if isinstance(batch, dict) else batch[0]
    return len(batch) if batch.ndim else 1
'''


def program(t: Any) -> str:
    """The program for a `Training` that has not begun."""
    parts = (head(t), validation(t), step(t), resuming(t), before(t), loop(t), after(t))
    text, defined = "", False
    for part in filter(None, parts):
        defines = part[0].startswith(("def ", "@"))
        text += ("" if not text else "\n\n\n" if defined or defines else "\n\n") + "\n".join(part)
        defined = defines
    return text.replace("size(targets)", "len(targets)") + "\n"


def inside(lines: list[str], levels: int = 1) -> list[str]:
    """Lines, moved to the right."""
    return ["    " * levels + line for line in lines]


def head(t: Any) -> list[str]:
    """What has to be there, what is imported, and the seeds."""
    names = {
        "model": True, "train_loader": True, "loss_fn": not t.options.custom, "training_step": t.options.custom,
        "optimizer": True, "scheduler": t.scheduler is not None, "val_loader": t.val_loader is not None,
        "metrics": bool(t.metrics),
    }  # fmt: skip
    source = [*step(t), *loop(t), *after(t), *validation(t), *resuming(t)]
    used = "\n".join(source)
    imports = [f"import {name}" for name in ("copy", "math", "random") if f"{name}." in used or name == "random" and
               t.seed is not None]  # fmt: skip
    if "defaultdict(" in used:
        imports.append("from collections import defaultdict")
    if "islice(" in used:
        imports.append("from itertools import islice")
    if "Path(" in used:
        imports.append("from pathlib import Path")
    seeds = []
    if t.seed is not None:
        seeds = ["", f"torch.manual_seed({t.seed})", f"random.seed({t.seed})", f"np.random.seed({t.seed % 2**32})"]
        imports += ["", "import numpy as np"]
    elif imports:
        imports.append("")
    ours = ["import flambeau as torch"] + (["from flambeau import nn"] if "nn.utils" in used else [])
    needs = "# Needs: " + ", ".join(name for name, wanted in names.items() if wanted)
    sizes = ["", *SIZE.rstrip().split("\n")] if "size(batch)" in used else []
    return [needs, *imports, *ours, *seeds, *sizes]


def row(t: Any) -> bool:
    """Whether there is more than a loss to average."""
    return t.options.custom or bool(t.metrics)


def step(t: Any) -> list[str]:
    """The step as a function, where it is compiled or made of several batches."""
    if not t.options.compiled and t.options.accumulate == 1:
        return []
    return [*(["@torch.compile"] if t.options.compiled else []), *step_source(t.options).split("\n")]


def averaged(t: Any, loss: str, count: str) -> list[str]:
    """The lines that add a batch to the sums of an epoch."""
    if not row(t):
        return [f"total += {loss} * {count}", f"count += {count}"]
    return [f'sums["loss"] += {loss} * {count}', f"count += {count}"]


def measured(t: Any, count: str, seen: str = "outputs") -> list[str]:
    """The lines that add the metrics of a batch to the sums."""
    if t.options.custom:
        return [
            "if isinstance(values, dict):",
            f'    sums.update({{k: sums[k] + float(v) * {count} for k, v in values.items() if k != "loss"}})',
        ]
    lines = [f"sums[{quoted(n)}] += float(metrics[{quoted(n)}]({seen}, targets)) * {count}" for n in t.metrics]
    return ["with torch.no_grad():", *inside(lines)] if lines else []


def validation(t: Any) -> list[str]:
    """The function that validates."""
    if t.val_loader is None:
        return []
    each, count = ("batch", "size(batch)") if t.options.custom else ("inputs, targets", "size(targets)")
    lines = [line for line in measured(t, count) if line != "with torch.no_grad():"]
    lines = lines if t.options.custom else [line[4:] for line in lines]
    return [
        "def validate():",
        "    model.eval()",
        "    sums, count = defaultdict(float), 0" if row(t) else "    total, count = 0.0, 0",
        "    with torch.no_grad():",
        f"        for {each} in val_loader:",
        *inside([*forward(t.options), *averaged(t, "loss.item()", count), *lines], 3),
        "    return " + ('{f"val_{k}": v / count for k, v in sums.items()}' if row(t) else "total / count"),
    ]  # fmt: skip


def resuming(t: Any) -> list[str]:
    """What goes on from a file: after the epochs that it holds."""
    if t.checkpoint is None and t.resume is False:
        return []
    path = t.checkpoint.path if t.resume is True or t.resume is False else t.resume
    parts = ["model", "optimizer"] + (["scheduler"] if t.scheduler is not None else [])
    lines = ["start = 1"]
    if t.checkpoint is not None:
        lines = [f"Path({quoted(t.checkpoint.path.parent)}).mkdir(parents=True, exist_ok=True)", *lines]
    if t.resume is False:
        return lines
    load = [
        f"state = torch.load({quoted(path)})",
        *(f'{part}.load_state_dict(state["{part}"])' for part in parts),
        'start = state["epoch"] + 1  # fit() also puts back random states, and goes on within an epoch',
    ]
    return lines + ([f"if Path({quoted(path)}).exists():", *inside(load)] if t.resume is True else load)


def before(t: Any) -> list[str]:
    """What the loop begins with."""
    lines = []
    if t.stopping is not None:
        lines.append(f'best, waited = {"-" if _higher(t.stopping, t) else ""}float("inf"), 0')
    if t.checkpoint is not None and t.checkpoint.best is not None:
        lines.append(f'best_saved = {"-" if _higher(t.checkpoint.best, t) else ""}float("inf")')
    if t.max_steps is not None or t.checkpoint is not None and t.checkpoint.every is not None:
        lines.append("steps = 0")
    return lines


def loop(t: Any) -> list[str]:
    """The loop over the epochs."""
    first = "start" if resuming(t) else "1"
    body = ["model.train()"]
    for name in ("sampler", "batch_sampler"):
        if hasattr(getattr(t.train_loader, name, None), "set_epoch"):
            body.append(f"train_loader.{name}.set_epoch(epoch - 1)")
    body.append("sums, count = defaultdict(float), 0" if row(t) else "total, count = 0.0, 0")
    return [f"for epoch in range({first}, {t.epochs + 1}):", *inside([*body, *batches(t), *end_of_epoch(t)])]


def batches(t: Any) -> list[str]:
    """The loop over the batches."""
    o = t.options
    each, count = ("batch", "size(batch)") if o.custom else ("inputs, targets", "size(targets)")
    if o.accumulate > 1:
        opened = ["batches = iter(train_loader)", f"while group := list(islice(batches, {o.accumulate})):"]
        done = "values" if o.custom else "outputs"
        lines = ["loss, seen = step(group)" if row(t) else "loss = step(group)"]
        lines += [f"samples = sum({count} for {each} in group)", *averaged(t, "loss.item()", "samples")]
        if row(t):
            names = f"{each}, {done}" if o.custom else f"({each}), {done}"
            lines += [f"for {names} in zip(group, seen):", *inside(measured(t, count))]
    else:
        opened = [f"for {each} in train_loader:"]
        if o.compiled:
            given = "batch" if o.custom else "inputs, targets"
            lines = [
                f"loss, {'values' if o.custom else 'outputs'} = step({given})" if row(t) else f"loss = step({given})"
            ]
        else:
            lines = single(o)
        lines += [*averaged(t, "loss.item()", count), *measured(t, count)]
    if t.scheduler is not None and t.scheduler_every == "step":
        lines.append("scheduler.step()")
    if "steps = 0" in before(t):
        lines.append("steps += 1")
        if t.checkpoint is not None and t.checkpoint.every is not None:
            lines += [f"if steps % {t.checkpoint.every} == 0:", *inside(saving(t, "epoch - 1"))]
        if t.max_steps is not None:
            lines += [f"if steps == {t.max_steps}:", "    break"]
    return [*opened, *inside(lines)]


def end_of_epoch(t: Any) -> list[str]:
    """What comes after the batches: validation, the scheduler, the numbers, stopping, saving."""
    if row(t):
        lines = ["row = {name: value / count for name, value in sums.items()}"]
        lines += ["row.update(validate())"] if t.val_loader is not None else []
        shown = 'print(f"epoch {epoch}/' + str(t.epochs) + '", *(f" {k} {v:.4g}" for k, v in row.items()))'
    else:
        lines = ["val_loss = validate()"] if t.val_loader is not None else []
        shown = f'print(f"epoch {{epoch}}/{t.epochs}  loss {{total / count:.4g}}'
        shown += '  val_loss {val_loss:.4g}")' if t.val_loader is not None else '")'
    if t.scheduler is not None and t.scheduler_every == "epoch":
        monitor = value_of("val_loss" if t.val_loader is not None else "loss", t)
        lines.append(f"scheduler.step({monitor})" if isinstance(t.scheduler, ReduceLROnPlateau) else "scheduler.step()")
    lines.append(shown)
    if t.stopping is not None:
        value, better = _better(t.stopping, t, "best")
        kept = ["weights = copy.deepcopy(model.state_dict())"] if t.stopping.restore_best else []
        lines += [f"if {better}:", *inside([f"best, waited = {value}, 0", *kept]), "else:", "    waited += 1"]
    if t.max_steps is not None:
        lines += [f"if steps == {t.max_steps}:", "    break"]
    if t.checkpoint is not None:
        lines += saving(t, "epoch")
        if t.checkpoint.best is not None:
            value, better = _better(t.checkpoint.best, t, "best_saved")
            saved = [f"best_saved = {value}", f"torch.save(state, {quoted(t.checkpoint.best_path)})"]
            lines += [f"if {better}:", *inside(saved)]
    if t.stopping is not None:
        lines += [f"if waited == {t.stopping.patience}:", "    break"]
    return lines


def after(t: Any) -> list[str]:
    """What comes after the loop."""
    return ["model.load_state_dict(weights)"] if t.stopping is not None and t.stopping.restore_best else []


def saving(t: Any, epoch: str) -> list[str]:
    """The lines that write the state."""
    parts = ["model", "optimizer"] + (["scheduler"] if t.scheduler is not None else [])
    entries = [f'"epoch": {epoch},', *(f'"{part}": {part}.state_dict(),' for part in parts)]
    return ["state = {", *inside(entries), "}", f"torch.save(state, {quoted(t.checkpoint.path)})"]


def quoted(text: Any) -> str:
    """A path or a name as a string of Python."""
    return json.dumps(str(text), ensure_ascii=False)


def value_of(name: str, t: Any) -> str:
    """The expression for a column of the history."""
    if row(t):
        return f"row[{quoted(name)}]"
    return {"loss": "total / count", "lr": 'optimizer.param_groups[0]["lr"]'}.get(name, name)


def _monitor(best: Best, t: Any) -> str:
    return best.monitor or ("val_loss" if t.val_loader is not None else "loss")


def _higher(best: Best, t: Any) -> bool:
    return best.sign(_monitor(best, t)) < 0


def _better(best: Best, t: Any, held: str) -> tuple[str, str]:
    """(the expression of what is monitored, the condition that it is better than what is held)"""
    value = value_of(_monitor(best, t), t)
    if _higher(best, t):
        return value, f"{value} > {held}" + (f" + {best.min_delta!r}" if best.min_delta else "")
    return value, f"{value} < {held}" + (f" - {best.min_delta!r}" if best.min_delta else "")

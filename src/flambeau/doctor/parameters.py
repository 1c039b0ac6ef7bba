"""Which parameters learn: those that no gradient reaches, that no optimizer holds, that the model does not know of."""

from __future__ import annotations

from typing import Any

from ..checks.findings import found, seen
from ..checks.log import log
from ..checks.registry import optimized


def unreached(model: Any, ran: set[int], optimizer: Any) -> None:
    """GRAD-04 and OPT-02: what the backward pass did not reach, and what the optimizer does not hold."""
    named = list(model.named_parameters())
    if not any(p._grad is not None for _, p in named):
        return  # nothing at all was reached: GRAD-03 says so
    missing = [(n, p) for n, p in named if p._rg and p._grad is None]
    owners = {id(p): m for m in model.modules() for p in m._parameters.values() if p is not None}
    idle = [n for n, p in missing if id(owners.get(id(p))) not in ran]
    cut = [n for n, p in missing if id(owners.get(id(p))) in ran]
    if cut and not seen("FB-GRAD-04"):
        events_cut = next((c for c in log.cuts if c.kind not in ("item", "tolist")), None)
        names, where = _some(cut), events_cut.site if events_cut is not None else None
        found(
            "FB-GRAD-04",
            saw=f"{names} got no gradient although their layer ran: `{where.source}` ({where}) cuts the graph"
            if where is not None
            else f"{names} got no gradient although their layer ran",
            why="nothing of the loss depends on them in the graph, so they never learn",
            fix="keep the computation in tensors: no `.detach()`, `.numpy()`, `.item()` or `torch.no_grad()` on the "
            "way to the loss",
            cause="cut",
            at=where,
            place=cut[0],
            level="W" if where is not None else "H",
            parameters=cut,
        )
    if idle and not seen("FB-GRAD-04", "FB-MOD-01"):
        names = _some(idle)
        found(
            "FB-GRAD-04",
            saw=f"{names} got no gradient: their layer did not run for this batch",
            why="a layer that forward does not use never learns",
            fix="use it in forward, or remove it",
            cause="unused",
            place=idle[0],
            level="H",
            confidence="possible",
            parameters=idle,
        )
    if optimizer is not None and not seen("FB-OPT-02"):
        _held(named, optimizer)


def _held(named, optimizer) -> None:
    held = {id(p) for g in optimizer.param_groups for p in g["params"]}
    everywhere = held | optimized()
    called = type(optimizer).__name__
    reached = [n for n, p in named if p._rg and p._grad is not None]
    missing = [n for n, p in named if p._rg and p._grad is not None and id(p) not in everywhere]
    own = {id(p) for _, p in named}
    if missing and len(missing) == len(reached) and not held & own:
        found(
            "FB-OPT-02",
            saw=f"{called} holds {len(held)} parameters, none of which belongs to the model",
            why="the model was made again (or copied) after the optimizer: its parameters are never updated",
            fix=f"make the optimizer after the final model: `optimizer = optim.{called}(model.parameters(), ...)`",
            cause="stale",
            place=called,
        )
    elif missing:
        names = _some(missing)
        found(
            "FB-OPT-02",
            saw=f"{names} get gradients, but no optimizer holds them",
            why=f"{called} updates {len(held & own)} of {len(reached)} parameters; the others keep their first values",
            fix=f"pass all: `optim.{called}(model.parameters(), ...)`, or freeze them: `p.requires_grad_(False)`",
            cause="missing",
            place=missing[0],
            parameters=missing,
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def hidden_layers(model: Any) -> None:
    """MOD-01: modules or parameters in plain lists, dicts and tuples, which the model does not know of."""
    if seen("FB-MOD-01"):
        return
    from ..nn import Module, Parameter

    known = {id(p) for p in model.parameters()}
    for path, module in model.named_modules():
        for name, value in list(module.__dict__.items()):
            if name.startswith("_") or not isinstance(value, (list, tuple, dict)):
                continue
            parts = list(value.values()) if isinstance(value, dict) else list(value)
            inner = [p for p in parts if isinstance(p, (Module, Parameter))]
            lost = [
                p for m in inner for p in ([m] if isinstance(m, Parameter) else m.parameters()) if id(p) not in known
            ]
            if any(p.requires_grad for p in lost):  # a frozen teacher is kept out on purpose
                table = type(value).__name__
                full = f"{path}.{name}" if path else name
                better = "ModuleDict" if isinstance(value, dict) else "ModuleList"
                better = better if isinstance(inner[0], Module) else better.replace("Module", "Parameter")
                found(
                    "FB-MOD-01",
                    saw=f"{type(model).__name__}.{full} is a plain {table} that holds {len(inner)} parts with "
                    f"{len(lost)} parameters",
                    why="a module only knows what is assigned to it directly: these are not in `model.parameters()`, "
                    "so no optimizer updates them and no checkpoint saves them",
                    fix=f"use `self.{name} = nn.{better}(...)`",
                    cause=table,
                    place=full,
                )
                return


def made_in_forward(model: Any, made: list) -> None:
    """MOD-03: layers with parameters that did not exist before the forward pass."""
    layers = [m for m in made if m._parameters and any(p is not None for p in m._parameters.values())]
    if not layers or seen("FB-MOD-03"):
        return
    name, layer = type(model).__name__, repr(layers[0])
    found(
        "FB-MOD-03",
        saw=f"{name}.forward makes a new {layer} each time it runs",
        why="its weights are random in every call, in no optimizer and in no checkpoint: it never learns",
        fix=f"make it once, in __init__: `self.layer = nn.{layer}`, and call `self.layer` in forward",
        cause="forward",
        place=name,
    )

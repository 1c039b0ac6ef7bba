"""Saving and loading: weights kept by reference, checkpoints without the optimizer, loads that load nothing."""

from __future__ import annotations

import ast
from collections import Counter

from . import events, registry
from .codes import LIMITS
from .findings import found
from .log import log
from .sites import arguments, user_site
from .tags import Origin


def _tensors(thing, depth=4):
    """The tensors in dicts, lists and tuples."""
    if hasattr(thing, "_array"):
        yield thing
    elif depth and isinstance(thing, dict):
        for value in list(thing.values()):
            yield from _tensors(value, depth - 1)
    elif depth and isinstance(thing, (list, tuple)):
        for value in thing:
            yield from _tensors(value, depth - 1)


# ---------------------------------------------------------------------- weights kept by reference


def _state_taken(module, state) -> None:
    """Note on the tensors of a state dict, which share the parameters' memory, at which version they were taken."""
    site = user_site()
    for t in state.values():
        cell = getattr(t, "_cell", None)
        if cell is not None and t._node is None and not t._rg:
            t._tag = Origin("state", {"cell": cell, "version": cell[0]}, site=site)


def _followed(t) -> bool:
    """Whether a tensor of a state dict still shares the memory of a parameter that has changed since."""
    tag = t._tag
    return tag is not None and tag.kind == "state" and t._cell is tag.options["cell"] and _changed(tag)


def _changed(tag) -> bool:
    return tag.options["cell"][0] != tag.options["version"]


def _state_loading(module, state) -> None:
    """A state dict is about to be loaded: does it hold the very memory that it is to be copied into?"""
    own = dict(module.named_parameters())
    shared = [(own[k], t) for k, t in state.items() if k in own and getattr(t, "_array", None) is own[k]._array]
    if not own or len(shared) < len(own) / 2:
        return
    tagged = [t for _, t in shared if t._tag is not None and t._tag.kind == "state"]
    site = user_site()
    name = arguments(site, "state_dict")[0]
    if any(_followed(t) for t in tagged):
        _report_reference(name, next(t for t in tagged if _followed(t)), site)
    elif log.steps and site is not None:
        call = site.expression()
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args:
            given = call.args[0]
            if isinstance(given, ast.Call) and isinstance(given.func, ast.Attribute) and not given.args:
                net, other = ast.unparse(call.func.value), ast.unparse(given.func.value)
                if net != other and given.func.attr == "state_dict":
                    found("FB-SAVE-02", f"`{other}` is `{net}` itself, not a copy: loading its weights changes nothing",
                          "assigning a module to another name makes no second module",
                          f"keep a copy: `{other} = copy.deepcopy({net})`", cause="same-object", at=site)  # fmt: skip


def _report_reference(name, t, site):
    taken = t._tag.site
    call = taken.expression() if taken is not None else None
    whole = ast.unparse(call) if isinstance(call, ast.Call) else "net.state_dict()"
    found("FB-SAVE-02", f"`{name}`, taken at {taken}, shares memory with the model, so it followed every update since"
          if taken is not None else f"`{name}` shares memory with the model, so it followed every update",
          "state_dict() gives references, not copies: these are the present weights, not those of that moment",
          f"keep a copy: `copy.deepcopy({whole})`", cause="reference", at=site)  # fmt: skip


def _saved(thing, file) -> None:
    """Something was written by torch.save."""
    tensors = list(_tensors(thing))
    stale = next((t for t in tensors if _followed(t)), None)
    site = user_site()
    if stale is not None:
        _report_reference(arguments(site, "obj")[0], stale, site)
    else:
        _without_optimizer(thing, tensors, site)


# ---------------------------------------------------------------------- checkpoints without the optimizer


def _has_optimizer(thing, depth=4) -> bool:
    """Whether a checkpoint holds the state of an optimizer."""
    if isinstance(thing, dict):
        if "state" in thing and "param_groups" in thing:
            return True
        return bool(depth) and any(_has_optimizer(v, depth - 1) for v in list(thing.values()))
    return bool(depth) and isinstance(thing, (list, tuple)) and any(_has_optimizer(v, depth - 1) for v in thing)


def _without_optimizer(thing, tensors, site):
    """Look for weights that are saved in mid-training without the optimizer's state."""
    cells = {id(t._cell) for t in tensors if t._cell is not None}
    if hasattr(thing, "_modules"):
        cells = {id(p._cell) for p in thing.parameters() if p._cell is not None}
    if not cells or _has_optimizer(thing):
        return
    for optimizer in log.live_optimizers():
        state = log.of(optimizer)
        mine = [p for group in optimizer.param_groups for p in group["params"]]
        kept = sum(1 for p in mine if optimizer.state.get(p))
        if state.steps and kept and any(p._cell is not None and id(p._cell) in cells for p in mine):
            kind, steps, text = type(optimizer).__name__, state.steps, arguments(site, "obj")[0]
            name = registry.variable(optimizer) or "optimizer"
            found("FB-SAVE-01", f"the checkpoint has the model only; {kind} has state for {kept} parameters (step "
                  f"{steps})", "training that is resumed from it begins with an empty optimizer, and the loss jumps",
                  f'to resume, save `{{"model": {text}, "optimizer": {name}.state_dict(), "epoch": epoch}}`',
                  cause="saved", at=site)  # fmt: skip
            return


def _loaded(thing, file) -> None:
    """Something was read by torch.load."""
    if isinstance(thing, dict) and any(True for _ in _tensors(thing)):
        log.notes["FB-SAVE-01"] = None if _has_optimizer(thing) else user_site()


def _state_loaded(module, state, strict, keys) -> None:
    """A state dict was loaded into a module."""
    if log.notes.get("FB-SAVE-01") is not None:
        log.notes.setdefault("resumed", {}).update(
            {id(p): log.notes["FB-SAVE-01"] for p in registry.parameters(module)}
        )
    if not strict:
        _loaded_nothing(module, state, keys)


def _first_step(optimizer, of) -> None:
    """The first step of an optimizer: does it continue with weights from a file, but without its own state?"""
    resumed = log.notes.get("resumed")
    if of.steps != 1 or not resumed or optimizer.state:
        return
    defaults = optimizer.defaults
    if not (defaults.get("momentum") or "betas" in defaults or "alpha" in defaults):
        return
    site = next((resumed[id(p)] for g in optimizer.param_groups for p in g["params"] if id(p) in resumed), None)
    if site is not None:
        kind = type(optimizer).__name__
        found("FB-SAVE-01", f"the weights come from a file without the optimizer's state; {kind} begins anew",
              "if training was resumed, its moments are lost and the loss jumps; for fine-tuning this is right",
              "save and load `optimizer.state_dict()` too", cause="loaded", at=site)  # fmt: skip


# ---------------------------------------------------------------------- loads that load nothing


def _loaded_nothing(module, state, keys) -> None:
    """Look for a load with strict=False that filled less than half of the weights."""
    own = {name: p._array.size for name, p in module.named_parameters()}
    total = sum(own.values())
    loaded = sum(n for name, n in own.items() if name in state)
    limit = LIMITS["FB-SAVE-04"]
    if not total or loaded >= limit["share"] * total or state and not keys.unexpected_keys:
        return
    missing = [name for name in own if name not in state]
    if loaded and _heads(own, missing, limit["head"]):
        return
    site, given = user_site(), len(state)
    ignored, name = len(keys.unexpected_keys), arguments(site, "state_dict")[0]
    if not given:
        found("FB-SAVE-04", f"strict=False loaded an empty dict: 0 of {total} weights, the model is as it was",
              "without strict=False this would have been an error",
              f"look at what `{name}` should hold: {len(own)} names such as {next(iter(own))!r}",
              cause="empty", at=site)  # fmt: skip
        return
    prefix, added, fits = _prefix(keys.unexpected_keys, missing)
    why = "names that are not the model's are skipped without a word; what was not loaded keeps its initial values"
    if prefix:
        found("FB-SAVE-04", f"strict=False ignored {ignored} of {given} keys: {loaded} of {total} weights were loaded; "
              f"the keys carry the prefix {prefix!r}", why,
              f'load `{{k.removeprefix("{prefix}"): v for k, v in {name}.items()}}`', cause="prefix",
              at=site, fits=fits)  # fmt: skip
    elif added:
        found("FB-SAVE-04", f"strict=False ignored {ignored} of {given} keys: {loaded} of {total} weights were loaded; "
              f"the keys lack the prefix {added!r}", why,
              f'load `{{"{added}" + k: v for k, v in {name}.items()}}`', cause="prefix", at=site,
              fits=fits)  # fmt: skip
    else:
        here, there = missing[0], keys.unexpected_keys[0]
        found("FB-SAVE-04", f"strict=False ignored {ignored} of {given} keys: {loaded} of {total} weights were loaded",
              why, f"compare the names: the model has {here!r}, the file {there!r}; strict loading lists all",
              cause="names", at=site)  # fmt: skip


def _heads(own, missing, most) -> bool:
    """Whether what is missing belongs to the last few modules: a new head."""
    modules = list(dict.fromkeys(name.rpartition(".")[0] for name in own))
    return {name.rpartition(".")[0] for name in missing} <= set(modules[-most:])


def _prefix(unexpected, missing) -> tuple[str, str, int]:
    """(prefix to take away, prefix to add, how many keys fit then) of the commonest that makes names fit."""
    away: Counter = Counter()
    added: Counter = Counter()
    for there in unexpected[:200]:
        for here in missing[:200]:
            if there.endswith("." + here):
                away[there[: -len(here)]] += 1
            elif here.endswith("." + there):
                added[here[: -len(there)]] += 1
    for counts, other in ((away, False), (added, True)):
        if counts:
            prefix, fits = counts.most_common(1)[0]
            if fits >= min(len(unexpected), len(missing)) / 2:
                return ("", prefix, fits) if other else (prefix, "", fits)
    return "", "", 0


events.state_taken.append(_state_taken)
events.state_loading.append(_state_loading)
events.state_loaded.append(_state_loaded)
events.saved.append(_saved)
events.loaded.append(_loaded)
events.before_step_early.append(_first_step)

"""The events of a PyTorch program (steps, backward passes, loaders, modes, schedulers, seeds...), told to the checks.

PyTorch's own classes are patched for as long as a `Following` is open, and put back exactly as they were.
"""

from __future__ import annotations

import inspect
import os
import weakref
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from ... import optim
from ...autograd.engine import next_number, run
from ...checks import events, findings, leaves
from ...checks.log import Cut, log
from ...checks.registry import modules
from ...checks.sites import Site
from ...errors import FlambeauError
from ...mistakes.modules import no_parameters, parameters_of
from ...optim.lbfgs import no_closure
from ...place import NEVER, foreign, foreign_tensors, hide, kind_of
from ..report import of_error
from . import layers, looks, patches
from .mirror import Mirror

hide(os.path.dirname(torch.__file__))
CLOSE = 8  # steps that are followed operation by operation; further ones by their events only
AGAIN = 256  # ... but for one step in so many
_open: list[Following] = []


class Following:
    """Follows a PyTorch program within its `with` block: operations by a `Mirror`, the rest by events.

    always: follow every step operation by operation, and keep tensors as long as their twins (for an examination).
    failed: what rules could not cope with, as text.
    """

    def __init__(self, always: bool = False):
        self.mirror = Mirror(strong=always)
        self.always = always
        self.inside = 0  # functions of PyTorch's that are running and call each other
        self.failed: list[str] = []
        self.mirror.safely = self.safely = _Safely(self)
        self._differentiating = False
        self._twins: dict[int, Any] = {}  # of optimizers
        self._steps = 0
        self._patches: list[tuple[Any, str, Any, bool]] = []

    def __enter__(self):
        self._nested = bool(_open)
        _open.append(self)
        if self._nested:  # the outer one is told already
            self.mirror = _open[0].mirror
            self._before = self.mirror.pairs.strong, self.mirror.following
            self.mirror.pairs.strong, self.mirror.following = self.always, True
            return self
        foreign.append(torch.nn.Module)
        foreign_tensors.extend((torch.Tensor, torch.nn.Parameter))
        self._handles = [
            register_optimizer_step_pre_hook(self._step), register_optimizer_step_post_hook(self._stepped),
            register_module_forward_pre_hook(layers.before(self)), register_module_forward_hook(layers.after(self)),
        ]  # fmt: skip
        self._names = looks.give(self.mirror)
        own = [
            (torch.optim.Optimizer, "__init__", self._made), (torch.optim.Optimizer, "zero_grad", self._zeroed),
            (torch.Tensor, "backward", self._differentiated), (torch, "manual_seed", self._seeded),
            (torch.nn.utils, "clip_grad_norm_", self._clipped), (torch.nn.utils, "clip_grad_value_", self._clipped),
            (torch.amp.GradScaler, "_maybe_opt_step", self._scaled), (torch.optim.LBFGS, "step", self._needs_closure),
            (torch.autograd, "grad", self._asked),
            (torch.no_grad, "__enter__", self._unrecorded), (torch.inference_mode, "__enter__", self._unrecorded),
        ]  # fmt: skip
        for groups in (
            patches.of_modules, patches.of_tensors, patches.of_losses, patches.of_loaders, patches.of_parallel,
            patches.of_schedulers,
        ):  # fmt: skip
            own += groups(self)
        for owner, name, make in own:
            self._patch(owner, name, make)
        self.mirror.__enter__()
        return self

    def __exit__(self, *exc):
        _open.remove(self)
        if self._nested:
            self.mirror.pairs.strong, self.mirror.following = self._before
            return
        self.mirror.__exit__(*exc)
        for owner, name, original, own in reversed(self._patches):
            if own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)
        for handle in self._handles:
            handle.remove()
        for module in modules():
            for name in [n for n in module.__dict__ if n.startswith("_fb_")]:
                del module.__dict__[name]
        looks.take(self._names)
        foreign.remove(torch.nn.Module)
        foreign_tensors.clear()
        self.mirror.pairs.forget(leaves=True)

    def _patch(self, owner, name, make):
        original = vars(owner).get(name) or getattr(owner, name)
        self._patches.append((owner, name, original, name in vars(owner)))
        setattr(owner, name, make(original))

    def explain(self, error: BaseException, reason) -> None:
        """Remember why PyTorch raises an error: what `reason()` gives, if it gives something."""
        found = None
        with self.safely:
            with torch._C.DisableTorchFunction():
                found = reason()
        self.mirror.explain(error, found)

    def share(self, module, state: dict) -> None:
        """The tensors of a state dict have the memory of the module's, and twins that know it."""
        with torch._C.DisableTorchFunction():
            for name, t in (*module.named_parameters(), *module.named_buffers()):
                taken = state.get(name)
                if isinstance(taken, torch.Tensor) and taken is not t and taken.data_ptr() == t.data_ptr():
                    self.mirror.pairs.bind(taken, self.mirror.twin(t).detach())

    # ------------------------------------------------------------------ optimizers

    def optimizer(self, real) -> Any:
        """The twin of an optimizer: its class, options, state and parameter groups, with twins of the parameters."""
        found, twin = self._twins.get(id(real)), self.mirror.twin
        with torch._C.DisableTorchFunction():
            groups = [{**g, "params": [twin(p) for p in g["params"]]} for g in real.param_groups]
            state = {twin(p): s for p, s in real.state.items() if isinstance(p, torch.Tensor)}
        if found is None or found._fb_real() is not real:
            found = self._twins[id(real)] = _twin_of(real, groups)
            weakref.finalize(real, self._twins.pop, id(real), None)
        found.param_groups, found.state = groups, state
        self._gradients(real)
        return found

    def _gradients(self, real) -> None:
        """Give the twins of an optimizer's parameters the gradients that their originals have."""
        for group in real.param_groups:
            for p in group["params"]:
                self.gradient(p)

    def gradient(self, p: Any) -> None:
        """Give the twin of a leaf the gradient that the leaf has."""
        with torch._C.DisableTorchFunction():
            twin: Any = self.mirror.twin(p)
            if p.grad is None:
                twin._grad = None
            else:
                self._take_over(twin, p.grad, twin._grad)

    def _take_over(self, twin: Any, g: Any, held: Any) -> None:
        if held is None or self.mirror.pairs.get(g) is not held:
            dense = g if g.layout is torch.strided else g.to_dense()
            twin._grad = self.mirror.pairs.bind(g, self.mirror._over(dense))
            twin._grad._fb_version = g._version
        elif g._version != held._fb_version:
            held._bump()
            held._fb_version = g._version

    def _made(self, original):
        def __init__(real, params, *args, **kwargs):
            origin = parameters_of(params)
            given = params if isinstance(params, (list, tuple)) else ()
            try:
                original(real, params, *args, **kwargs)
            except (ValueError, TypeError) as error:
                self.explain(error, lambda text=str(error): self._refused(type(real).__name__, given, origin, text))
                raise
            with self.safely:
                twin = self.optimizer(real)
                events.made_optimizer(twin)
                real.__dict__["_fb_state"] = twin.__dict__["_fb_state"]

        return __init__

    def _refused(self, kind, params, origin, text):
        """Why an optimizer was not made."""
        if "empty parameter list" in text:
            return no_parameters(kind, origin)
        held = [p for g in params for p in (g["params"] if isinstance(g, dict) else [g])]
        inner = next((p for p in held if isinstance(p, torch.Tensor) and not p.is_leaf), None)
        return None if inner is None else leaves.not_optimizable(inner)

    def _needs_closure(self, original):
        def step(real, *args, **kwargs):
            if not args and kwargs.get("closure") is None:
                try:
                    return original(real, *args, **kwargs)
                except TypeError as error:
                    self.explain(error, no_closure)
                    raise
            return original(real, *args, **kwargs)

        return step

    def _scaled(self, original):
        def _maybe_opt_step(scaler, real, *args, **kwargs):
            log.scaled, steps = True, log.steps
            result = original(scaler, real, *args, **kwargs)
            if log.steps == steps:
                with self.safely:
                    events.skips(self.optimizer(real))
            return result

        return _maybe_opt_step

    def _zeroed(self, original):
        def zero_grad(real, *args, **kwargs):
            with self.safely:
                events.zeroes(self.optimizer(real))
            original(real, *args, **kwargs)
            with self.safely:
                self._gradients(real)

        return zero_grad

    def _step(self, real, args, kwargs):
        given = args if args and args[0] is real else (real, *args)
        with self.safely:
            real.__dict__["_fb_stepping"] = state = events.steps(self.optimizer(real), given, kwargs)
            if not state.closure:  # nothing of the program runs until it is over
                self._following, self.mirror.following = self.mirror.following, False

    def _stepped(self, real, args, kwargs):
        state_of = real.__dict__.pop("_fb_stepping", None)
        with self.safely:
            for group in real.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self.mirror.twin(p)._bump()
            if state_of is not None:
                events.stepped(self.optimizer(real), state_of)
        self._steps += 1
        self.mirror.following = self.always or self._steps < CLOSE or self._steps % AGAIN == 0

    # ------------------------------------------------------------------ backward passes and other functions

    def _differentiated(self, original):
        def backward(root, *args, **kwargs):
            if self._differentiating:  # the mirror calls it again
                return original(root, *args, **kwargs)
            self._differentiating = True
            try:
                return self._backward(original, root, args, kwargs)
            finally:
                self._differentiating = False

        return backward

    def _backward(self, original, root, args, kwargs):
        given = args[0] if args else kwargs.get("gradient")
        with torch._C.DisableTorchFunction():
            if root.numel() != 1 and given is None or not root.requires_grad:
                try:
                    return original(root, *args, **kwargs)
                except RuntimeError as error:
                    self.mirror._explain(torch.Tensor.backward, "backward", (root,), {}, error)
                    raise
            twin = self.mirror.twin(root) if self.mirror.following else self.mirror._over(root)
        roots, seeds = (twin,), [self.mirror._over(torch.ones_like(root) if given is None else given)]
        reached = _leaves(root)
        with self.safely:
            for leaf in reached:  # the program may have cleared or changed gradients itself
                self.gradient(leaf)
            events.backward_begins(roots)
            if self.mirror.following and log.deep > 0 and not self.mirror.incomplete:
                self._edited(roots, seeds)
        try:
            original(root, *args, **kwargs)
        except RuntimeError as error:
            self.explain(error, lambda: self._again(roots, seeds))
            raise
        with self.safely:
            for leaf in reached:
                self.gradient(leaf)
            with torch._C.DisableTorchFunction():
                found = [self.mirror.twin(leaf) for leaf in reached]
            log.kept, log.witness = ((roots, seeds) if twin._node is not None else None), None
            try:
                events.backward_ended(roots, found, twin._node, next_number())
            finally:
                log.kept = None
                retained = kwargs.get("retain_graph") or kwargs.get("create_graph") or any(args[1:3])
                if not retained:
                    for node in events.graph(roots):
                        node.release()

    def _again(self, roots, seeds) -> FlambeauError | None:
        """The error that flambeau's backward pass through the twins raises, if it does; nothing is changed by it."""
        try:
            reached = events.leaves(events.graph(roots))
            run(roots, seeds, True, False, targets=reached[:1])
        except FlambeauError as error:
            return error
        return None

    def _edited(self, roots, seeds) -> None:
        """Was a value that this pass needs changed through `.data`, which PyTorch does not see?"""
        for node in events.graph(roots):
            for kept in (getattr(node, "saved", None) or {}).values():
                if kept and len(kept) > 1 and getattr(kept[0], "_cell", None) and kept[0]._cell[0] != kept[1]:
                    cell = kept[0]._cell
                    if len(cell) > 4 and cell[3] == cell[0] and cell[4] == ".data":
                        error = self._again(roots, seeds)
                        made = of_error(error) if error is not None and error.code == "FB-INPL-05" else None
                        if made is not None:
                            findings.add(made)
                        return

    def _seeded(self, original):
        def manual_seed(seed):
            with self.safely:
                events.seeds(seed)
            return original(seed)

        return manual_seed

    def _clipped(self, original):
        def clip(parameters, *args, **kwargs):
            held = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
            with self.safely:
                with torch._C.DisableTorchFunction():
                    twins = [self.mirror.twin(p) for p in held]
                events.clips(twins)
            return original(held, *args, **kwargs)

        return clip

    def _asked(self, original):
        def grad(*args, **kwargs):
            log.notes["gradients asked for"] = True
            return original(*args, **kwargs)

        return grad

    def _unrecorded(self, original):
        def __enter__(mode):
            with self.safely:
                frame: Any = inspect.currentframe().f_back  # type: ignore[union-attr]
                if getattr(mode, "mode", True) and kind_of(frame.f_code.co_filename) != NEVER:
                    log.cuts.append(Cut("no_grad", Site(frame.f_code, frame.f_lasti)))
                elif frame.f_code.co_name == "decorate_context":
                    code = getattr(frame.f_locals.get("func"), "__code__", None)
                    if code is not None and kind_of(code.co_filename) != NEVER:
                        log.cuts.append(Cut("no_grad", Site(code, 0)))
            return original(mode)

        return __enter__


class _Safely:
    """Keeps what goes wrong in a rule from the program; errors that a watch stops the program with pass."""

    def __init__(self, following):
        self.following = following

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None or isinstance(error, FlambeauError) and error.code.startswith("FB-NUM"):
            return False
        if log.strict or not isinstance(error, Exception):
            return False
        while trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
        self.following.failed.append(f"{where}: {type(error).__name__}: {error}")
        return True


def _twin_of(real, groups) -> Any:
    """An optimizer of flambeau's with the class name and options of another one."""
    kind = getattr(optim, type(real).__name__, None)
    on, log.on = log.on, False  # not one that the program has made
    try:
        if isinstance(kind, type) and issubclass(kind, optim.Optimizer):
            known = inspect.signature(kind).parameters
            options = {k: v for k, v in real.defaults.items() if k in known and k != "params"}
            made = kind([{"params": g["params"]} for g in groups], **options)
        else:
            made = optim.Optimizer([{"params": g["params"]} for g in groups], {})
            made.__class__ = type(type(real).__name__, (optim.Optimizer,), {"__module__": type(real).__module__})
    finally:
        log.on = on
    made.__dict__.update(_fb_real=weakref.ref(real), defaults=dict(real.defaults))
    return made


def _leaves(root) -> list:
    """The leaf tensors behind a tensor, by PyTorch's graph."""
    stack, seen, found = [root.grad_fn] if root.grad_fn is not None else [], set(), []
    if root.grad_fn is None:
        return [root]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if variable is not None:
            found.append(variable)
        stack += [n for n, _ in node.next_functions]
    return found

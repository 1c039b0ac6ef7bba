"""PyTorch modules, losses, optimizers and data in the form that `doctor.examine` takes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch

import flambeau as fb

from ...checks.findings import Finding
from ...nn import Module
from ...nn.modules.registry import Registry
from ...tensor import Tensor
from ...utils import data as our_data
from ..report import Report
from .following import Following
from .mirror import Mirror

_PLAIN = (int, float, bool, str, tuple, list, type(None))
# What is only believed where every operation could be followed.
NEED_THE_GRAPH = ("FB-GRAD", "FB-INIT", "FB-MOD-07", "FB-LOOP-07", "FB-SHAPE-04")


def adapted(module: torch.nn.Module, mirror: Mirror) -> Module:
    """A module of flambeau's that has the twins of a PyTorch module's parameters, and runs it."""
    name = type(module).__name__
    kind = getattr(fb.nn, name, Module)
    if not (isinstance(kind, type) and issubclass(kind, Module)) or not type(module).__module__.startswith("torch.nn."):
        kind = Module
    made: Any = object.__new__(type(name, (_Adapted, kind), {"__module__": type(module).__module__}))
    Module.__init__(made)
    made.__dict__.update({k: v for k, v in module.__dict__.items() if isinstance(v, _PLAIN) and not k.startswith("_")})
    made.__dict__.update(_fb_real=module, _fb_mirror=mirror)
    for registry, items in (("_parameters", module._parameters), ("_buffers", module._buffers)):
        made.__dict__[registry] = Registry(made, {n: None if t is None else mirror.twin(t) for n, t in items.items()})
    made.__dict__["_modules"] = Registry(
        made, {n: None if m is None else adapted(m, mirror) for n, m in module._modules.items()}
    )
    return made


class _Adapted:
    _fb_real: Any
    _fb_mirror: Mirror

    def forward(self, *args, **kwargs):
        """Run the PyTorch module on the originals of twins; its results as twins."""
        mirror, real = self._fb_mirror, self._fb_real
        mirror.pairs.forget()  # what is given below has its twin, and the twins' graph keeps the rest
        if real.training != self.training:  # type: ignore[attr-defined]
            real.train(self.training)  # type: ignore[attr-defined]
        with torch.set_grad_enabled(fb.is_grad_enabled()):
            try:
                return mirror._twins(real(*original(args, mirror), **original(kwargs, mirror)))
            except Exception as error:
                reason = mirror.reason_of(error)
                if reason is not None:
                    raise reason from None
                raise

    def __deepcopy__(self, memo):
        raise NotImplementedError("a PyTorch module that is examined is not copied")


def original(value: Any, mirror: Mirror) -> Any:
    """The PyTorch tensor behind a twin (made where there is none yet), in containers too."""
    if isinstance(value, Tensor):
        found = getattr(value, "_fb_real", None)
        if found is None:
            found = torch.as_tensor(value._array)
        elif isinstance(found, weakref.ref):
            found = found()
        mirror.pairs.bind(found, value)
        return found
    if isinstance(value, (tuple, list)):
        return type(value)(original(v, mirror) for v in value)
    if isinstance(value, dict):
        return {k: original(v, mirror) for k, v in value.items()}
    return value


def loss_of(loss_fn: Any, mirror: Mirror) -> Callable | None:
    """A PyTorch loss (a module or a function) that takes twins and gives one."""
    if loss_fn is None:
        return None
    if isinstance(loss_fn, torch.nn.Module):
        return adapted(loss_fn, mirror)

    def followed(output, target):
        return mirror._twins(loss_fn(original(output, mirror), original(target, mirror)))

    followed.__name__ = getattr(loss_fn, "__name__", "loss")
    return followed


class _Samples(our_data.Dataset):
    """A PyTorch data set whose samples are twins."""

    def __init__(self, real, mirror):
        self._fb_real, self._fb_mirror = real, mirror
        if isinstance(getattr(real, "tensors", None), tuple):
            self.tensors = mirror._twins(real.tensors)

    def __len__(self):
        return len(self._fb_real)

    def __getitem__(self, i):
        return self._fb_mirror._twins(self._fb_real[i])


def data_of(given: Any, mirror: Mirror) -> Any:
    """Loaders, data sets and batches of PyTorch's as flambeau's."""
    if isinstance(given, torch.utils.data.DataLoader):
        sampler = given.sampler
        random = isinstance(sampler, torch.utils.data.RandomSampler)
        known = random or isinstance(sampler, torch.utils.data.SequentialSampler)
        options: dict[str, Any] = {"batch_size": given.batch_size, "drop_last": given.drop_last}
        if given.batch_size is None or not known:
            own = given.batch_sampler
            options = {"sampler": sampler} if own is None else {"batch_sampler": own}
        elif random:
            options["shuffle"] = True
        if given.collate_fn is not torch.utils.data.default_collate:

            def collate(batch, own=given.collate_fn):
                return mirror._twins(own(original(batch, mirror)))

            options["collate_fn"] = collate
        return our_data.DataLoader(_Samples(given.dataset, mirror), num_workers=0, **options)
    if isinstance(given, torch.utils.data.Dataset):
        return _Samples(given, mirror)
    return mirror._twins(given)


def examine(run: Callable[..., Report], model, batches, loss_fn, optimizer, validation, forward, **options) -> Report:
    """`doctor.examine` of a PyTorch module: `run` is given its twins; PyTorch's own random state and modes are kept."""
    state, modes = torch.get_rng_state(), {m: m.training for m in model.modules()}
    kept = {n: b.clone() for n, b in model.named_buffers()}
    following = Following(always=True)
    try:
        with following:
            mirror = following.mirror
            call = None if forward is None else lambda m, b: mirror._twins(forward(m._fb_real, original(b, mirror)))
            report = run(
                adapted(model, mirror), data_of(batches, mirror), loss_of(loss_fn, mirror),
                None if optimizer is None else following.optimizer(optimizer),
                validation=None if validation is None else data_of(validation, mirror), forward=call, **options,
            )  # fmt: skip
    finally:
        torch.set_rng_state(state)
        for m, mode in modes.items():
            m.training = mode
        with torch.no_grad():
            for n, b in model.named_buffers():
                b.copy_(kept[n])
    report.findings = believed(report.findings, mirror)
    return report


def examine_data(run: Callable[..., Report], batches, validation, **options) -> Report:
    """`doctor.examine_data` of PyTorch's data sets and loaders; PyTorch's random state is kept."""
    state = torch.get_rng_state()
    following = Following(always=True)
    try:
        with following:
            mirror = following.mirror
            other = None if validation is None else data_of(validation, mirror)
            return run(data_of(batches, mirror), other, **options)
    finally:
        torch.set_rng_state(state)


def believed(findings: list[Finding], mirror: Mirror) -> list[Finding]:
    """The findings that hold although some operations could not be followed."""
    return [f for f in findings if not mirror.incomplete or not f.code.startswith(NEED_THE_GRAPH)]

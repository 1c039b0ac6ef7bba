"""`doctor.examine`: looks at model, data, loss and optimizer before training; nothing is changed by it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..checks import events
from ..checks.findings import Finding, allow, found, seen
from ..checks.initial import first_loss_of
from ..checks.log import Batch, log
from ..checks.modules import direct_forwards
from ..checks.optimizers import negated
from ..checks.registry import modules, variable
from ..checks.sites import user_site
from ..checks.tags import FROM_LOADER
from ..errors import ArgumentError
from ..language import part
from ..language import text as _
from ..nn import Module
from ..nn.modules import hooks
from ..optim import LBFGS
from ..tensor import Tensor
from ..utils.data import DataLoader
from . import behaviour, data, parameters, seeds, statistics
from .batches import Parts, Source, loss_of, read, source_of, take_apart, tensors_in
from .custom import check_custom
from .failures import finding_of, is_users
from .pytorch import is_foreign
from .report import Report, Table, merged
from .shapes import Propagation
from .snapshot import hand_on, unchanged
from .workers import check_workers

BATCHES = 8  # batches of a loader that are looked at

# The columns of the report's tables
SHAPES = (part("layer"), part("kind"), part("input"), part("output"))
LAYERS = (part("layer"), part("weight"), part("input rms"), part("weight std"), part("gradient rms"))


def examine(
    model: Module,
    batches: Any,
    loss_fn: Callable | None = None,
    optimizer: Any = None,
    *,
    validation: Any = None,
    forward: Callable | None = None,
    time_ordered: bool = False,
    pairing: bool = False,
    repro: bool = False,
    seconds: float = 2.0,
) -> Report:
    """Look at everything that a training needs, before it begins.

    Arguments:
        model: the module to train.
        batches: a loader, a data set, a list of batches, or one batch: (x, y), (x1, x2, y), a dict, or x alone.
        loss_fn: `loss_fn(output, target)`, a module or a function; None if the model returns the loss itself, or if
            there is no target.
        optimizer: the optimizer that will train it.
        validation: validation data in one of the forms of `batches`.
        forward: `forward(model, batch)` gives the output, where the model is not simply called with the inputs.
        time_ordered: the validation data is later than the training data; differences are then only hints.
        pairing: also test by statistics whether labels belong to their inputs.
        repro: the results are to be repeatable: also look for missing seeds.
        seconds: the time to spend, about.

    Returns: a `Report` of findings, with tables of layers. Parameters, buffers, gradients, the optimizer's state,
    modes, random states and all else are afterwards as they were. Errors of the model's, the loss's or the data's own
    code become findings of level E.

    >>> import flambeau as torch
    >>> from flambeau import doctor, nn
    >>> net = nn.Sequential(nn.Linear(4, 16), nn.Linear(16, 3))
    >>> x, y = torch.randn(64, 4), torch.randint(0, 3, (64,))
    >>> doctor.examine(net, (x, y), nn.CrossEntropyLoss()).codes("EW")
    ['FB-MOD-07']
    """
    if is_foreign(model):
        from .pytorch.adapter import examine as examine_twins  # noqa: PLC0415 - only where PyTorch is installed

        return examine_twins(
            examine, model, batches, loss_fn, optimizer, validation, forward, time_ordered=time_ordered,
            pairing=pairing, repro=repro, seconds=seconds,
        )  # fmt: skip
    if not isinstance(model, Module):
        raise ArgumentError(
            f"examine() takes a module as model, not {type(model).__name__}",
            why="it looks at the parameters and layers of a module",
            fix="pass the model, then data and loss: `examine(model, loader, loss_fn)`",
        )
    if loss_fn is not None and not callable(loss_fn):
        raise ArgumentError(
            f"examine() takes a function as loss, not {type(loss_fn).__name__}",
            why="it calls the loss with the model's output and the target",
            fix="pass a loss such as `nn.CrossEntropyLoss()` or a function of (output, target)",
        )
    if optimizer is not None and not hasattr(optimizer, "param_groups"):
        raise ArgumentError(
            f"examine() takes an optimizer, not {type(optimizer).__name__}",
            why="it compares the parameters that the optimizer holds with the model's",
            fix="pass the optimizer, such as `optim.Adam(model.parameters())`, or leave it out",
        )
    began = time.perf_counter()
    with unchanged(model, loss_fn, optimizer, batches, validation, forward) as (made, snapshot):
        exam = Examination(model, loss_fn, optimizer, forward, snapshot, began + seconds)
        exam.run(
            source_of(batches), None if validation is None else source_of(validation), time_ordered, pairing, repro
        )
        hand_on(exam.errors)
        findings = merged(made)
    exam.facts[part("seconds")] = round(time.perf_counter() - began, 2)
    return Report(findings, exam.tables, [], exam.facts)


def examine_data(batches: Any, validation: Any = None, *, time_ordered: bool = False, pairing: bool = False) -> Report:
    """Look at data alone: samples, labels, order, workers; and training data against validation data.

    Arguments: as for `examine`.

    >>> import flambeau as torch
    >>> from flambeau import doctor
    >>> from flambeau.utils.data import TensorDataset
    >>> x, y = torch.randn(200, 6), torch.randint(0, 2, (200,))
    >>> doctor.examine_data(TensorDataset(x[:160], y[:160]), TensorDataset(x[120:], y[120:])).codes("EW")
    ['FB-DATA-07']
    """
    if is_foreign(batches):
        from .pytorch.adapter import examine_data as examine_twins  # noqa: PLC0415 - only where PyTorch is installed

        return examine_twins(examine_data, batches, validation, time_ordered=time_ordered, pairing=pairing)
    with unchanged(batches, validation) as (made, snapshot):
        exam = Examination(Module(), None, None, None, snapshot, math.inf)
        exam.data(source_of(batches), None if validation is None else source_of(validation), time_ordered, pairing)
        hand_on(exam.errors)
        findings = merged(made)
    return Report(findings, [], [], {"samples": exam.facts.get("samples", "?")})


class Examination:
    """One run of `examine`: the checks in their order, within a time."""

    def __init__(self, model, loss_fn, optimizer, forward, snapshot, end):
        self.model, self.loss_fn, self.optimizer, self.forward = model, loss_fn, optimizer, forward
        self.snapshot, self.end = snapshot, end
        self.errors: list[Finding] = []
        self.tables: list[Table] = []
        count = sum(p._array.size for p in model.parameters())
        self.facts: dict[str, Any] = {part("model"): type(model).__name__, part("parameters"): count}
        self.ran: dict[int, Module] = {}
        self.flat_norms: list[str] = []
        self.time_first: list[tuple[str, Module, tuple]] = []  # recurrent layers that read dimension 0 as time
        self.collating = False
        self.not_finite: list[tuple[str, Any]] = []
        root = variable(model) or "model"
        self.paths = {id(m): expression(root, n) for n, m in model.named_modules()}
        self.names = {id(p): expression(root, n) for n, p in model.named_parameters()}
        self.trained = log.loaded or optimizer is not None and bool(optimizer.state)

    def run(self, source: Source, validation: Source | None, time_ordered, pairing, repro) -> None:
        """All checks, what others depend on first."""
        self.data(source, validation, time_ordered, pairing)
        seeds.check_seeds(repro)
        if (site := user_site()) is not None:
            direct_forwards(site)
        if not source.batches:
            return
        self.batches = source.batches
        parts = take_apart(source.batches[0], self.model, self.loss_fn)
        self.facts[part("batch")] = ", ".join(f"{n} {tuple(t.shape)}" for n, t in parts.all_tensors())
        parameters.hidden_layers(self.model)
        self._as_a_batch(source, parts)
        loss = self._one_step(parts)
        if self.flat_norms:
            self.checked(data.check_last_batch, source, self.flat_norms)
        if loss is None:
            return
        self.facts[part("loss")] = loss
        try:
            self._behaviour(parts, loss)
        except Exception as error:  # a batch in another order, or eval mode, is more than some models promise to take
            if not is_users(error):
                raise
            self.facts[part("behaviour")] = _(f"not examined: {type(error).__name__}")

    def data(self, source: Source, validation: Source | None, time_ordered, pairing) -> None:
        """The checks that need no model."""
        try:
            self._read(source, validation)
        except Exception as error:  # the user's data set, sampler or collate function
            source.batches = []
            self.errors.append(finding_of(error, "the data set", source.name, "FB-DATA-01" if self.collating else ""))
            return
        self.checked(data.check_labels, source, data.weighted_loss(self.loss_fn), validation)
        self.checked(data.check_order, source)
        self.checked(data.check_rows, source)
        self.checked(check_workers, source)
        if validation is not None:
            self.checked(data.check_validation, source, validation, time_ordered)
        if pairing:
            self.checked(data.check_pairing, source)

    # ------------------------------------------------------------------ parts

    def checked(self, check: Callable, *given: Any) -> bool:
        """Run a check; an error of the user's code becomes a finding. Whether it went through."""
        try:
            check(*given)
        except Exception as error:
            if not is_users(error):
                raise
            self.errors.append(finding_of(error, "the data set"))
            return False
        return True

    def _read(self, source: Source, validation: Source | None) -> None:
        for each in (source, validation):
            if each is not None:
                collate = data.fetch_samples(each)
                self.collating = True
                collate()
                self.collating = False
                read(each, BATCHES, 0.3)
        if len(source):
            self.facts[part("samples")] = len(source)

    def _as_a_batch(self, source: Source, parts: Parts) -> None:
        """What the rules for loaders need to know of the batch."""
        indices: Any = range(max(parts.size, 1))
        self.loader = source.loader if source.loader is not None else DataLoader(indices, batch_size=len(indices))
        tensors = [t for _, t in parts.all_tensors()]
        log.batch = Batch(self.loader, tensors, parts.size, 1)
        for t in tensors:
            if t._tag is None:
                t._tag = FROM_LOADER

    def call(self, parts: Parts) -> Any:
        """The output of the model for a batch."""
        if self.forward is not None:
            return self.forward(self.model, parts.batch)
        return self.model(*parts.inputs, **parts.named)

    def _observe(self, module, args, output) -> None:
        """After the forward of each module: which ran, where a value was not finite first."""
        self.ran[id(module)] = module
        path = self.paths.get(id(module))
        x = next((t for _, t in tensors_in(args, "")), None)
        if path and type(module).__name__ in ("RNN", "LSTM", "GRU") and x is not None and not module.batch_first:
            self.time_first.append((path, module, tuple(x.shape)))
        if path and type(module).__name__.startswith("BatchNorm") and module.training and x is not None:
            if x._array.ndim > 1 and x._array.size == x._array.shape[0] * x._array.shape[1]:
                self.flat_norms.append(f"{path} = {type(module).__name__}({module.num_features})")
        if len(self.not_finite) < 1 and path is not None:
            for _, t in tensors_in(output, ""):
                a = t._array
                if type(a) is np.ndarray and a.dtype.kind == "f" and not np.isfinite(a).all():
                    if x is None or x._array.dtype.kind != "f" or np.isfinite(x._array).all():
                        self.not_finite.append((path, a))
                    return

    def _before(self, module, args) -> None:
        """Before the forward of each module: keep what it holds, if nothing that was passed in led to it."""
        if id(module) not in self.paths:
            self.snapshot.add(module)

    def _one_step(self, parts: Parts) -> float | None:
        """One forward and backward with all rules looking on; the loss, or None if it cannot be had."""
        existed = {id(m) for m in modules()}
        handles = [hooks._register(hooks.forward, self._observe), hooks._register(hooks.forward_pre, self._before)]
        what = "the model"
        try:
            if not self.model.training:
                self.model.train()
            self._clear()
            log.customs = {}
            log.first_losses = 0  # the first loss is judged when it is known what else is wrong
            output = self.call(parts)
            if output is None:
                self._nothing()
                return None
            parameters.made_in_forward(self.model, [m for i, m in self.ran.items() if i not in existed])
            what = "the loss function"
            loss = loss_of(self.loss_fn, output, parts)
            if loss is None:
                self._without_loss(output)
                return None
            if isinstance(loss, Tensor) and loss._array.size > 1:
                loss = loss.mean()
            customs, log.customs = log.customs, None
            for function, given in customs.items():
                check_custom(function, given)
            what = "backward"
            return self._backward(loss, [t for _, t in tensors_in(output, "output")])
        except Exception as error:  # of the model, the loss or a backward: the user's, however deep it was raised
            self._failed(error, what, parts)
            return None
        finally:
            log.customs = None
            for handle in handles:
                handle.remove()

    def _backward(self, loss, outputs) -> float | None:
        nodes = events.graph([loss])
        chain = statistics.layers(nodes, self.names)
        value = float(loss._array.item())
        if not math.isfinite(value):
            self._not_finite(value)
            return None
        negated(loss, self.optimizer)
        blamed = seen("FB-DATA-02") or statistics.saturated(nodes, chain)
        blamed = statistics.exploding(chain) or blamed
        blamed = statistics.dead(self._units(nodes, chain)) or blamed
        if not blamed:
            first_loss_of(loss)
        loss.backward()
        statistics.read_gradients(chain)
        if not blamed:
            statistics.vanishing(chain)
        self._gradients_finite()
        statistics.initial_values(self.model, chain, self.trained)
        if not seen("FB-MOD-03"):
            statistics.linear_chain(events.graph(outputs), chain)
        parameters.unreached(self.model, set(self.ran), self.optimizer)
        self._table(chain)
        return value

    def _units(self, nodes, chain) -> statistics.Units:
        """Which ReLU units are ever above 0, in as many batches as it takes to be sure."""
        units = statistics.relu_units(nodes, chain)
        for batch in self.batches[1:]:
            worst = statistics.mostly_dead(units)
            if worst is None or worst[2] >= statistics.LIMITS["FB-INIT-03"]["samples"]:
                break
            with allow():
                output = self.call(take_apart(batch, self.model, self.loss_fn))
            more = events.graph([t for _, t in tensors_in(output, "")])
            statistics.add_units(units, statistics.relu_units(more, statistics.layers(more, self.names)))
        return units

    def _nothing(self) -> None:
        if seen("FB-MOD-06"):
            return
        name = type(self.model).__name__
        found(
            "FB-MOD-06",
            saw=f"{name}.forward returned None",
            why="a function without `return` gives None, so there is nothing to compute a loss from",
            fix=f"end {name}.forward with `return` and the result",
            level="E",
            place=name,
        )

    def _without_loss(self, output) -> None:
        """No loss to go back from: what the forward pass alone shows."""
        roots = [t for _, t in tensors_in(output, "output")]
        nodes = events.graph(roots)
        chain = statistics.layers(nodes, self.names)
        units = self._units(nodes, chain)
        if not (statistics.saturated(nodes, chain) or statistics.exploding(chain) or statistics.dead(units)):
            statistics.initial_values(self.model, chain, self.trained)
        statistics.linear_chain(nodes, chain)
        self._table(chain)

    def _failed(self, error, what, parts) -> None:
        """A step that raised: its finding, and all layers that do not fit."""
        first = finding_of(error, what)
        if what == "the model":
            pass_ = Propagation(self.model, self.paths)
            pass_.run(self.call, parts, [t for t, *_ in self.snapshot.tensors])
            if pass_.failures:  # the first of them is what was raised
                first.place, first.code = pass_.failures[0].place, pass_.failures[0].code
                self.errors += [first, *pass_.failures[1:]]
                if pass_.rows:
                    self.tables.append(Table(part("Shapes"), SHAPES, pass_.rows))
                return
        self.errors.append(first)

    def _not_finite(self, value: float) -> None:
        if seen("FB-DATA-04", "FB-NUM-03", "FB-INIT-04", "FB-LOSS-06"):
            return
        where = self.not_finite[0][0] if self.not_finite else ""
        found(
            "FB-NUM-01",
            saw=f"the first loss is {value}; {where} is the first layer whose input is finite and whose output is not"
            if where
            else f"the first loss is {value}, although every layer gives finite outputs",
            why="training cannot begin from it: every gradient would be NaN",
            fix="look for a logarithm or division of 0, a root of a negative number, or exp of a large number there"
            if where
            else "look for a logarithm or division of 0 in the loss; use `F.cross_entropy` or `F.log_softmax` in "
            "place of log(softmax(x))",
            level="E",
            place=where or "the loss",
        )

    def _gradients_finite(self) -> None:
        if seen("FB-NUM-02"):
            return
        for name, p in self.model.named_parameters():
            g = p._grad
            if g is not None and type(g._array) is np.ndarray and not np.isfinite(g._array).all():
                found(
                    "FB-NUM-02",
                    saw=f"the loss is finite, but the gradient of {name} is not",
                    why="a root, norm or power at 0, a division, or the unused branch of where() has an infinite slope",
                    fix="add an epsilon, `(x + 1e-8).sqrt()`, or make both branches of the where() safe",
                    level="E",
                    place=name,
                )
                return

    def _table(self, chain) -> None:
        rows = [
            (c.name or "(function)", str(tuple(c.weight._array.shape)), c.input_rms, c.weight_std, c.gradient_rms)
            for c in chain
        ]
        if rows:
            self.tables.append(Table(part("Layers"), LAYERS, rows))

    # ------------------------------------------------------------------ behaviour

    def _clear(self) -> None:
        for p in self.model.parameters():
            p._grad = None

    def _step(self, parts: Parts) -> Callable[[Any], float]:
        def step(optimizer) -> float:
            with allow():
                self._clear()
                loss = loss_of(self.loss_fn, self.call(parts), parts)
                loss = loss.mean() if loss._array.size > 1 else loss
                loss.backward()
                optimizer.step()
            return float(loss._array.item())

        return step

    def _behaviour(self, parts: Parts, first: float) -> None:
        """Runs the model some more times, as far as the time allows; the rules have seen enough."""
        log.on = False
        self.snapshot.restore()
        began = time.perf_counter()
        self.model.eval()
        same = behaviour.ignores_input(self.call, parts)
        self.snapshot.restore()
        each = max(time.perf_counter() - began, 1e-4)
        if time.perf_counter() + 12 * each < self.end:
            self.model.train()
            losses = behaviour.fit(self._step(parts), self.model, first)
            self.model.eval()
            same = same and behaviour.ignores_input(self.call, parts)
            reached = behaviour.reaches_input(self.call, parts) if same else None
            self.snapshot.restore()
            unstable = seen("FB-INIT-01", "FB-INIT-03", "FB-INIT-04", "FB-GRAD-06")
            if same and (reached is False or not unstable):
                behaviour.say_ignored(self.model)
            else:
                behaviour.judge_fit(losses, self.model)
        if time.perf_counter() + 2 * each < self.end and not seen("FB-LOOP-07"):
            self.model.eval()
            behaviour.mixes_samples(self.call, parts, self.model, self.time_first)
            self.snapshot.restore()
        usable = self.optimizer is not None and not isinstance(self.optimizer, LBFGS)
        if usable and time.perf_counter() + 14 * each < self.end:
            self.model.train()
            behaviour.probe_rate(self._step(parts), self.snapshot.restore, self.optimizer, first)


def expression(root: str, name: str) -> str:
    """The Python expression for a part of a model: `net[0].weight` for "0.weight"."""
    for step in name.split(".") if name else ():
        root += f"[{step}]" if step.isdigit() else f".{step}"
    return root

"""torch.utils.checkpoint: do not keep what backward needs, compute it again. Memory for time (Chen et al., 2016)."""

from __future__ import annotations

import contextlib
import enum
import weakref

from ..autograd import Function, backward, enable_grad, no_grad
from ..autograd.graph import saved_tensors_hooks
from ..autograd.mode import autocasting, is_grad_enabled, state
from ..errors import ArgumentError, FlambeauError, GradientError, NotSupported
from ..generator import default_generator
from ..language import warn
from ..tensor import Tensor

__all__ = [
    "CheckpointError",
    "CheckpointPolicy",
    "SelectiveCheckpointContext",
    "checkpoint",
    "checkpoint_sequential",
    "create_selective_checkpoint_contexts",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
]

_early_stop = True


class CheckpointError(FlambeauError, RuntimeError):
    """The function did not do the same the second time."""


class _Enough(Exception):
    """Everything that backward asked for has been computed again."""


def noop_context_fn():
    """The default of `context_fn`: two contexts that do nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


class set_checkpoint_early_stop:
    """Within it, whether computing again stops as soon as everything needed is there. Default: it does."""

    def __init__(self, enable: bool):
        self.enable = enable

    def __enter__(self):
        global _early_stop
        self.before, _early_stop = _early_stop, self.enable

    def __exit__(self, *exc):
        global _early_stop
        _early_stop = self.before


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled):
    """Accepted: errors of a checkpoint name the tensor in any case."""
    yield


class CheckpointPolicy(enum.Enum):
    """What selective checkpointing may decide about an operation."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4


class SelectiveCheckpointContext:
    """What a policy function of selective checkpointing is told."""

    def __init__(self, *, is_recompute, op_output=None):
        self.is_recompute = is_recompute
        self.op_output = op_output


def create_selective_checkpoint_contexts(policy_fn_or_list, allow_cache_entry_mutation=False):
    """Selective checkpointing decides by PyTorch's internal operator names, which flambeau does not have."""
    raise NotSupported(
        "create_selective_checkpoint_contexts",
        why="its policies name PyTorch's internal operators",
        fix="checkpoint the modules whose activations should not be kept, and no others",
    )


def checkpoint(
    function, *args, use_reentrant=None, context_fn=noop_context_fn, determinism_check="default", debug=False,
    early_stop=True, **kwargs,
):  # fmt: skip
    """`function(*args, **kwargs)` without keeping its intermediate results; backward computes them again.

    Arguments:
        function: takes the arguments; must do the same both times. Random numbers are the same.
        use_reentrant: False (recommended) keeps and finds saved tensors through hooks; True runs a second backward
            inside backward, and then an argument must require grad, and `torch.autograd.grad` cannot be used.
        preserve_rng_state: give the second run the random state of the first. Default: True.
        context_fn: returns two context managers, for the first and for the second run.
        determinism_check: "default" compares shapes, dtypes and number of the saved tensors; "none" does not.
        early_stop: end the second run when everything needed is there.

    >>> import flambeau as torch
    >>> from flambeau.utils.checkpoint import checkpoint
    >>> x = torch.ones(2, requires_grad=True)
    >>> checkpoint(lambda t: t.sin().exp(), x, use_reentrant=False).sum().backward()
    >>> x.grad
    tensor([1.2534, 1.2534])
    """
    if use_reentrant is None:
        warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Starting in PyTorch 2.9, "
            "calling checkpoint without use_reentrant will raise an exception. use_reentrant=False is recommended, but "
            "if you need to preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for "
            "more details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ArgumentError(
                f"Unexpected keyword arguments: {','.join(kwargs)}",
                why="with use_reentrant=True, only positional arguments are passed on to the function",
                fix="use `use_reentrant=False`",
            )
        if context_fn is not noop_context_fn or debug:
            raise ArgumentError(
                "Passing `context_fn` or `debug` is only supported when use_reentrant=False.",
                why="the reentrant way runs the function once more as a whole",
                fix="use `use_reentrant=False`",
            )
        if is_grad_enabled() and not any(isinstance(a, Tensor) and a.requires_grad for a in args):
            warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)
        return _Reentrant.apply(function, preserve, *args)
    if determinism_check not in ("default", "none"):
        raise ArgumentError(
            f"determinism_check should be one of ('default', 'none'), but got {determinism_check}",
            why="it says whether shapes and dtypes of the second run are compared",
            fix='use "default" or "none"',
        )
    first, second = context_fn()
    if not is_grad_enabled():
        with first:
            return function(*args, **kwargs)
    run = _Run(lambda: function(*args, **kwargs), preserve, second, determinism_check, early_stop)
    with saved_tensors_hooks(run.pack, run.unpack), first:
        return function(*args, **kwargs)


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    """Run a sequence of modules in `segments` checkpointed parts (the last part is not checkpointed).

    Arguments:
        functions: an nn.Sequential, or a list of functions.
        segments: number of parts.
        input: of the first one.

    >>> import flambeau as torch
    >>> from flambeau.utils.checkpoint import checkpoint_sequential
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> checkpoint_sequential(model, 2, torch.ones(4, 2), use_reentrant=False).shape
    torch.Size([4, 1])
    """
    if use_reentrant is None:
        warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed explicitly. "
            "In version 2.9 we will raise an exception if use_reentrant is not passed. use_reentrant=False is "
            "recommended, but if you need to preserve the current default behavior, you can pass "
            "use_reentrant=True. Refer to docs for more details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ArgumentError(
            f"Unexpected keyword arguments: {','.join(kwargs)}",
            why="the functions are given the result of the one before, and nothing else",
            fix="leave them out",
        )
    functions = list(functions.children()) if hasattr(functions, "children") else list(functions)

    def part(start, stop):
        def forward(x):
            for function in functions[start:stop]:
                x = function(x)
            return x

        return forward

    size = len(functions) // segments
    stop = 0
    for start in range(0, size * (segments - 1), size or 1):
        stop = start + size
        input = checkpoint(part(start, stop), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return part(stop, len(functions))(input)


class _SameConditions:
    """Remembers the random state and autocast, and gives them to a block."""

    def __init__(self, preserve):
        self.random = default_generator.get_state() if preserve else None
        self.autocast = state.autocast

    @contextlib.contextmanager
    def __call__(self):
        random, autocast = default_generator.get_state(), state.autocast
        if self.random is not None:
            default_generator.set_state(self.random)
        state.autocast = self.autocast
        autocasting.append(None)
        try:
            yield
        finally:
            autocasting.pop()
            state.autocast = autocast
            if self.random is not None:
                default_generator.set_state(random)


class _Kept:
    """Stands in the graph for a tensor that was not kept."""

    def __init__(self, number, shape, dtype):
        self.number, self.shape, self.dtype = number, shape, dtype


def _metadata(t):
    return {"shape": t.shape, "dtype": t.dtype, "device": "cpu"}


class _Run:
    """One call of `checkpoint`: counts what would be kept, and computes all of it again when backward asks."""

    def __init__(self, call, preserve, context, check, early_stop):
        self.call, self.context, self.check = call, context, check
        self.early_stop = early_stop
        self.same = _SameConditions(preserve)
        self.kept: list[weakref.ref] = []
        # A tensor computed again lives as long as the graph refers to what stands for it.
        self.found: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

    def pack(self, t):
        kept = _Kept(len(self.kept), t.shape, t.dtype)
        self.kept.append(weakref.ref(kept))
        return kept

    def unpack(self, kept):
        if kept not in self.found:
            self.again()
        if kept not in self.found:
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
                f"recomputation.\nNumber of tensors saved during forward: {len(self.kept)}\nNumber of tensors saved "
                f"during recomputation: {self.count}",
                why="the function took another path the second time",
                fix="let the function depend on its arguments only: no counters, no modes that change in between",
            )
        return self.found[kept]

    def again(self):
        self.count = 0

        def collect(t):
            number = self.count
            self.count += 1
            if number < len(self.kept):
                kept = self.kept[number]()
                if kept is not None:
                    self.found[kept] = self.compared(kept, t.detach())
                if self.early_stop and _early_stop and self.count == len(self.kept):
                    raise _Enough
            return t.detach()

        try:
            with self.same(), enable_grad(), saved_tensors_hooks(collect, lambda t: t), self.context:
                self.call()
        except _Enough:
            pass

    def compared(self, kept, t):
        if self.check == "default" and (kept.shape != t.shape or kept.dtype is not t.dtype):
            raise CheckpointError(
                "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than "
                f"during the forward pass.\ntensor at position {kept.number}:\nsaved metadata: {_metadata(kept)}\n"
                f"recomputed metadata: {_metadata(t)}",
                why="the function computed something else the second time",
                fix="let the function depend on its arguments only: no counters, no modes that change in between",
            )
        return t


class _Reentrant(Function):
    """The older form: an operation whose backward runs the function again, and backward through it."""

    @staticmethod
    def forward(ctx, function, preserve, *args):
        ctx.function = function
        ctx.same = _SameConditions(preserve)
        ctx.args = [None if isinstance(a, Tensor) else a for a in args]
        ctx.where = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        ctx.save_for_backward(*[args[i] for i in ctx.where])
        with no_grad():
            return function(*args)

    @staticmethod
    def backward(ctx, *grads):
        args = list(ctx.args)
        for i, t in zip(ctx.where, ctx.saved_tensors):
            args[i] = t.detach()
            args[i].requires_grad_(t.requires_grad)
        with ctx.same(), enable_grad():
            outs = ctx.function(*args)
        outs = (outs,) if isinstance(outs, Tensor) else outs
        live = [(o, g) for o, g in zip(outs, grads) if isinstance(o, Tensor) and o.requires_grad]
        if not live:
            raise GradientError(
                "none of output has requires_grad=True, this checkpoint() is not necessary",
                why="nothing that the function computes depends on an input that requires grad",
                fix="use `use_reentrant=False`, or call the function without checkpoint",
            )
        backward([o for o, _ in live], [g for _, g in live])
        return (None, None, *[a.grad if isinstance(a, Tensor) else None for a in args])

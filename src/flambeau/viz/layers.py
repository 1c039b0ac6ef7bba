"""`summary`: a table of a model's layers, as torchinfo prints it, with what each costs, keeps and how long it takes."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, CannotWrite, StateError
from ..language import text as _
from ..nn import Module
from ..tensor import Tensor
from .layer_info import LayerInfo
from .layers_text import FormattingOptions, Mode, Verbosity, report
from .tracing import arguments

_last: list = []  # with cache_forward_pass: [model, what it was called with, rows] of the last summary


def summary(
    model: Module,
    input_size: Sequence[Any] | None = None,
    input_data: Any = None,
    batch_dim: int | None = None,
    cache_forward_pass: bool | None = None,
    col_names: Iterable[str] | None = None,
    col_width: int = 25,
    depth: int = 3,
    device: Any = None,
    dtypes: Sequence[Any] | None = None,
    mode: str | None = None,
    row_settings: Iterable[str] | None = None,
    verbose: int | None = None,
    **kwargs: Any,
) -> ModelStatistics:
    """A table of a model's layers: output shapes, parameters, multiply-adds, memory and times, as torchinfo prints it.

    The model is run: once to count, and up to three times (within a second) to take the time, of which the median
    counts. Then everything is as it was: modes, parameters, buffers (also the statistics of BatchNorm), gradients,
    hooks, attributes, lazy layers, random states; also when the forward pass fails. Its error comes through as it is,
    with a note that says in which layer it happened and what shape the input of that layer had.

    Arguments:
        model: the module.
        input_size: shape of the input with its batch dimension, such as (1, 3, 32, 32); a list of shapes for several
            inputs. The input is random. A tensor, or a list or dict of tensors, is taken as `input_data`.
        input_data: the input itself: a tensor, a list or tuple of arguments, or a dict of keyword arguments.
        batch_dim: the inputs have no batch dimension: put one of size 1 here.
        cache_forward_pass: keep what was found, for a further summary of this model with inputs of these shapes.
        col_names: the columns: input_size, output_size, num_params, params_percent, kernel_size, mult_adds, trainable;
            and what torchinfo does not have: forward_time (of the layer with its parts), time_percent (of the layer
            without its parts), output_memory, saved_memory (what the graph keeps for the backward pass). "all" for all
            of them. Default: output_size and num_params.
        col_width: width of a column.
        depth: how many levels of nested modules have rows of their own.
        device: where to run. A model that lies elsewhere is copied; "meta" works out shapes only.
        dtypes: dtypes of the inputs made from `input_size`. Default: that of the model's first parameter.
        mode: "eval" (default), "train", or "same" for the mode that each module is in.
        row_settings: of "depth" (positions), "var_names" (names of the attributes), "ascii_only" (no line drawing) and
            "hide_recursive_layers". Default: depth.
        verbose: 0 prints nothing, 1 the table, 2 also each weight and bias. Default: 1; 0 where what a line gives is
            shown anyway (notebooks, the interactive interpreter).
        kwargs: further keyword arguments of the model's forward.

    Returns: `ModelStatistics`: the totals, the rows, `str()` for the table and `to_html()` for a page.

    A terminal that is too narrow for the table gets a narrower one: columns as wide as their content, long names
    shortened in the middle, and columns left out where that is not enough.

    Multiply-adds are counted from the operations that run: products with weights (their biases included), products of
    activations with each other (`@`, `einsum`, attention), recurrence, each with the shapes that it really has.
    torchinfo multiplies a layer's weights by the batch size instead, which leaves out the other dimensions of a
    sequence, finds none in attention, and counts some for embeddings, where nothing is multiplied. Weights that are in
    no product (of normalisation layers) count once for each sample, as there. A weight that several layers share counts
    once in the totals; the row where it comes again says "(shared)".

    Raises ValueError for shapes that no input can have, RuntimeError where both kinds of input are given.

    Source: https://github.com/TylerYep/torchinfo (the printed form).

    >>> import flambeau as torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> stats = torch.summary(model, (1, 4), verbose=0)
    >>> stats.total_params, stats.total_mult_adds
    (58, 58)
    >>> [layer.output_size for layer in stats.summary_list]
    [[1, 2], [1, 8], [1, 8], [1, 2]]
    """
    if not isinstance(model, Module):
        raise ArgumentTypeError(
            f"summary() expects a module as 'model', but got {type(model).__name__}",
            why="a summary lists the layers of an `nn.Module`",
            fix="pass the model itself, such as `summary(model, (1, 3, 32, 32))`",
        )
    model = model.__dict__.get("_modules", {}).get("_orig_mod", model)  # what torch.compile was given
    if _is_data(input_size):
        if input_data is not None:
            raise _both()
        input_size, input_data = None, input_size
    if input_size is not None and input_data is not None:
        raise _both()
    given = input_size is not None or input_data is not None
    formatting = FormattingOptions.checked(depth, verbose, col_names, col_width, row_settings, given)
    model_mode = _checked_mode(mode)
    where = _device(model) if device is None else _as_device(device)
    if not given:
        return _shown(ModelStatistics(_rows_of(model), [], 0, formatting))
    if where != _device(model):
        model = _copied_to(model, where)
    args, named = _arguments(model, input_size, input_data, batch_dim, dtypes, where, device is not None)
    key = (model_mode, str([_shapes(args), _shapes(named), _shapes(kwargs)]))
    if cache_forward_pass and _last and _last[0] is model and _last[1] == key:
        rows = _last[2]
    else:
        rows = _run(model, args, {**named, **kwargs}, model_mode, input_size)
        _last[:] = [model, key, rows] if cache_forward_pass else []
    sizes = _shapes(named) if named else _shapes(args)
    return _shown(ModelStatistics(rows, sizes, _bytes([args, named]), formatting))


def _rows_of(model):
    from .layer_run import not_run  # noqa: PLC0415 - needs all of nn

    return not_run(model)


def _run(model, args, named, mode, input_size):
    from ..checks.log import log  # noqa: PLC0415 - what a summary needs only when it runs
    from ..compiler import set_stance  # noqa: PLC0415
    from ..doctor.snapshot import unchanged  # noqa: PLC0415
    from .layer_run import run  # noqa: PLC0415

    with unchanged(model, args, named) as (_made, snapshot), set_stance("force_eager"):

        def begin():
            snapshot.restore()
            log.on = False
            if mode != "same":
                model.train(mode == "train")

        begin()
        try:
            return run(model, args, named, begin)
        except Exception as error:
            if input_size is not None:
                error.add_note(_(
                    f"The input was made from input_size={input_size!r}, which holds all dimensions, also the batch's; "
                    "several inputs are a list of shapes, and `dtypes` says which are not float32."
                ))  # fmt: skip
            raise


def _shown(stats: ModelStatistics) -> ModelStatistics:
    if stats.formatting.verbose > Verbosity.QUIET:
        print(_writable(stats))
    return stats


def _writable(stats: ModelStatistics) -> str:
    """The table in letters that standard output can take."""
    text, encoding = stats.fitted(), getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        settings = stats.formatting.row_settings
        stats.formatting.row_settings = settings | {"ascii_only"}
        text = stats.fitted().encode(encoding, "backslashreplace").decode(encoding)
        stats.formatting.row_settings = settings
    return text


# ------------------------------------------------------------------------------------------------------- arguments


def _both() -> StateError:
    return StateError(
        "Only one of (input_data, input_size) should be specified.",
        why="the input is either made from its shape, or given",
        fix="leave out one of the two",
    )


def _is_data(value) -> bool:
    """Whether what stands in the place of `input_size` is the input itself."""
    if isinstance(value, (Tensor, np.ndarray, Mapping)):
        return True
    return isinstance(value, (list, tuple)) and any(isinstance(v, (Tensor, np.ndarray)) for v in value)


def _checked_mode(mode) -> str:
    found = Mode.EVAL if mode is None else mode
    if found not in ("eval", "train", "same"):
        raise ArgumentError(
            f"mode should be 'eval', 'train' or 'same', but is {mode!r}",
            why="it says in which mode the model runs: `eval` as for evaluation, `same` as each module is",
            fix="pass one of the three, or leave it out",
        )
    return str(getattr(found, "value", found))


def _device(model):
    from ..devices import device  # noqa: PLC0415 - as below

    first = next(model.parameters(), None)
    return device("cpu") if first is None else first.device


def _as_device(value):
    from ..devices import device  # noqa: PLC0415

    return device(value)


def _copied_to(model, device):
    """A copy of the model on another device, with the same weights shared."""
    made = copy.deepcopy(model).to(device)
    first: dict[int, str] = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        owner, _dot, last = name.rpartition(".")
        shared = made.get_parameter(first.setdefault(id(p), name))
        made.get_submodule(owner)._parameters[last] = shared
    return made


def _arguments(model, input_size, input_data, batch_dim, dtypes, device, move) -> tuple[list, dict]:
    """The positional and the keyword arguments that the model is called with."""
    if input_size is not None:
        shapes = _checked_sizes(input_size)
        kinds = _checked_dtypes(dtypes, shapes, model)
        return [_random(shape, kind, batch_dim, device) for shape, kind in zip(shapes, kinds)], {}
    if dtypes is not None:
        raise ArgumentError(
            "dtypes is for inputs that are made from input_size",
            why="`input_data` has its dtypes already",
            fix="leave out `dtypes`, or convert the data: `x.long()`",
        )
    data = _mapped(input_data, lambda t: _placed(t, batch_dim, device if move else None))
    args, named = arguments(model, data)
    return list(args), named


def _placed(t, batch_dim, device):
    if isinstance(t, np.ndarray):
        return t
    t = t if batch_dim is None else t.unsqueeze(batch_dim)
    return t if device is None else t.to(device)


def _random(shape, dtype, batch_dim, device):
    from ..generator import Generator  # noqa: PLC0415 - the user's own random state is not to move
    from ..ops import rand  # noqa: PLC0415

    made = rand(*shape, generator=Generator().manual_seed(0))
    return (made if batch_dim is None else made.unsqueeze(batch_dim)).to(dtype).to(device)


def _checked_sizes(input_size) -> list[tuple]:
    if not isinstance(input_size, (list, tuple)):
        raise ArgumentTypeError(
            f"input_size should be a shape or a list of shapes, but is {type(input_size).__name__}",
            why="it says what shape the input has, such as (1, 3, 32, 32)",
            fix="pass a tuple of ints, or give the input itself as `input_data=`",
        )
    several = bool(input_size) and all(isinstance(size, (list, tuple)) for size in input_size)
    shapes = [tuple(size) for size in input_size] if several else [tuple(input_size)]
    for shape in shapes:
        if any(isinstance(n, bool) or not isinstance(n, (int, np.integer)) for n in shape):
            raise ArgumentTypeError(
                f"input_size should hold whole numbers, but holds {shape!r}",
                why="each number is the size of one dimension",
                fix="pass a tuple of ints such as (1, 3, 32, 32), or a list of such tuples for several inputs",
            )
        if (not shape and not several) or any(n <= 0 for n in shape):
            raise ArgumentError(
                f"input_size should hold positive numbers, but is {input_size!r}",
                why="an input of size 0 or less has nothing to run on",
                fix="pass the shape of a real input with its batch dimension, such as (1, 3, 32, 32)",
            )
    return shapes


def _checked_dtypes(dtypes, shapes, model):
    from ..dtypes import dtype, float32  # noqa: PLC0415

    if dtypes is None:
        own = [p.dtype for p in model.parameters() if p.is_floating_point()]
        return [own[0] if own else float32] * len(shapes)
    kinds = [dtypes] if isinstance(dtypes, dtype) else list(dtypes)
    if not all(isinstance(kind, dtype) for kind in kinds):
        raise ArgumentTypeError(
            f"dtypes should hold dtypes, but is {dtypes!r}",
            why="each says what kind of numbers an input holds",
            fix="pass a list such as `[torch.long]`",
        )
    if len(kinds) != len(shapes):
        raise ArgumentError(
            f"dtypes names {len(kinds)} dtypes, but input_size {len(shapes)} inputs",
            why="each input has one dtype",
            fix=f"pass a list of {len(shapes)} dtypes",
        )
    return kinds


def _mapped(value, function):
    """`value` with each tensor and array in it replaced."""
    if isinstance(value, (Tensor, np.ndarray)):
        return function(value)
    if isinstance(value, Mapping):
        return {k: _mapped(v, function) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[_mapped(v, function) for v in value])
    if isinstance(value, (list, tuple)):
        return type(value)([_mapped(v, function) for v in value])
    return value


def _shapes(value):
    return _mapped(value, lambda t: t.shape)


def _bytes(value) -> int:
    sizes: list[int] = []
    _mapped(value, lambda t: sizes.append(t.nbytes))
    return sum(sizes)


# --------------------------------------------------------------------------------------------------------- results


class ModelStatistics:
    """What a summary found.

    Attributes:
        summary_list: the rows: a `LayerInfo` for each call of a module, in order.
        total_params, trainable_params, total_mult_adds: over the whole model.
        total_input, total_param_bytes: bytes of the inputs and of the parameters.
        total_output_bytes: twice the output bytes of all layers with parameters: torchinfo's estimate of what a forward
            and a backward pass need.
        total_saved_bytes: what the graph of the forward pass really keeps for the backward pass, beyond parameters,
            buffers and inputs; 0 under `torch.no_grad()`.
        total_seconds: the time of a forward pass (None without one).
        formatting: how it is printed; may be changed.

    `str()` is the table as torchinfo prints it, with a line each for the time and the kept memory; `to_html(path)` is a
    page with times and memory for each layer, which notebooks show.
    """

    def __init__(self, summary_list: list[LayerInfo], input_size: Any, total_input: int, formatting: FormattingOptions):
        self.summary_list, self.input_size, self.total_input = summary_list, input_size, total_input
        self.formatting = formatting
        self.total_params = sum(row.own_params for row in summary_list)
        self.trainable_params = sum(row.own_trainable for row in summary_list)
        self.total_param_bytes = sum(row.own_bytes for row in summary_list)
        self.total_mult_adds = sum(row.macs for row in summary_list)
        self.total_output_bytes = sum(
            2 * row.output_bytes for row in summary_list if row.is_leaf_layer and row.num_params
        )
        self.total_saved_bytes = sum(row.saved_bytes for row in summary_list)
        self.total_seconds = summary_list[0].seconds

    def __str__(self) -> str:
        return report(self)

    def __repr__(self) -> str:
        return self.fitted()

    def fitted(self) -> str:
        """The table, narrowed to the terminal if standard output is one."""
        return report(self, self.formatting.terminal_width())

    def _repr_html_(self) -> str:
        from .layers_html import section  # noqa: PLC0415 - only in notebooks

        return section(self)

    def to_html(self, path: str | os.PathLike | None = None, title: str | None = None) -> str:
        """The table as one self-contained page; written to `path` too, if one is given.

        Raises OSError where it cannot be written.
        """
        from .layers_html import page  # noqa: PLC0415 - only for this form

        if path is not None and not isinstance(path, (str, os.PathLike)):  # a number would be an open file's
            raise ArgumentTypeError(
                f"the file to write to is {path!r} of type {type(path).__name__}",
                why="a file is given by its name",
                fix="use a string or a path, such as `to_html('model.html')`",
            )
        made = page(self, title or self.summary_list[0].class_name)
        if path is not None:
            try:
                with open(path, "w", encoding="utf-8", errors="replace") as file:
                    file.write(made)
            except (OSError, ValueError) as error:  # ValueError: a name that no file can have
                raise CannotWrite(
                    f"the summary could not be written to {os.fspath(path)!r}",
                    why=f"{getattr(error, 'strerror', None) or error}",
                    fix="give the path of a file in a folder that exists and may be written to",
                ) from error
        return made

"""Recurrent networks: stacks of layers in one or two directions, and single steps. `recurrent.py` computes a layer."""

from __future__ import annotations

from ..autograd.mode import autocasting
from ..errors import ArgumentTypeError, ShapeError
from ..tensor import Tensor
from .entry import REGISTRY, public
from .precision import lower
from .promotion import check_devices
from .recurrent import gru_layer, lstm_layer, rnn_layer

# ---------------------------------------------------------------------------------------------- stacks of layers


def _drop(rows, p, apart):
    """Dropout; the mask is drawn step by step, however the rows are laid out."""
    like = rows.detach()
    if apart == 1:
        keep = like.new_empty(rows.shape).bernoulli_(1 - p)
    else:
        keep = like.new_empty((apart, rows.shape[0] // apart, rows.shape[1])).bernoulli_(1 - p)
        keep = keep.transpose(0, 1).reshape(rows.shape)
    return rows * (keep / (1 - p) if p < 1 else keep)


def _stack(layer, states, rows, sizes, apart, hx, params, per_layer, num_layers, dropout, train, bidirectional):
    """All layers and directions over packed rows: (output rows, last states)."""
    directions = 2 if bidirectional else 1
    if len(params) != per_layer * num_layers * directions:
        raise ShapeError(
            "got an incorrect number of RNN parameters",
            why=f"{num_layers} layer(s) in {directions} direction(s) need {per_layer * num_layers * directions}, "
            f"not {len(params)}",
            fix="pass the weights of one `torch.nn` layer: `list(layer.parameters())`",
        )
    cat, stack = REGISTRY["cat"], REGISTRY["stack"]
    lasts = [[] for _ in range(states)]
    for k in range(num_layers):
        outs = []
        for d in range(directions):
            j = k * directions + d
            own = params[j * per_layer : (j + 1) * per_layer]
            made = layer(rows, [s[j] for s in hx], own, sizes=sizes, reverse=d == 1, apart=apart)
            outs.append(made[0])
            for kept, last in zip(lasts, made[1 : 1 + states], strict=True):
                kept.append(last)
        rows = outs[0] if directions == 1 else cat(outs, 1)
        if dropout and train and k < num_layers - 1:
            rows = _drop(rows, dropout, apart)
    return rows, [s[0].unsqueeze(0) if len(s) == 1 else stack(s) for s in lasts]


def _run(name, layer, states, biases_of, args, kw):
    """The public call: a padded batch, or packed data with its batch sizes."""
    if len(args) > 1 and isinstance(args[1], Tensor) and len(args) > 3 and isinstance(args[3], (list, tuple)):
        names = ("data", "batch_sizes", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional")
    elif "batch_sizes" in kw:
        names = ("data", "batch_sizes", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional")
    else:
        names = ("input", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional")
        names = (*names, "batch_first")
    if len(args) > len(names):
        raise ArgumentTypeError(
            f"{name}() takes at most {len(names)} arguments, got {len(args)}",
            why=f"{len(args)} were given by position",
            fix=f"leave out the last {len(args) - len(names)}",
        )
    given = dict(zip(names, args, strict=False)) | kw
    missing = [n for n in names if n not in given]
    if missing:
        raise ArgumentTypeError(
            f"{name}() missing {len(missing)} required argument(s): {', '.join(missing)}",
            why="they have no defaults",
            fix=f"pass them by name: `{missing[0]}=...`",
        )
    hx, params = given["hx"], list(given["params"])
    hx = list(hx) if states > 1 else [hx]
    if autocasting:
        (given[names[0]],), hx, params = lower(given[names[0]]), list(lower(*hx)), list(lower(*params))
    if not given[names[0]].is_cpu or not params[0].is_cpu:
        check_devices(given[names[0]], params[0], *hx)
    if len(hx) != states:
        raise ShapeError(
            f"{name} expects {states} hidden states",
            why=f"{len(hx)} were given",
            fix=f"pass `hx` with {states} tensor(s)",
        )
    per_layer = biases_of(given["has_biases"], params, given["num_layers"] * (2 if given["bidirectional"] else 1))
    rest = (per_layer, given["num_layers"], given["dropout"], given["train"], given["bidirectional"])
    if "batch_sizes" in given:
        sizes = tuple(int(n) for n in given["batch_sizes"].tolist())
        rows, lasts = _stack(layer, states, given["data"], sizes, 1, hx, params, *rest)
        return (rows, *lasts)
    input = given["input"]
    if input.dim() != 3:
        raise ShapeError(
            f"{name}: expected a 3-D input, got {input.dim()}-D",
            why=f"its dimensions are time, batch and features, and the shape is {tuple(input.shape)}",
            fix="use `x.unsqueeze(1)` for one sequence",
        )
    first = given["batch_first"]
    batch, steps = input.shape[:2] if first else input.shape[1::-1]
    if steps == 0:
        raise ShapeError(
            "Expected sequence length to be larger than 0 in RNN",
            why=f"the input has shape {tuple(input.shape)}, without any time step",
            fix="leave empty sequences out",
        )
    # Rows stay in the order they come in: what is `apart` tells the layers where a sample's next one is.
    lead = input.shape[:2]
    rows = input.reshape(steps * batch, input.shape[2])
    rows, lasts = _stack(layer, states, rows, (batch,) * steps, steps if first else 1, hx, params, *rest)
    return (rows.view(*lead, rows.shape[1]), *lasts)


def _plain_count(has_biases, params, layers):
    return 4 if has_biases else 2


def _lstm_count(has_biases, params, layers):
    # Projections add one weight to each layer.
    count = 4 if has_biases else 2
    return count + 1 if len(params) == (count + 1) * layers else count


def _pad_weights(own):
    return own if len(own) >= 4 else [*own, None, None]


def _lstm_one(rows, states, own, **layout):
    w_hr = own[-1] if len(own) in (3, 5) else None
    own = own[: 4 if len(own) >= 4 else 2]
    return lstm_layer(rows, *states, *_pad_weights(own), w_hr, **layout)


def _gru_one(rows, states, own, **layout):
    return gru_layer(rows, *states, *_pad_weights(own), **layout)


def _tanh_one(rows, states, own, **layout):
    return rnn_layer(rows, *states, *_pad_weights(own), **layout, relu=False)


def _relu_one(rows, states, own, **layout):
    return rnn_layer(rows, *states, *_pad_weights(own), **layout, relu=True)


@public()
def lstm(*args, **kwargs):
    """A stack of LSTM layers: what `nn.LSTM` computes.

    `lstm(input, (h0, c0), params, has_biases, num_layers, dropout, train, bidirectional, batch_first)`, or with packed
    data `lstm(data, batch_sizes, (h0, c0), params, has_biases, num_layers, dropout, train, bidirectional)`.
    Returns (output, h_n, c_n). Hochreiter, Schmidhuber, "Long Short-Term Memory", 1997.

    >>> import flambeau as torch
    >>> weights = [torch.ones(16, 3), torch.ones(16, 4)]
    >>> hx = (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4))
    >>> torch.lstm(torch.ones(5, 2, 3), hx, weights, False, 1, 0.0, False, False, False)[0].shape
    torch.Size([5, 2, 4])
    """
    return _run("lstm", _lstm_one, 2, _lstm_count, args, kwargs)


@public()
def gru(*args, **kwargs):
    """A stack of GRU layers: what `nn.GRU` computes; arguments as for `lstm`, with one hidden state.

    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014.

    >>> import flambeau as torch
    >>> weights = [torch.ones(12, 3), torch.ones(12, 4)]
    >>> h = torch.zeros(1, 2, 4)
    >>> torch.gru(torch.ones(5, 2, 3), h, weights, False, 1, 0.0, False, False, False)[0].shape
    torch.Size([5, 2, 4])
    """
    return _run("gru", _gru_one, 1, _plain_count, args, kwargs)


@public()
def rnn_tanh(*args, **kwargs):
    """A stack of plain recurrent layers, h' = tanh(W x + U h + b); arguments as for `gru`.

    >>> import flambeau as torch
    >>> weights = [torch.ones(4, 3), torch.ones(4, 4)]
    >>> h = torch.zeros(1, 2, 4)
    >>> torch.rnn_tanh(torch.ones(5, 2, 3), h, weights, False, 1, 0.0, False, False, False)[0].shape
    torch.Size([5, 2, 4])
    """
    return _run("rnn_tanh", _tanh_one, 1, _plain_count, args, kwargs)


@public()
def rnn_relu(*args, **kwargs):
    """A stack of plain recurrent layers, h' = relu(W x + U h + b); arguments as for `gru`.

    >>> import flambeau as torch
    >>> weights = [torch.ones(4, 3), torch.ones(4, 4)]
    >>> h = torch.zeros(1, 2, 4)
    >>> torch.rnn_relu(torch.ones(5, 2, 3), h, weights, False, 1, 0.0, False, False, False)[0].shape
    torch.Size([5, 2, 4])
    """
    return _run("rnn_relu", _relu_one, 1, _plain_count, args, kwargs)


# ---------------------------------------------------------------------------------------------- single steps


def _check_cell(name, input, hidden, w_hh, w_ih):
    check_devices(input, w_ih, *hidden)
    if input.dim() != 2:
        raise ShapeError(
            f"{name}: expected a 2-D input, got {input.dim()}-D",
            why=f"its dimensions are batch and features, and the shape is {tuple(input.shape)}",
            fix="use `x.unsqueeze(0)` for one element",
        )
    if input.shape[1] != w_ih.shape[1]:
        raise ShapeError(
            f"input has inconsistent input_size: got {input.shape[1]} expected {w_ih.shape[1]}",
            why=f"the input has shape {tuple(input.shape)}, and the layer takes {w_ih.shape[1]} feature(s)",
            fix=f"make the cell with `input_size={input.shape[1]}`",
        )
    for i, h in enumerate(hidden):
        if h.dim() == 0 or h.shape[0] != input.shape[0]:
            raise ShapeError(
                f"Input batch size {input.shape[0]} doesn't match hidden{i} batch size {h.shape[0]}",
                why=f"each element of the batch has its own hidden state, and the state has shape {tuple(h.shape)}",
                fix=f"pass a state of shape ({input.shape[0]}, {w_hh.shape[1]})",
            )
        if h.shape[-1] != w_hh.shape[1]:
            raise ShapeError(
                f"hidden{i} has inconsistent hidden_size: got {h.shape[-1]}, expected {w_hh.shape[1]}",
                why=f"the state has shape {tuple(h.shape)}, and the layer keeps {w_hh.shape[1]} number(s)",
                fix=f"pass a state of shape ({input.shape[0]}, {w_hh.shape[1]})",
            )


@public()
def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One LSTM step: (N, input), (h, c) of (N, hidden) each -> (h', c').

    >>> import flambeau as torch
    >>> hx = (torch.zeros(2, 4), torch.zeros(2, 4))
    >>> [s.shape for s in torch.lstm_cell(torch.ones(2, 3), hx, torch.ones(16, 3), torch.ones(16, 4))]
    [torch.Size([2, 4]), torch.Size([2, 4])]
    """
    if isinstance(hx, Tensor) or not isinstance(hx, (list, tuple)):
        kind = type(hx).__name__
        raise ArgumentTypeError(
            f"lstm_cell(): argument 'hx' (position 2) must be tuple of Tensors, not {kind}",
            why="an LSTM has a hidden state and a cell state",
            fix="pass both: `(h, c)`",
        )
    if len(hx) != 2:
        raise ShapeError(
            "lstm_cell expects two hidden states",
            why=f"an LSTM has a hidden state and a cell state, and {len(hx)} were given",
            fix="pass both: `(h, c)`",
        )
    _check_cell("lstm_cell", input, hx, w_hh, w_ih)
    options = dict(sizes=(input.shape[0],), reverse=False, apart=1)
    return lstm_layer(input, *hx, w_ih, w_hh, b_ih, b_hh, None, **options)[1:3]


@public()
def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One GRU step: (N, input), (N, hidden) -> (N, hidden).

    >>> import flambeau as torch
    >>> torch.gru_cell(torch.ones(2, 3), torch.zeros(2, 4), torch.ones(12, 3), torch.ones(12, 4)).shape
    torch.Size([2, 4])
    """
    _check_cell("gru_cell", input, [hx], w_hh, w_ih)
    return gru_layer(input, hx, w_ih, w_hh, b_ih, b_hh, sizes=(input.shape[0],), reverse=False, apart=1)[1]


@public()
def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One plain step: tanh(W x + U h + b).

    >>> import flambeau as torch
    >>> torch.rnn_tanh_cell(torch.ones(2, 3), torch.zeros(2, 4), torch.ones(4, 3), torch.ones(4, 4)).shape
    torch.Size([2, 4])
    """
    _check_cell("rnn_tanh_cell", input, [hx], w_hh, w_ih)
    return rnn_layer(input, hx, w_ih, w_hh, b_ih, b_hh, sizes=(input.shape[0],), reverse=False, apart=1, relu=False)[1]


@public()
def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One plain step: relu(W x + U h + b).

    >>> import flambeau as torch
    >>> torch.rnn_relu_cell(torch.ones(2, 3), torch.zeros(2, 4), torch.ones(4, 3), torch.ones(4, 4)).shape
    torch.Size([2, 4])
    """
    _check_cell("rnn_relu_cell", input, [hx], w_hh, w_ih)
    return rnn_layer(input, hx, w_ih, w_hh, b_ih, b_hh, sizes=(input.shape[0],), reverse=False, apart=1, relu=True)[1]

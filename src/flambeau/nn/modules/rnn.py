"""Recurrent layers and cells: RNN, LSTM, GRU."""

from __future__ import annotations

import math
import numbers

from ... import ops
from ...autograd.mode import is_grad_enabled
from ...checks import shapes
from ...checks.data import first_layer
from ...checks.log import log
from ...checks.modes import unrecorded
from ...errors import ArgumentError, ArgumentTypeError, ShapeError, StateError
from ...language import warn
from .. import init
from ..parameter import Parameter
from ..utils.rnn import PackedSequence
from .module import Module
from .utils import blank

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNBase", "RNNCell", "RNNCellBase"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_LAYERS = {"LSTM": "lstm", "GRU": "gru", "RNN_TANH": "rnn_tanh", "RNN_RELU": "rnn_relu"}


class RNNBase(Module):
    """What RNN, LSTM and GRU share: weights, checks, and the way through padded, packed and unbatched input."""

    __constants__ = [
        "mode",
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "proj_size",
    ]

    def __init__(
        self,
        mode,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        proj_size=0,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout) if isinstance(dropout, numbers.Number) else dropout
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_sizes(dropout)
        gates = _GATES[mode] * hidden_size
        state = proj_size if proj_size > 0 else hidden_size
        directions = 2 if bidirectional else 1
        self._all_weights = []
        for layer in range(num_layers):
            for direction in range(directions):
                suffix = f"l{layer}" + ("_reverse" if direction else "")
                features = input_size if layer == 0 else state * directions
                shapes = {"weight_ih": (gates, features), "weight_hh": (gates, state)}
                if bias:
                    shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
                if proj_size > 0:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                for name, shape in shapes.items():
                    setattr(self, f"{name}_{suffix}", Parameter(blank(*shape, device=device, dtype=dtype)))
                self._all_weights.append([f"{name}_{suffix}" for name in shapes])
        self._flat_weights_names = [name for names in self._all_weights for name in names]
        self.reset_parameters()

    def _check_sizes(self, dropout):
        if not isinstance(dropout, numbers.Number) or not 0 <= dropout <= 1 or isinstance(dropout, bool):
            raise ArgumentError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed",
                why=f"it is {dropout!r}",
                fix=f"use `dropout={dropout / 100:g}` if {dropout:g} percent are meant"
                if isinstance(dropout, (int, float)) and 1 < dropout <= 100
                else "use a number such as `dropout=0.5`",
            )
        if dropout > 0 and self.num_layers == 1:
            warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={self.num_layers}",
                stacklevel=4,
            )
        for name in ("bias", "batch_first"):
            if not isinstance(getattr(self, name), bool):
                raise ArgumentTypeError(
                    f"{name} should be of type bool, got: {type(getattr(self, name)).__name__}",
                    why="arguments after num_layers are bias, batch_first, dropout, bidirectional, in this order",
                    fix="name the options: `batch_first=True, bias=False`",
                )
        if not isinstance(self.hidden_size, int):
            raise ArgumentTypeError(
                f"hidden_size should be of type int, got: {type(self.hidden_size).__name__}",
                why="it is the number of features of the state",
                fix=f"use `hidden_size={self.hidden_size:.0f}`"
                if isinstance(self.hidden_size, float)
                else "use an int such as `hidden_size=128`",
            )
        if self.input_size <= 0:
            raise ArgumentError(
                "input_size must be greater than zero",
                why=f"it is {self.input_size}, the number of features of each element of the sequence",
                fix="use the size of the input's last dimension",
            )
        if self.hidden_size <= 0:
            raise ArgumentError(
                "hidden_size must be greater than zero",
                why=f"it is {self.hidden_size}, the number of features of the state",
                fix="use e.g. `hidden_size=128`",
            )
        if self.num_layers <= 0:
            raise ArgumentError(
                "num_layers must be greater than zero", why=f"it is {self.num_layers}", fix="use `num_layers=1`"
            )
        if self.proj_size < 0:
            raise ArgumentError(
                "proj_size should be a positive integer or zero to disable projections",
                why=f"it is {self.proj_size}, the number of features that the state is projected to",
                fix="use `proj_size=0` for no projection",
            )
        if self.proj_size >= self.hidden_size:
            raise ArgumentError(
                "proj_size has to be smaller than hidden_size",
                why=f"the projection makes the state smaller: {self.proj_size} of {self.hidden_size} features",
                fix=f"use a proj_size below {self.hidden_size}, or 0 for no projection",
            )
        if self.mode not in _GATES:
            raise ArgumentError(
                f"Unrecognized RNN mode: {self.mode}",
                why="the mode says which cells are used",
                fix="use `nn.LSTM`, `nn.GRU` or `nn.RNN`",
            )

    @property
    def _flat_weights(self):
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self):
        """The parameters, one list per layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self):
        """Does nothing: weights need not lie in one piece."""

    def reset_parameters(self):
        """Draw new weights, uniform within 1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    # ------------------------------------------------------------ checks

    def check_input(self, input, batch_sizes):
        """Raise for an input of the wrong shape or dtype."""
        weight = getattr(self, self._flat_weights_names[0])
        if input.dtype != weight.dtype:
            raise ArgumentError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). "
                f"Convert input: input.to({weight.dtype}), or convert model: model.to({input.dtype})",
                why="input and weights are multiplied with each other",
                fix=f"use `input.to({weight.dtype})`, or `model.to({input.dtype})`",
                code="FB-DTYPE-01" if input.dtype.is_floating_point else "FB-DTYPE-02",
            )
        expected = 2 if batch_sizes is not None else 3
        if input.dim() != expected:
            raise ShapeError(
                f"input must have {expected} dimensions, got {input.dim()}",
                why="packed input is (elements, features)"
                if batch_sizes is not None
                else (
                    "input is (batch, sequence, features) or (sequence, batch, features), and has shape "
                    f"{tuple(input.shape)}"
                ),
                fix="use `x.unsqueeze(-1)` for a single feature"
                if input.dim() < expected
                else "use `x.flatten(2)` for one vector of features per element",
            )
        if self.input_size != input.size(-1):
            raise ShapeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}",
                why=f"the last dimension holds the features, and the input has shape {tuple(input.shape)}",
                fix=f"use `nn.{self.mode if self.mode in ('LSTM', 'GRU') else 'RNN'}(input_size={input.size(-1)}, "
                f"hidden_size={self.hidden_size})`",
            )

    def get_expected_hidden_size(self, input, batch_sizes):
        """The shape that the hidden state must have for this input."""
        if batch_sizes is not None:
            batch = int(batch_sizes[0])
        else:
            batch = input.size(0) if self.batch_first else input.size(1)
        directions = 2 if self.bidirectional else 1
        size = self.proj_size if self.proj_size > 0 else self.hidden_size
        return self.num_layers * directions, batch, size

    def check_hidden_size(self, hx, expected_hidden_size, msg="Expected hidden size {}, got {}"):
        """The error of a hidden state of the wrong shape."""
        if hx.size() != expected_hidden_size:
            wanted, got = tuple(expected_hidden_size), list(hx.size())
            if not msg.startswith("Expected hidden"):
                own = msg.format(wanted, got)  # the caller's text
                raise ShapeError(
                    f"{own}",
                    why="a state is (layers x directions, batch, hidden_size)",
                    fix=f"use `torch.zeros{wanted}`, or leave it out to begin with zeros",
                )
            raise ShapeError(
                f"Expected hidden size {wanted}, got {got}"
                if msg.startswith("Expected hidden size")
                else f"Expected hidden[0] size {wanted}, got {got}"
                if msg.startswith("Expected hidden[0]")
                else f"Expected hidden[1] size {wanted}, got {got}",
                why="a state is (layers x directions, batch, hidden_size)",
                fix=f"use `torch.zeros{wanted}`, or leave it out to begin with zeros",
            )

    def check_forward_args(self, input, hidden, batch_sizes):
        """Check an input and its hidden state."""
        self.check_input(input, batch_sizes)
        if not self.batch_first and batch_sizes is None and log.batch is not None and log.on and input.dim() == 3:
            shapes.recurrent(self, input)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    # ------------------------------------------------------------ forward

    def _states(self, hx, batched, single):
        """The given hidden state as a list of 3-D tensors, or of what they must become."""
        states = [hx] if single else list(hx)
        if batched:
            if any(s.dim() != 3 for s in states):
                dims = tuple([s.dim() for s in states])
                raise ShapeError(
                    f"For batched 3-D input, hx should also be 3-D but got {dims[0]}-D tensor"
                    if single
                    else f"For batched 3-D input, hx and cx should also be 3-D but got ({dims[0]}-D, {dims[1]}-D) "
                    "tensors",
                    why="a state is (layers x directions, batch, hidden_size)",
                    fix="use `unsqueeze(0)` for the state of a single layer, or leave it out to begin with zeros",
                )
            return states
        if any(s.dim() != 2 for s in states):
            dims = tuple([s.dim() for s in states])
            raise ShapeError(
                f"For unbatched 2-D input, hx should also be 2-D but got {dims[0]}-D tensor"
                if single
                else f"For unbatched 2-D input, hx and cx should also be 2-D but got ({dims[0]}-D, {dims[1]}-D) "
                "tensors",
                why="a state is (layers x directions, hidden_size), as the input has no batch dimension",
                fix="use `x.unsqueeze(0)` with batch_first=True, or `x.unsqueeze(1)` without, for a batch of one",
            )
        return [s.unsqueeze(1) for s in states]

    def _initial(self, input, batch_sizes):
        layers, batch, size = self.get_expected_hidden_size(input, batch_sizes)
        zeros = [ops.zeros(layers, batch, size, dtype=input.dtype, device=input.device)]
        if self.mode == "LSTM":
            if self.proj_size == 0:
                return zeros * 2
            zeros.append(ops.zeros(layers, batch, self.hidden_size, dtype=input.dtype, device=input.device))
        return zeros

    def _check_states(self, input, states, batch_sizes):
        self.check_forward_args(input, states[0], batch_sizes)

    def forward(self, input, hx=None):
        single = self.mode != "LSTM"
        packed = input if isinstance(input, PackedSequence) else None
        batched = True
        if packed is not None:
            input, batch_sizes, order, back = packed
            states = self._initial(input, batch_sizes) if hx is None else [hx] if single else list(hx)
            if hx is not None and order is not None:
                states = [s.index_select(1, order) for s in states]
        else:
            batch_sizes = back = None
            if input.dim() not in (2, 3):
                name = "RNN" if self.mode.startswith("RNN") else self.mode
                raise ArgumentError(
                    f"{name}: Expected input to be 2D or 3D, got {input.dim()}D instead",
                    why="it is (sequence, features), or that with a batch dimension",
                    fix="use `x.unsqueeze(-1)` for a single feature"
                    if input.dim() < 2
                    else "use `x.flatten(2)` for one vector of features per element",
                )
            batched = input.dim() == 3
            if not batched:
                input = input.unsqueeze(0 if self.batch_first else 1)
            states = self._initial(input, None) if hx is None else self._states(hx, batched, single)
        self._check_states(input, states, batch_sizes)
        if log.on and not input.requires_grad and is_grad_enabled():
            first_layer((input, self._flat_weights[0]))
        layer = getattr(ops, _LAYERS[self.mode])
        hidden = states[0] if single else tuple(states)
        weights = self._flat_weights
        if self.dropout and self.training and log.on and not is_grad_enabled():
            unrecorded()
        options = self.bias, self.num_layers, self.dropout, self.training, self.bidirectional
        if packed is not None:
            output, *lasts = layer(input, batch_sizes, hidden, weights, *options)
            output = PackedSequence(output, batch_sizes, order, back)
            if back is not None:
                lasts = [s.index_select(1, back) for s in lasts]
        else:
            output, *lasts = layer(input, hidden, weights, *options, self.batch_first)
            if not batched:
                output = output.squeeze(0 if self.batch_first else 1)
                lasts = [s.squeeze(1) for s in lasts]
        return output, lasts[0] if single else tuple(lasts)

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size != 0:
            text += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if self.batch_first is not False:
            text += f", batch_first={self.batch_first}"
        if self.dropout != 0:
            text += f", dropout={self.dropout}"
        if self.bidirectional is not False:
            text += f", bidirectional={self.bidirectional}"
        return text

    def __getstate__(self):
        return super().__getstate__() | {"_flat_weights": self._flat_weights}  # PyTorch's __setstate__ asks for it

    def __setstate__(self, state):
        super().__setstate__(state)
        self.__dict__.setdefault("proj_size", 0)
        self.__dict__.pop("_flat_weights", None)
        if "_flat_weights_names" not in self.__dict__:
            self._flat_weights_names = [name for names in self._all_weights for name in names]


class RNN(RNNBase):
    """Plain recurrent layers, h' = tanh(W x + b + U h + c).

    Arguments:
        input_size, hidden_size: features of x and of h.
        num_layers: layers on top of each other. Default: 1.
        nonlinearity: 'tanh' or 'relu'. Default: 'tanh'.
        bias: learn the offsets. Default: True.
        batch_first: batch before time, (N, L, features). Default: False.
        dropout: between the layers, in training. Default: 0.
        bidirectional: a second set of layers runs from the end. Default: False.
    Shapes: (L, N, input_size), (L, input_size) or a PackedSequence, with h0 (layers * directions, N, hidden_size)
        -> output (L, N, directions * hidden_size), h_n as h0

    Elman, "Finding Structure in Time", 1990.

    >>> import flambeau as torch
    >>> output, h = torch.nn.RNN(10, 20, 2)(torch.randn(5, 3, 10))
    >>> output.shape, h.shape
    (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args, **kwargs):
        if "proj_size" in kwargs:
            raise ArgumentError(
                "proj_size argument is only supported for LSTM, not RNN or GRU",
                why="only the LSTM's output is projected",
                fix="use `nn.LSTM`, or an `nn.Linear` after it",
            )
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.",
                why="it is applied to the new state at each step",
                fix="use `nonlinearity='tanh'`",
            )
        super().__init__("RNN_TANH" if nonlinearity == "tanh" else "RNN_RELU", *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory layers; arguments and shapes as for `RNN`, and

    Arguments:
        proj_size: project the state h to this size after every step. Default: 0, no projection.
    Shapes: the state is a pair (h, c), with c of hidden_size.

    Hochreiter, Schmidhuber, "Long Short-Term Memory", 1997.

    >>> import flambeau as torch
    >>> output, (h, c) = torch.nn.LSTM(10, 20, 2, batch_first=True)(torch.randn(3, 5, 10))
    >>> output.shape, h.shape
    (torch.Size([3, 5, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args, **kwargs):
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input, batch_sizes):
        """The shape that the cell state must have for this input."""
        layers, batch, _ = self.get_expected_hidden_size(input, batch_sizes)
        return layers, batch, self.hidden_size

    def check_forward_args(self, input, hidden, batch_sizes):
        """Check an input and its states h and c."""
        self.check_input(input, batch_sizes)
        if not self.batch_first and batch_sizes is None and log.batch is not None and log.on and input.dim() == 3:
            shapes.recurrent(self, input)
        expected = self.get_expected_hidden_size(input, batch_sizes)
        self.check_hidden_size(hidden[0], expected, "Expected hidden[0] size {}, got {}")
        expected = self.get_expected_cell_size(input, batch_sizes)
        self.check_hidden_size(hidden[1], expected, "Expected hidden[1] size {}, got {}")

    def _check_states(self, input, states, batch_sizes):
        self.check_forward_args(input, states, batch_sizes)


class GRU(RNNBase):
    """Gated recurrent layers; arguments and shapes as for `RNN`.

    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014.

    >>> import flambeau as torch
    >>> torch.nn.GRU(10, 20, bidirectional=True)(torch.randn(5, 3, 10))[0].shape
    torch.Size([5, 3, 40])
    """

    def __init__(self, *args, **kwargs):
        if "proj_size" in kwargs:
            raise ArgumentError(
                "proj_size argument is only supported for LSTM, not RNN or GRU",
                why="only the LSTM's output is projected",
                fix="use `nn.LSTM`, or an `nn.Linear` after it",
            )
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """What the cells share: weights for one step."""

    __constants__ = ["input_size", "hidden_size", "bias"]

    def __init__(self, input_size, hidden_size, bias, num_chunks, device=None, dtype=None):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        kind = dict(device=device, dtype=dtype)
        self.weight_ih = Parameter(blank(num_chunks * hidden_size, input_size, **kind))
        self.weight_hh = Parameter(blank(num_chunks * hidden_size, hidden_size, **kind))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(blank(num_chunks * hidden_size, **kind)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw new weights, uniform within 1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if self.__dict__.get("nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text

    def _weights(self):
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def _batched(self, input, states):
        """The input and the states with a batch dimension, and whether they had one."""
        name = type(self).__name__
        if input.dim() not in (1, 2):
            raise ArgumentError(
                f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead",
                why="a cell computes one step, for (batch, features) or (features,)",
                fix=("use `x[t]` in a loop over the steps, or the layer without Cell in its name for whole sequences")
                if input.dim() > 2
                else "use `x.reshape(1)` for a single feature",
            )
        for i, s in enumerate(states):
            if s.dim() not in (1, 2):
                which = f"hx[{i}]" if len(states) > 1 else "hidden"
                raise ArgumentError(
                    f"{name}: Expected {which} to be 1D or 2D, got {s.dim()}D instead",
                    why="it is (batch, hidden_size) or (hidden_size,)",
                    fix="use `h[-1]` for the last layer's state of a whole RNN"
                    if s.dim() > 2
                    else "leave it out to begin with zeros",
                )
        if input.dim() == 2:
            return input, states, True
        return input.unsqueeze(0), [s.unsqueeze(0) if s.dim() == 1 else s for s in states], False

    def _zeros(self, input, count):
        shape = (self.hidden_size,) if input.dim() == 1 else (input.size(0), self.hidden_size)
        return [ops.zeros(*shape, dtype=input.dtype, device=input.device)] * count


class RNNCell(RNNCellBase):
    """One step of a plain recurrent layer: (N, input_size), (N, hidden_size) -> (N, hidden_size).

    >>> import flambeau as torch
    >>> torch.nn.RNNCell(10, 20)(torch.randn(3, 10)).shape
    torch.Size([3, 20])
    """

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        input, (h,), batched = self._batched(input, self._zeros(input, 1) if hx is None else [hx])
        if self.nonlinearity not in ("tanh", "relu"):
            raise StateError(
                f"Unknown nonlinearity: {self.nonlinearity}",
                why="it is applied to the new state at each step",
                fix="use `nonlinearity='tanh'` or `nonlinearity='relu'`",
            )
        step = ops.rnn_tanh_cell if self.nonlinearity == "tanh" else ops.rnn_relu_cell
        made = step(input, h, *self._weights())
        return made if batched else made.squeeze(0)


class LSTMCell(RNNCellBase):
    """One LSTM step: (N, input_size), (h, c) of (N, hidden_size) each -> (h', c').

    >>> import flambeau as torch
    >>> h, c = torch.nn.LSTMCell(10, 20)(torch.randn(3, 10)); h.shape
    torch.Size([3, 20])
    """

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input, hx=None):
        if hx is not None and not isinstance(hx, (tuple, list)):
            ops.lstm_cell(input, hx, *self._weights())  # which says what is wrong
        input, states, batched = self._batched(input, self._zeros(input, 2) if hx is None else list(hx))
        h, c = ops.lstm_cell(input, tuple(states), *self._weights())
        return (h, c) if batched else (h.squeeze(0), c.squeeze(0))


class GRUCell(RNNCellBase):
    """One GRU step: (N, input_size), (N, hidden_size) -> (N, hidden_size).

    >>> import flambeau as torch
    >>> torch.nn.GRUCell(10, 20)(torch.randn(3, 10)).shape
    torch.Size([3, 20])
    """

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input, hx=None):
        input, (h,), batched = self._batched(input, self._zeros(input, 1) if hx is None else [hx])
        made = ops.gru_cell(input, h, *self._weights())
        return made if batched else made.squeeze(0)

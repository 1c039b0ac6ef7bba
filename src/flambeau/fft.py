"""The functions of torch.fft; each is defined, with its gradient, in a file of `ops`."""

from .ops.entry import namespace

globals().update(namespace("fft"))

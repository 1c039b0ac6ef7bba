"""Window functions of torch.signal.windows."""

from ..ops.entry import namespace

globals().update(namespace("signal.windows"))

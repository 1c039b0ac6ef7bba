"""torch.utils.dlpack: exchange of memory with other array libraries."""

from ..ops.entry import namespace

globals().update(namespace("utils.dlpack"))

"""PyTorch's tensors with the attributes that the checks look at: each is that of the tensor's twin.

The checks read `_array`, `_node`, `_rg` and the like off whatever tensors they meet in the program's variables and
modules. While a program is followed, PyTorch's tensors have these attributes too, as properties of their class.
"""

from __future__ import annotations

from typing import Any

import torch

READ = (
    "_array", "_node", "_index", "_cell", "_chain", "_aside", "_retains", "_fb_rows", "_fb_looks", "_fb_empty",
)  # fmt: skip
WRITTEN = ("_tag", "_fb_owned", "_fb_looks")


def attributes(mirror: Any) -> dict[str, property]:
    """The properties, by name."""

    def of_twin(name):
        def read(self):
            with torch._C.DisableTorchFunction():
                return getattr(mirror.twin(self), name)

        def write(self, value):
            with torch._C.DisableTorchFunction():
                setattr(mirror.twin(self), name, value)

        return property(read, write if name in WRITTEN else None)

    made = {name: of_twin(name) for name in dict.fromkeys((*READ, *WRITTEN))}
    made["_fb_self"] = property(mirror.twin)
    made["_rg"] = property(torch.Tensor.requires_grad.__get__)  # type: ignore[attr-defined]
    return made


def give(mirror: Any) -> list[str]:
    """Add the properties to PyTorch's tensors; returns their names, for `take`."""
    made = {name: p for name, p in attributes(mirror).items() if not hasattr(torch.Tensor, name)}
    for name, p in made.items():
        setattr(torch.Tensor, name, p)
    return list(made)


def take(names: list[str]) -> None:
    """Take them away again."""
    for name in names:
        delattr(torch.Tensor, name)

"""Every operation. Importing this package defines them all; `entry.REGISTRY` holds their public names."""

import importlib
import pkgutil

from ..errors import MissingAttribute

for _module in pkgutil.iter_modules(__path__):  # a new file of operations needs no list to be kept
    importlib.import_module(f"{__name__}.{_module.name}")


def __getattr__(name):
    """A public operation by its name: `ops.zeros` is `entry.REGISTRY["zeros"]`."""
    try:
        return entry.REGISTRY[name]  # noqa: F821  imported by the loop above
    except KeyError:
        raise MissingAttribute(
            f"no operation named '{name}'",
            why="operations have the public names of PyTorch",
            fix="see `flambeau.ops.entry.REGISTRY` for the names that are there",
        ) from None

"""Every operation. Importing this package defines them all; `entry.REGISTRY` holds their public names."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):  # a new file of operations needs no list to be kept
    importlib.import_module(f"{__name__}.{_module.name}")

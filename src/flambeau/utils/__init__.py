"""Tools around training: data loading, checkpointing, hooks. Each is imported when it is first used."""

import importlib as _importlib

from ..errors import attr_error

_MODULES = ("checkpoint", "data", "dlpack", "hooks", "tensorboard")


def __getattr__(name):
    if name not in _MODULES:
        raise attr_error("torch.utils", name)
    try:
        return _importlib.import_module(f".{name}", __name__)
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
        raise attr_error("torch.utils", name) from None

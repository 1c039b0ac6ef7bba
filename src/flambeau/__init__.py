"""flambeau: PyTorch's API in readable Python. `import flambeau as torch` runs PyTorch code.

The functions come from the registry that the operations fill (`ops/public.py`); the subpackages are imported when
they are first used, which keeps `import flambeau` short.
"""

import importlib as _importlib

from . import autograd, checks, devices, dtypes, errors, ops
from .autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .autograd.mode import is_anomaly_check_nan_enabled, is_anomaly_enabled
from .checks.findings import FlambeauWarning, allow
from .constants import *  # noqa: F403
from .devices import device, get_default_device, set_default_device
from .dtypes import (
    bfloat16,
    bool,
    can_cast,
    cdouble,
    cfloat,
    complex64,
    complex128,
    double,
    dtype,
    finfo,
    float,
    float8_e4m3fn,
    float8_e5m2,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    iinfo,
    int,
    int8,
    int16,
    int32,
    int64,
    long,
    promote_types,
    set_default_dtype,
    short,
    uint8,
    uint16,
    uint32,
    uint64,
)  # fmt: skip
from .errors import OutOfMemoryError
from .formatting import get_printoptions, set_printoptions
from .generator import Generator, default_generator
from .ops.entry import REGISTRY as _REGISTRY
from .ops.promotion import result_type
from .ops.shape import channels_last, channels_last_3d, contiguous_format, memory_format, preserve_format
from .settings import *  # noqa: F403
from .storage import *  # noqa: F403
from .tensor import Size, Tensor, is_tensor

__version__ = "0.1.0"

for _name, _function in _REGISTRY.items():
    if "." not in _name:
        globals()[_name] = _function

# Subpackages, imported at first use; and names that live in one of them.
_LAZY_MODULES = (
    "_dynamo", "accelerator", "amp", "attr", "backends", "compiler", "cuda", "distributed", "distributions",
    "doctor", "fft", "formatting", "func", "generator", "kernels", "linalg", "masked", "mps", "multiprocessing",
    "nn", "optim", "profiler", "random", "record", "return_types", "serialization", "signal", "special", "storage",
    "testing", "training", "utils", "version", "vision", "viz", "xpu",
)  # fmt: skip
_LAZY_NAMES = {
    "save": "serialization", "load": "serialization",
    "autocast": "amp", "GradScaler": "amp", "is_autocast_enabled": "amp", "set_autocast_enabled": "amp",
    "get_autocast_dtype": "amp", "set_autocast_dtype": "amp", "vmap": "func", "compile": "compiler",
    "as_torch": "cli", "set_num_threads": "kernels.threads", "get_num_threads": "kernels.threads",
    "memory_stats": "kernels.memory", "reset_peak_memory_stats": "kernels.memory", "empty_cache": "kernels.memory",
    "set_memory_limit": "kernels.memory",
    "progress": "training", "fit": "training", "lr_find": "training", "overfit_one_batch": "training",
    "Run": "record", "summary": "viz.layers",
}  # fmt: skip


def __getattr__(name):
    if name in _LAZY_MODULES:
        try:
            found = _importlib.import_module(f".{name}", __name__)
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
            raise errors.attr_error("torch", name) from None
    elif name in _LAZY_NAMES:
        found = getattr(_importlib.import_module(f".{_LAZY_NAMES[name]}", __name__), name)
    else:
        # torch.batch_norm, torch.dropout and the like: the layers as functions, registered when nn is imported.
        if not name.startswith("__"):
            _importlib.import_module(".nn.functional", __name__)
        if name not in _REGISTRY:
            raise errors.attr_error("torch", name, [*_REGISTRY, *globals()])
        found = _REGISTRY[name]
    globals()[name] = found
    return found


def __dir__():
    return sorted({*globals(), *_LAZY_MODULES, *_LAZY_NAMES})

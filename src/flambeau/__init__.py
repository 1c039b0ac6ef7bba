"""flambeau: PyTorch's API in readable Python. `import flambeau as torch` runs PyTorch code."""

from . import autograd, dtypes, errors, ops
from .autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .devices import device, get_default_device, set_default_device
from .dtypes import (
    bfloat16, bool, can_cast, cdouble, cfloat, complex64, complex128, double, dtype, finfo, float, float8_e4m3fn,
    float8_e5m2, float16, float32, float64, get_default_dtype, half, iinfo, int, int8, int16, int32, int64, long,
    promote_types, set_default_dtype, short, uint8, uint16, uint32, uint64,
)  # fmt: skip
from .ops.entry import REGISTRY as _REGISTRY
from .tensor import Size, Tensor, is_tensor

__version__ = "0.1.0"

for _name, _function in _REGISTRY.items():
    if "." not in _name:
        globals()[_name] = _function

"""torch.backends: what the back ends of this build are, and their switches."""

import sys as _sys
from types import ModuleType as _Module
from types import SimpleNamespace as _Namespace


def _module(name, **members):
    """A module, so that `import torch.backends.cudnn as cudnn` works."""
    made = _sys.modules[f"{__name__}.{name}"] = _Module(f"{__name__}.{name}", f"Switches of {name}.")
    made.__dict__.update(members)
    return made


def _absent(name, **flags):
    return _module(name, is_available=lambda: False, is_built=lambda: False, version=lambda: None, **flags)


cudnn = _absent("cudnn", enabled=False, benchmark=False, deterministic=False, allow_tf32=False)
cuda = _absent("cuda", matmul=_Namespace(allow_tf32=False))
mps = _absent("mps")
mkl = _absent("mkl")
mkldnn = _absent("mkldnn", enabled=False)
openmp = _absent("openmp")
xnnpack = _absent("xnnpack", enabled=False)
opt_einsum = _module("opt_einsum", is_available=lambda: False, enabled=False)
cpu = _module("cpu", get_cpu_capability=lambda: "NUMPY")

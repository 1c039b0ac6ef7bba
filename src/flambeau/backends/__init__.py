"""torch.backends: what the back ends of this build are, and their switches."""

from types import SimpleNamespace as _Namespace


def _absent(**flags):
    return _Namespace(is_available=lambda: False, is_built=lambda: False, version=lambda: None, **flags)


cudnn = _absent(enabled=False, benchmark=False, deterministic=False, allow_tf32=False)
cuda = _absent(matmul=_Namespace(allow_tf32=False))
mps = _absent()
mkl = _absent()
mkldnn = _absent(enabled=False)
openmp = _absent()
xnnpack = _absent(enabled=False)
opt_einsum = _Namespace(is_available=lambda: False, enabled=False)
cpu = _Namespace(get_cpu_capability=lambda: "NUMPY")

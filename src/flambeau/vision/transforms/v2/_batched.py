"""Which of these transforms run on whole batches."""

from .. import batched
from . import _geometry, _other
from . import functional as F

__all__ = ["register"]


class _ToDtype(batched._Step):
    def setting(self):
        return self.t.dtype, getattr(self.t, "scale", True)

    def run(self, a, drawn):
        dtype = F.F.numpy_dtype(self.t.dtype)
        return F.scale_dtype(a, dtype) if getattr(self.t, "scale", True) else a.astype(dtype)


class _Flip(batched._Flip):
    """The coin is the same; only the class differs."""

    def draw(self, height, width):
        return batched._draw.coin() < self.t.p

    def run(self, a, drawn):
        chosen = batched.np.array(drawn)
        out = a.copy()
        sideways = type(self.t) is _geometry.RandomHorizontalFlip
        out[chosen] = a[chosen][:, :, ::-1] if sideways else a[chosen][:, ::-1]
        return out


def register() -> None:
    """Tell `batched` about them."""
    batched.COMPOSE.add(_other.Compose)
    batched.register(_other.ToImage, batched._ToBytes)
    batched.register(_other.PILToTensor, batched._ToBytes)
    batched.register(_other.ToDtype, _ToDtype, lambda t: not isinstance(t.dtype, dict))
    batched.register(_other.ConvertImageDtype, _ToDtype)
    batched.register(_other.Normalize, batched._Normalize)
    batched.register(_geometry.RandomHorizontalFlip, _Flip)
    batched.register(_geometry.RandomVerticalFlip, _Flip)

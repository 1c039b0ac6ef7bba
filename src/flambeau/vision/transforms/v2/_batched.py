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


def register() -> None:
    """Tell `batched` about them."""
    batched.COMPOSE.add(_other.Compose)
    batched.register(_other.ToImage, batched._ToBytes)
    batched.register(_other.PILToTensor, batched._ToBytes)
    batched.register(_other.ToDtype, _ToDtype, lambda t: not isinstance(t.dtype, dict))
    batched.register(_other.ConvertImageDtype, _ToDtype)
    batched.register(_other.Normalize, batched._Normalize)
    batched.register(_geometry.RandomHorizontalFlip, batched.Sideways, batched.one_word_a_coin)
    batched.register(_geometry.RandomVerticalFlip, batched.UpsideDown, batched.one_word_a_coin)

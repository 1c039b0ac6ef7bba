"""Constants of the top-level namespace, and the layout marker."""

import math as _math

__all__ = ["e", "inf", "layout", "nan", "newaxis", "pi", "strided", "sparse_coo"]

e, inf, nan, pi, newaxis = _math.e, _math.inf, _math.nan, _math.pi, None


class layout:
    """How elements are stored: torch.strided (dense memory with strides) is the one layout there is."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"torch.{self.name}"

    def __reduce__(self):
        return self.name


strided, sparse_coo = layout("strided"), layout("sparse_coo")

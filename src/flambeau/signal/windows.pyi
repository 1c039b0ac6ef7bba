# Made by tools/make_stubs.py from the registry of operations; not to be edited.

from builtins import bool as _bool, float as _float, int as _int
from typing import Any

from ..tensor import Tensor

def bartlett(
    M: Any, *, sym: Any = True, dtype: Any = None, layout: Any = ..., device: Any = None, requires_grad: Any = False
) -> Any: ...
def blackman(
    M: Any, *, sym: Any = True, dtype: Any = None, layout: Any = ..., device: Any = None, requires_grad: Any = False
) -> Any: ...
def cosine(
    M: Any, *, sym: Any = True, dtype: Any = None, layout: Any = ..., device: Any = None, requires_grad: Any = False
) -> Any: ...
def exponential(
    M: Any,
    *,
    center: Any = None,
    tau: Any = 1.0,
    sym: Any = True,
    dtype: Any = None,
    layout: Any = ...,
    device: Any = None,
    requires_grad: Any = False,
) -> Any: ...
def gaussian(
    M: Any,
    *,
    std: Any = 1.0,
    sym: Any = True,
    dtype: Any = None,
    layout: Any = ...,
    device: Any = None,
    requires_grad: Any = False,
) -> Any: ...
def general_cosine(
    M: Any,
    *,
    a: Any,
    sym: Any = True,
    dtype: Any = None,
    layout: Any = ...,
    device: Any = None,
    requires_grad: Any = False,
) -> Any: ...
def general_hamming(
    M: Any,
    *,
    alpha: Any = 0.54,
    sym: Any = True,
    dtype: Any = None,
    layout: Any = ...,
    device: Any = None,
    requires_grad: Any = False,
) -> Any: ...
def hamming(
    M: Any, *, sym: Any = True, dtype: Any = None, layout: Any = ..., device: Any = None, requires_grad: Any = False
) -> Any: ...
def hann(
    M: Any, *, sym: Any = True, dtype: Any = None, layout: Any = ..., device: Any = None, requires_grad: Any = False
) -> Any: ...
def kaiser(
    M: Any,
    *,
    beta: Any = 12.0,
    sym: Any = True,
    dtype: Any = None,
    layout: Any = ...,
    device: Any = None,
    requires_grad: Any = False,
) -> Any: ...
def nuttall(
    M: Any, *, sym: Any = True, dtype: Any = None, layout: Any = ..., device: Any = None, requires_grad: Any = False
) -> Any: ...

"""torch._dynamo: the names of torch.compiler that programs reach for here."""

from .compiler import compile as _compile
from .compiler import disable as disable
from .compiler import list_backends as list_backends
from .compiler import reset as reset
from .compiler.module import OptimizedModule as OptimizedModule

explain = _compile.explain  # type: ignore[attr-defined]

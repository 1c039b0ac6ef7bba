"""Neural networks: modules, their functions, initial values and utilities."""

from ..errors import ArgumentTypeError
from . import attention, common_types, functional, init, modules, parallel, parameter, utils

# Every layer is public here; file by file, since type checkers and editors do not follow a computed `__all__`.
from .modules.activation import *  # noqa: F403
from .modules.adaptive import *  # noqa: F403
from .modules.batchnorm import *  # noqa: F403
from .modules.channelshuffle import *  # noqa: F403
from .modules.container import *  # noqa: F403
from .modules.conv import *  # noqa: F403
from .modules.distance import *  # noqa: F403
from .modules.dropout import *  # noqa: F403
from .modules.flatten import *  # noqa: F403
from .modules.fold import *  # noqa: F403
from .modules.instancenorm import *  # noqa: F403
from .modules.linear import *  # noqa: F403
from .modules.loss import *  # noqa: F403
from .modules.module import Module
from .modules.normalization import *  # noqa: F403
from .modules.padding import *  # noqa: F403
from .modules.pixelshuffle import *  # noqa: F403
from .modules.pooling import *  # noqa: F403
from .modules.rnn import *  # noqa: F403
from .modules.sparse import *  # noqa: F403
from .modules.transformer import *  # noqa: F403
from .modules.upsampling import *  # noqa: F403
from .parallel import DataParallel
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter


def factory_kwargs(kwargs):
    """The arguments 'device', 'dtype' and 'memory_format' of a layer, in one dict; TypeError for any other."""
    if kwargs is None:
        return {}
    simple = {"device", "dtype", "memory_format"}
    unknown = kwargs.keys() - simple - {"factory_kwargs"}
    if unknown:
        raise ArgumentTypeError(
            f"unexpected kwargs {unknown}",
            why="a layer passes on device, dtype and memory_format only",
            fix="leave them out",
        )
    found = dict(kwargs.get("factory_kwargs", {}))
    for key in simple & kwargs.keys():
        if key in found:
            raise ArgumentTypeError(
                f"{key} specified twice, in **kwargs and in factory_kwargs",
                why="nothing says which of the two holds",
                fix=f"leave {key} out of one of them",
            )
        found[key] = kwargs[key]
    return found

"""torch.distributed for one process: scripts for several run as rank 0 of 1; more processes are refused clearly."""

from __future__ import annotations

import os
from enum import Enum
from typing import Any

from .errors import ArgumentError, NotSupported

__all__ = [
    "ReduceOp", "all_gather", "all_gather_object", "all_reduce", "barrier", "broadcast", "broadcast_object_list",
    "destroy_process_group", "gather", "get_backend", "get_rank", "get_world_size", "init_process_group",
    "is_available", "is_gloo_available", "is_initialized", "is_mpi_available", "is_nccl_available",
    "is_torchelastic_launched", "new_group", "reduce", "scatter",
]  # fmt: skip


class ReduceOp(Enum):
    """How the tensors of all processes become one; for one process all of them leave it as it is."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4


class _Group:
    """The one group there can be: this process."""

    def __init__(self, backend):
        self.backend = backend

    def rank(self) -> int:
        """This process's number."""
        return 0

    def size(self) -> int:
        """The number of processes."""
        return 1


class _Done:
    """What `async_op=True` returns: the work is done already."""

    def wait(self, timeout=None) -> bool:
        """Wait for the end."""
        return True

    def is_completed(self) -> bool:
        """Whether it has ended."""
        return True


_group: _Group | None = None


def is_available() -> bool:
    """Whether the package can be used: for one process."""
    return True


def is_initialized() -> bool:
    """Whether `init_process_group` was called."""
    return _group is not None


def is_gloo_available() -> bool:
    """Whether the backend "gloo" can be named."""
    return True


def is_nccl_available() -> bool:
    """Whether there are GPUs that NCCL could connect."""
    return False


def is_mpi_available() -> bool:
    """Whether MPI was built in."""
    return False


def is_torchelastic_launched() -> bool:
    """Whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def init_process_group(
    backend=None, init_method=None, timeout=None, world_size: int = -1, rank: int = -1, store=None,
    group_name: str = "", pg_options=None, device_id=None,
) -> None:  # fmt: skip
    """Begin to work as a process of a group, which here has one member.

    Arguments:
        backend: "gloo" or None.
        init_method: where processes meet; without it WORLD_SIZE and RANK are read from the environment.
        world_size, rank: number of processes and this one's number.
    Raises NotSupported for more than one process.

    >>> import flambeau as torch
    >>> torch.distributed.init_process_group("gloo", init_method="tcp://127.0.0.1:29500", rank=0, world_size=1)
    >>> torch.distributed.get_rank(), torch.distributed.get_world_size()
    (0, 1)
    >>> torch.distributed.destroy_process_group()
    """
    global _group
    if _group is not None:
        raise ArgumentError(
            "trying to initialize the default process group twice!",
            why="init_process_group was called before in this process",
            fix="call `destroy_process_group()` first, or call it once only",
        )
    if backend is not None and "gloo" not in str(backend):
        raise NotSupported(
            f"Distributed package doesn't have {str(backend).upper()} built in",
            why="it connects GPUs or several machines, and this build works in one process on the CPU",
            fix='use `init_process_group("gloo", rank=0, world_size=1)`',
        )
    if store is None and (init_method is None or init_method == "env://"):
        world_size = _from_environment("WORLD_SIZE") if world_size < 0 else world_size
        rank = _from_environment("RANK") if rank < 0 else rank
    elif world_size < 0 or rank < 0:
        raise ArgumentError(
            f"init_process_group(init_method={init_method!r}) needs rank and world_size",
            why="without them a process does not know which one it is",
            fix="pass `rank=0, world_size=1`",
        )
    if world_size > 1:
        raise NotSupported(
            f"init_process_group for {world_size} processes: flambeau trains in one process",
            why=f"world_size={world_size} says that others take part, but they could not exchange gradients",
            fix="start the script once, without torchrun, with `rank=0, world_size=1`",
        )
    if rank != 0 or world_size != 1:
        raise ArgumentError(
            f"init_process_group got rank={rank} and world_size={world_size}",
            why="ranks go from 0 to world_size - 1",
            fix="pass `rank=0, world_size=1`",
        )
    _group = _Group(str(backend or "gloo"))


def _from_environment(name: str) -> int:
    if name not in os.environ:
        raise ArgumentError(
            "Error initializing torch.distributed using env:// rendezvous: environment variable "
            f"{name} expected, but not set",
            why="torchrun would set it",
            fix="pass `rank=0, world_size=1`",
        )
    return int(os.environ[name])


def destroy_process_group(group=None) -> None:
    """Leave the group."""
    global _group
    _need()
    _group = None


def _need() -> _Group:
    if _group is None:
        raise ArgumentError(
            "Default process group has not been initialized, please make sure to call init_process_group.",
            why="there is no group yet to ask or to communicate in",
            fix='call `torch.distributed.init_process_group("gloo", rank=0, world_size=1)` first',
        )
    return _group


def get_rank(group=None) -> int:
    """This process's number in the group: 0."""
    return _need().rank()


def get_world_size(group=None) -> int:
    """The number of processes of the group: 1."""
    return _need().size()


def get_backend(group=None) -> str:
    """The backend's name."""
    return _need().backend


def new_group(ranks=None, timeout=None, backend=None, **options: Any) -> _Group:
    """A group of some of the processes: of this one."""
    if ranks not in (None, [0], (0,)):
        raise ArgumentError(
            f"new_group(ranks={ranks}): the default group has only rank 0",
            why="it has one process",
            fix="use `new_group([0])`",
        )
    return _Group(backend or _need().backend)


def barrier(group=None, async_op: bool = False, device_ids=None):
    """Wait for all processes."""
    return _finished(async_op)


def _finished(async_op: bool):
    _need()
    return _Done() if async_op else None


def all_reduce(tensor, op=ReduceOp.SUM, group=None, async_op: bool = False):
    """Reduce a tensor over all processes, in place; for one process it stays as it is.

    >>> import flambeau as torch, flambeau.distributed as dist
    >>> dist.init_process_group("gloo", rank=0, world_size=1)
    >>> t = torch.ones(2)
    >>> dist.all_reduce(t); t
    tensor([1., 1.])
    >>> dist.destroy_process_group()
    """
    return _finished(async_op)


def reduce(tensor, dst: int | None = 0, op=ReduceOp.SUM, group=None, async_op: bool = False):
    """Reduce a tensor over all processes into that of rank `dst`."""
    return _finished(async_op)


def broadcast(tensor, src: int | None = 0, group=None, async_op: bool = False):
    """Give the tensor of rank `src` to all processes."""
    return _finished(async_op)


def all_gather(tensor_list, tensor, group=None, async_op: bool = False):
    """The tensors of all processes, copied into a list of tensors on each."""
    done = _finished(async_op)
    tensor_list[0].copy_(tensor)
    return done


def gather(tensor, gather_list=None, dst: int | None = 0, group=None, async_op: bool = False):
    """The tensors of all processes, copied into a list on rank `dst`."""
    done = _finished(async_op)
    if gather_list:
        gather_list[0].copy_(tensor)
    return done


def scatter(tensor, scatter_list=None, src: int | None = 0, group=None, async_op: bool = False):
    """To each process its own tensor of a list on rank `src`."""
    done = _finished(async_op)
    if scatter_list:
        tensor.copy_(scatter_list[0])
    return done


def broadcast_object_list(object_list, src: int | None = 0, group=None, device=None) -> None:
    """Give the objects of rank `src` to all processes."""
    _need()


def all_gather_object(object_list, obj, group=None) -> None:
    """The objects of all processes, in a list on each."""
    _need()
    object_list[0] = obj

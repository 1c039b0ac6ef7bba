"""Batches from a worker process to its parent through shared memory that cannot leak.

A batch is pickled with its buffers apart (protocol 5). The buffers go into a *slot*: an anonymous file mapped by
both processes, whose descriptor is sent over the socket once. It has no name, so the kernel frees it when both
processes have let go of it, killed or not. The parent's tensors lie directly in the slot; when the last of them is
gone the slot goes back to the worker. Where there are no such files everything travels through the pipe.
"""

import io
import mmap
import os
import pickle
import tempfile
import weakref
from collections.abc import Callable
from multiprocessing import reduction
from multiprocessing.connection import Connection

import numpy as np

from ....errors import StateError
from ....tensor import Tensor

__all__ = ["Receiver", "Sender"]

_INLINE = 2048  # bytes: below this a copy through the pipe is quicker than anything else
_ALIGN = 64
_GRAIN = 1 << 16  # slots are a multiple of this, so that batches of nearly one size share them
_MAX_LEASED = 16  # slots per worker that user code may hold before batches are copied out: each is an open file
_SHARED = os.name == "posix"


def _anonymous_file(size: int) -> int:
    """A descriptor of a file of this size that has no name."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("flambeau-batch", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd


def _rebuild(array: np.ndarray, dtype, requires_grad: bool):
    tensor = Tensor.wrap(array.view(dtype.numpy))  # unpickled arrays have a dtype object of their own
    return tensor.requires_grad_() if requires_grad else tensor


def _reduce(tensor):
    array = tensor._array
    if type(array) is not np.ndarray:
        return tensor.__reduce_ex__(5)
    if tensor.requires_grad and not tensor.is_leaf:
        raise StateError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not support "
            "crossing process boundaries.  If you just want to transfer the data, call detach() on the tensor before "
            "serializing (e.g., putting it on the queue).",
            why="its graph stays in the process that made it",
            fix="use `tensor.detach()`",
        )
    if array.dtype.kind in "biufc":
        return _rebuild, (array, tensor.dtype, tensor.requires_grad)
    raw = np.ascontiguousarray(array).reshape(array.shape)  # bfloat16 and its kin: NumPy has no buffers for them
    return _rebuild, (raw.view(np.dtype(f"u{array.itemsize}")), tensor.dtype, tensor.requires_grad)


class _Pickler(pickle.Pickler):
    """Pickles plain tensors as their arrays, so that these travel as buffers."""

    dispatch_table = {**reduction.ForkingPickler._extra_reducers, Tensor: _reduce}  # type: ignore[attr-defined]


class Sender:
    """The worker's side."""

    def __init__(self, connection: Connection, parent_pid: int) -> None:
        self.connection = connection
        self.parent = parent_pid
        self.slots: dict[int, mmap.mmap] = {}
        self.free: list[int] = []
        self.made = 0

    def reclaim(self, slots) -> None:
        """The parent no longer reads these."""
        self.free.extend(slots)

    def send(self, head: tuple, value) -> None:
        """Send `head` (small) and `value` (any object)."""
        buffers: list[pickle.PickleBuffer] = []
        file = io.BytesIO()
        _Pickler(file, protocol=5, buffer_callback=buffers.append).dump(value)
        body = file.getbuffer()
        views = [buffer.raw() for buffer in buffers]
        layout, end = [], 0
        for view in (body, *views):
            layout.append((end, view.nbytes))
            end = -(-(end + view.nbytes) // _ALIGN) * _ALIGN
        if end <= _INLINE or not _SHARED:
            message = (head, None, 0, None, None, [bytes(view) for view in (body, *views)])
            self.connection.send_bytes(pickle.dumps(message, protocol=5))
            return
        slot, fd, size, dropped = self._slot(end)
        memory = self.slots[slot]
        for (start, length), view in zip(layout, (body, *views), strict=True):
            memory[start : start + length] = view
        self.connection.send_bytes(pickle.dumps((head, slot, size, dropped, layout, None), protocol=5))
        if fd is not None:
            reduction.send_handle(self.connection, fd, self.parent)
            os.close(fd)

    def _slot(self, size: int):
        """A free slot with room, or a new one: (number, descriptor if new, size if new, slot given up)."""
        for k, slot in enumerate(self.free):
            if len(self.slots[slot]) >= size:
                del self.free[k]
                return slot, None, 0, None
        dropped = None
        if self.free:  # all too small: one makes place, or slots of outgrown sizes would pile up
            dropped = self.free.pop()
            self.slots.pop(dropped).close()
        size = -(-size // _GRAIN) * _GRAIN
        fd = _anonymous_file(size)
        slot, self.made = self.made, self.made + 1
        self.slots[slot] = mmap.mmap(fd, size)
        return slot, fd, size, dropped


class Receiver:
    """The parent's side, one per worker."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.slots: dict[int, mmap.mmap] = {}
        self.leases: dict[int, weakref.ref] = {}
        self.freed: list[int] = []

    def receive(self) -> tuple[tuple, Callable]:
        """The next message: its head, and a function that makes the value."""
        head, slot, size, dropped, layout, inline = pickle.loads(self.connection.recv_bytes())
        if inline is not None:
            # bytearray: tensors over it must be writable.
            return head, lambda: pickle.loads(inline[0], buffers=[bytearray(part) for part in inline[1:]])
        if dropped is not None:
            self.slots.pop(dropped, None)
        if size:
            fd = reduction.recv_handle(self.connection)
            self.slots[slot] = mmap.mmap(fd, size)
            os.close(fd)
        # An array that owns nothing but can be watched: everything unpickled keeps it alive.
        lease = np.frombuffer(self.slots[slot], np.uint8)
        freed, leases = self.freed, self.leases

        def release(_, slot=slot):
            leases.pop(slot, None)
            freed.append(slot)

        if len(leases) >= _MAX_LEASED:
            lease = lease[: layout[-1][0] + layout[-1][1]].copy()
            freed.append(slot)
        else:
            leases[slot] = weakref.ref(lease, release)
        memory = memoryview(lease)  # type: ignore[arg-type]
        parts = [memory[start : start + length] for start, length in layout]
        return head, lambda: pickle.loads(parts[0], buffers=parts[1:])

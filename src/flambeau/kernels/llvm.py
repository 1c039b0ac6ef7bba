"""LLVM at run time: IR text -> object code (kept on disk) -> machine code -> a CPython builtin.

Calling through ctypes costs over a microsecond; a builtin made from a generated METH_FASTCALL function costs what
any builtin costs. The generated code finds everything it needs of Python and of the C library through a table of
addresses that is its `self`, so object code holds no address and can be kept on disk.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import sys
import sysconfig
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import ml_dtypes
import numpy as np

from . import cache as disk
from . import notes, threads
from .record import unwatched

_lock = threading.RLock()
counts = {"compiled": 0, "from disk": 0}

# Rows of the address table (64-bit words); generated wrappers read them.
(NDARRAY, INT, FLOAT, BOOL, SAVE, RESTORE, POOL_RUN, POOL_STATE, AS_INT, CLEAR, BFLOAT16,
 CLOCK, THREAD, INCREF, DECREF, CALL, NOTES, TABLE_SIZE) = range(18)  # fmt: skip
HEADER = object.__basicsize__  # bytes of reference count and type that start every Python object


@cache
def target() -> tuple[Any, str]:
    """The target machine of this computer, and a text that identifies it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu = llvm.get_host_cpu_name()
    features = llvm.get_host_cpu_features().flatten()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=cpu, features=features, opt=3, jit=True)
    return machine, f"{cpu} {features}"


@cache
def identity() -> str:
    """What compiled code depends on besides its IR: this package, the CPU, and the versions and layout of Python."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    for part in (target()[1], llvmlite.__version__, str(llvm.llvm_version_info), sys.version, str(HEADER),
                 np.__version__, str(sysconfig.get_config_var("SOABI"))):  # fmt: skip
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


@cache
def _engine() -> Any:
    machine = llvm.Target.from_default_triple().create_target_machine(opt=3, jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    # Worker threads sleep inside this code until the process is gone, so it is never freed.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))
    return engine


def widest() -> int:
    """Bits of the widest vector registers that generated loops should use."""
    return 512 if "+avx512f" in target()[1] else 256


def to_object(ir_text: str, written: bool = False) -> bytes:
    """Optimised machine code, as an object file, of LLVM IR.

    written: the code is already written in vectors, and out of loops what need not be in them. A few passes tidy it
    up; all of them would take ten times as long, more than the generation of machine code.
    """
    machine, _ = target()
    # Without this LLVM keeps to half-width vectors on many CPUs that have AVX-512.
    ir_text = re.sub(r"^(define [^\n{]*?)\s*$", rf'\1 "prefer-vector-width"="{widest()}"', ir_text, flags=re.M)
    module = llvm.parse_assembly(ir_text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = not written
    options.loop_unrolling = options.loop_interleaving = not written
    builder = llvm.create_pass_builder(machine, options)
    passes = llvm.create_new_module_pass_manager() if written else builder.getModulePassManager()
    if written:
        passes.add_always_inliner_pass()
        passes.add_sroa_pass()
        passes.add_loop_rotate_pass()
        passes.add_instruction_combine_pass()
        passes.add_simplify_cfg_pass()
    passes.run(module, builder)
    counts["compiled"] += 1
    return machine.emit_object(module)


def address(name: str, key: str | None, write_ir: Callable[[], str], written: bool = False) -> int:
    """The address of function `name` in the code that `write_ir` describes, compiled at most once per computer.

    Arguments:
        name: the function's symbol, unique in the process.
        key: what determines the IR besides this package's source; None: the IR itself is the key.
        write_ir: with a key, called only where the disk cache has no entry.
        written: see `to_object`.
    """
    with _lock, unwatched():
        if key is None:
            text = write_ir()
            key, write_ir = text, lambda: text
        full = hashlib.sha256(f"{identity()}\0{name}\0{key}".encode()).hexdigest()
        body = disk.load(full)
        if body is None:
            body = to_object(write_ir(), written)
            disk.store(full, body)
        else:
            counts["from disk"] += 1
        engine = _engine()
        engine.add_object_file(llvm.ObjectFileRef.from_data(body))
        engine.finalize_object()
        return engine.get_function_address(name)


def symbol(name: str) -> int:
    """The address of another function of code that `address` has loaded."""
    with _lock:
        return _engine().get_function_address(name)


@cache
def tile_library(kind: str) -> None:
    """Load the functions of `tile.py` for an element type; code loaded later is linked to them by name."""
    from . import tile  # which imports this module

    address(f"flambeau_tile_panel_{kind}", "", lambda: tile.library_ir(kind))


def _c_address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@cache
def table() -> np.ndarray:
    """The addresses that generated wrappers need, as an array that is `self` of every builtin."""
    words = np.zeros(TABLE_SIZE, np.int64)
    for row, kind in {NDARRAY: np.ndarray, INT: int, FLOAT: float}.items():
        words[row] = id(kind)
    api = ctypes.pythonapi
    words[BOOL], words[AS_INT] = _c_address(api.PyBool_FromLong), _c_address(api.PyLong_AsSsize_t)
    words[BFLOAT16] = np.dtype(ml_dtypes.bfloat16).num  # NumPy numbers types that it does not know as they come
    words[CLEAR] = _c_address(api.PyErr_Clear)
    words[SAVE], words[RESTORE] = _c_address(api.PyEval_SaveThread), _c_address(api.PyEval_RestoreThread)
    words[POOL_RUN], words[POOL_STATE] = threads.start(address)
    words[CLOCK] = _c_address(ctypes.CDLL(None).clock_gettime)
    words[THREAD], words[CALL] = _c_address(api.PyThread_get_thread_ident), _c_address(api.PyObject_CallNoArgs)
    words[INCREF], words[DECREF] = _c_address(api.Py_IncRef), _c_address(api.Py_DecRef)
    words[NOTES] = notes.state.ctypes.data
    return words


class _MethodDef(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p),
    ]  # fmt: skip


_METH_FASTCALL = 0x0080
_definitions: list[_MethodDef] = []  # a builtin points at its definition for as long as it lives


def builtin(function: int, name: str, doc: str = "") -> Callable[..., bool]:
    """A Python builtin that calls `PyObject *f(PyObject *self, PyObject *const *args, Py_ssize_t nargs)`."""
    definition = _MethodDef(name.encode(), function, _METH_FASTCALL, doc.encode())
    _definitions.append(definition)
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return make(ctypes.addressof(definition), table(), None)


def usable() -> bool:
    """Whether this interpreter's objects have the layout that generated wrappers read."""
    standard = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
    words = HEADER == 16 and ctypes.sizeof(ctypes.c_void_p) == 8 and sys.byteorder == "little"
    return bool(standard and words and os.name == "posix")

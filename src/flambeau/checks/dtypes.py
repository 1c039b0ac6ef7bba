"""Numbers that change without a word: float64 that spreads, 8 bits that overflow, masks as row numbers, lost results.

The framework calls these functions where it computes with two dtypes, with 8-bit integers, with an index tensor, or
converts a tensor; none of that is on the way of ordinary float32 work.
"""

from __future__ import annotations

import ast
import dis
import sys
import weakref

import numpy as np

from ..place import USER, kind_of, past
from . import events, registry
from .codes import LIMITS
from .findings import found
from .log import log
from .sites import Site, statements, user_site
from .tags import origin

_SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "rsub": "-"}


def _operands(site: Site, *fallback: str) -> list[str]:
    texts = site.operands()
    if len(texts) == len(fallback) + 1:
        texts = texts[1:]  # `torch` of torch.add(a, b)
    return texts if len(texts) == len(fallback) else list(fallback)


def _grouped(text: str) -> str:
    try:
        simple = isinstance(ast.parse(text, mode="eval").body, (ast.Name, ast.Attribute, ast.Call, ast.Subscript))
    except SyntaxError:
        return text
    return text if simple else f"({text})"


# ---------------------------------------------------------------------- float32 meets float64 from NumPy


def promoted(x, y) -> None:
    """A float32 and a float64 tensor meet in an operation, which computes in float64."""
    wide, narrow = (x, y) if x._array.dtype == np.float64 else (y, x)
    if not narrow.requires_grad or wide.requires_grad or not wide._array.ndim:
        return
    made = origin(wide)
    if made.kind not in ("numpy", "loader"):
        return
    from .. import dtypes

    if dtypes.get_default_dtype() is dtypes.float64:
        return
    site = user_site()
    if site is None or site.library or _in_double(narrow):
        return
    name = registry.variable(wide) or "the float64 operand"
    line = made.site.line if made.site is not None else 0
    code = registry.variable(wide) or "y"
    found(
        "FB-DTYPE-01",
        f"`{site.source}` combines float32 with `{code}`, which is float64: it came from a NumPy array (line {line})"
        if line
        else f"`{site.source}` combines float32 with `{code}`, which is float64, as NumPy's and Python's floats are",
        "the rest of the graph now runs in float64, at twice the memory",
        f"convert it once: `{code} = {code}.float()`",
        level="W",
        cause="promoted",
        at=site,
        place=name,
    )


def _in_double(t) -> bool:
    """Whether a tensor was computed with parameters in float64: that is then the program's own choice."""
    return any(p._array.dtype == np.float64 for p in events.leaves(events.graph([t], 10_000)))


# ---------------------------------------------------------------------- 8 bits


def narrow(name: str, x, y, made) -> None:
    """An operation on 8-bit integers has run: whether more bits would have given another result."""
    a, b, r = x._array, y._array, made._array
    limits = LIMITS["FB-DTYPE-03"]
    if type(r) is not np.ndarray or not r.size or r.size > limits["numel"] or name not in _SYMBOLS:
        return
    site = user_site()
    if site is None or site.library:
        return
    calls = log.notes.setdefault("FB-DTYPE-03", {})
    key = site.code, site.lasti
    calls[key] = calls.get(key, 0) + 1
    if calls[key] > limits["calls"]:
        return
    p, q = a.astype(np.int32), b.astype(np.int32)
    if (
        max(p.max(initial=0), q.max(initial=0)) <= 1
        and min(p.min(initial=0), q.min(initial=0)) >= 0
        and p.ndim
        and q.ndim
    ):
        return  # two masks
    true = p + q if name == "add" else p * q if name == "mul" else q - p if name == "rsub" else p - q
    wrong = true != r
    if not wrong.any() or _wraps_on_purpose(site):
        return
    at = int(np.argmax(wrong.reshape(-1)))
    one = int(np.broadcast_to(p, true.shape).reshape(-1)[at])
    two = int(np.broadcast_to(q, true.shape).reshape(-1)[at])
    if name == "rsub":
        one, two = two, one
    u, v = _operands(site, "x", "y")
    symbol, kind = _SYMBOLS[name], made.dtype.name
    data = u if x._array.ndim else v
    whole = f"{_grouped(u)}.float() {symbol} {v}" if data == u else f"{u} {symbol} {_grouped(v)}.float()"
    found(
        "FB-DTYPE-03",
        f"`{u} {symbol} {v}` in {kind} overflowed for {int(wrong.sum())} of {r.size} elements ({one} {symbol} {two} = "
        f"{int(true.reshape(-1)[at])} is stored as {int(r.reshape(-1)[at])})",
        "8 bits hold 0..255" if kind == "uint8" else "8 bits hold -128..127",
        f"convert first: `{whole}`",
        cause="overflow",
        at=site,
    )


def _wraps_on_purpose(site: Site) -> bool:
    """Whether the result goes straight into a remainder or a bitwise operation."""
    inner = site.expression()
    if inner is None:
        return False
    text, kinds = ast.dump(inner), (ast.Mod, ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift)
    for statement in statements(site):
        for node in ast.walk(statement):
            if isinstance(node, ast.BinOp) and isinstance(node.op, kinds):
                if any(ast.dump(part) == text for part in (node.left, node.right)):
                    return True
    return False


# ---------------------------------------------------------------------- masks as indices


def indexed(x, index, dim: int = 0) -> None:
    """A tensor is indexed by a tensor of integers that carries a tag."""
    a, shape = index._array, x._array.shape
    if a.ndim != 1 or dim >= len(shape) or shape[dim] != a.size or a.size <= 2 or origin(index).kind != "bool_cast":
        return
    if type(a) is not np.ndarray or a.min() < 0 or a.max() > 1:
        return
    site = user_site()
    if site is None or site.library:
        return
    texts = site.operands()
    inner = registry.variable(index) or (texts[-1] if len(texts) == 2 else "mask")
    values = f"{a.tolist()}" if a.size < 9 else f"{a[:6].tolist()} ..."
    found(
        "FB-DTYPE-04",
        f"`{site.source}` used the integers {values} as row numbers; `{inner}` was boolean before it was made integer",
        "0 and 1 pick the first two rows over and over; a boolean mask picks the rows where it is True",
        f"index with the boolean: `{_grouped(inner)}.bool()`",
        cause="mask",
        at=site,
    )


# ---------------------------------------------------------------------- results thrown away

_dropped: dict[tuple, bool] = {}


def converted(x, name: str) -> None:
    """A tensor was converted to another dtype or device: whether the user's code drops the result."""
    frame = past(sys._getframe(2))
    if frame.f_code.co_name == "convert":  # x.float() and the like
        frame = frame.f_back  # type: ignore[assignment]
    code, lasti = frame.f_code, frame.f_lasti
    if kind_of(code.co_filename) != USER:
        return
    key = code, lasti
    dropped = _dropped.get(key)
    if dropped is None:
        if len(_dropped) > 4096:
            return
        dropped = _dropped[key] = _is_dropped(code, lasti)
    if not dropped:
        return
    site = Site(code, lasti)
    e = site.expression()
    if not isinstance(e, ast.Call) or not isinstance(e.func, ast.Attribute):
        return
    text, whole = ast.unparse(e.func.value), ast.unparse(e)
    if not isinstance(e.func.value, (ast.Name, ast.Attribute)) or not _used_later(site, text):
        return
    log.notes.setdefault("dropped", []).append((weakref.ref(x), site.line, text, whole))
    found(
        "FB-DEV-02",
        f"`{whole}` returned a new tensor that was not kept; `{text}` is still {x.dtype.name} on {x.device}",
        "tensors are not converted in place, as modules are",
        f"write `{text} = {whole}`",
        level="W",
        at=site,
    )


def _is_dropped(code, lasti: int) -> bool:
    """Whether the value of the call at an instruction is popped off the stack at once."""
    following = (i for i in dis.get_instructions(code) if i.offset > lasti and i.opname not in ("CACHE", "NOP"))
    after = next(following, None)
    return after is not None and after.opname == "POP_TOP"


def _used_later(site: Site, text: str) -> bool:
    """Whether the code reads a variable after a line (or anywhere in a loop around it), before assigning it anew."""
    body = statements(site)
    line = site.line
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, (ast.Name, ast.Attribute)) and ast.unparse(node) == text:
                if node.lineno > line:
                    return isinstance(node.ctx, ast.Load)
    return False

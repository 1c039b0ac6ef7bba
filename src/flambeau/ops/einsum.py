"""Einstein's summation convention: the equation is parsed, then operands are contracted pair by pair as matrices."""

from __future__ import annotations

import math

from ..errors import ArgumentError, ArgumentTypeError, ShapeError
from ..mistakes.products import wrong_letters
from ..tensor import Tensor
from .entry import public
from .join import tensor_list
from .linalg import matmul
from .shape import reshape

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _from_lists(args):
    """The form einsum(a, [0, 1], b, [1, 2], [0, 2]) as (equation, operands)."""

    def letters(subscripts):
        parts = []
        for s in subscripts:
            if s is Ellipsis:
                parts.append("...")
            elif isinstance(s, int) and 0 <= s < 52:
                parts.append(_LETTERS[s])
            else:
                raise ArgumentError(
                    f"einsum(): not a valid subscript: {s!r} (expected 0 <= subscript < 52 or Ellipsis)",
                    why="each dimension is named by a number, which stands for one of 52 letters",
                    fix="name the dimensions 0, 1, 2 and so on",
                )
        return "".join(parts)

    operands, subscripts = list(args[0 : len(args) // 2 * 2 : 2]), args[1::2]
    equation = ",".join(letters(s) for s in subscripts)
    if len(args) % 2:
        equation += "->" + letters(args[-1])
    return equation, operands


@public()
def einsum(equation, *operands):
    """Sums of products of tensors, named by letters: "ij,jk->ik" is a matrix product.

    A letter missing from the result is summed over; "..." stands for any leading dimensions.
    Raises RuntimeError for an equation that does not fit the operands.

    >>> import flambeau as torch
    >>> torch.einsum("ij,ij->i", torch.ones(2, 3), torch.ones(2, 3))
    tensor([3., 3.])
    """
    if not isinstance(equation, str):
        if isinstance(equation, Tensor):
            equation, operands = _from_lists((equation, *operands))
        else:
            raise ArgumentTypeError(
                f"einsum(): the first argument must be an equation, not {type(equation).__name__}",
                why="the equation names the dimensions of each operand by letters",
                fix='pass one such as "ij,jk->ik", then the tensors',
            )
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = operands[0]
    operands = tensor_list(operands, "einsum")
    if not operands:
        raise ArgumentError(
            "einsum(): must specify the equation string and at least one operand, or at least one "
            "operand and its subscripts list",
            why=f"the equation '{equation}' came without tensors",
            fix="pass one tensor for each part of the equation between commas",
        )
    labels, output = _parse(equation, operands)
    return _contract(operands, labels, output)


def _parse(equation, operands):
    """(labels of each operand's dimensions, labels of the result); ellipsis dimensions are labelled by integers."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ShapeError(
            "einsum(): more operands were provided than specified in the equation"
            if len(operands) > len(terms)
            else "einsum(): fewer operands were provided than specified in the equation",
            why=f"the equation '{equation}' names {len(terms)}, {len(operands)} were given",
            fix=f"pass {len(terms)} tensor(s): each part between commas belongs to one",
        )
    labels, most = [], 0
    for i, (term, t) in enumerate(zip(terms, operands)):
        head, dots, tail = term.partition("...")
        for c in head + tail:
            if c not in _LETTERS:
                raise ShapeError(
                    f"einsum(): invalid subscript given at index {equation.find(c)} in the equation "
                    "string, subscripts must be in [a-zA-Z]"
                    if c != "."
                    else f"einsum(): found '.' for operand {i} that is not part of any ellipsis",
                    why=f"the operand's dimensions are named '{term}'",
                    fix="name each dimension by one letter, and any leading dimensions by '...'",
                )
        spare = t.ndim - len(head) - len(tail)
        if spare < 0 or spare > 0 and not dots:
            raise ShapeError(
                f"einsum(): the number of subscripts in the equation ({len(head + tail)}) is more than the number of "
                f"dimensions ({t.ndim}) for operand {i}"
                if dots
                else f"einsum(): the number of subscripts in the equation ({len(head + tail)}) does not match the "
                f"number of dimensions ({t.ndim}) for operand {i} and no ellipsis was given",
                why=f"the operand has shape {tuple(t.shape)}, and its dimensions are named '{term}'",
                fix=f"name it by {t.ndim} letter(s), or begin with '...' for any leading dimensions",
            )
        most = max(most, spare)
        labels.append([*head, *range(-spare, 0), *tail])
    ellipsis = list(range(-most, 0))
    if not arrow:
        letters = [c for ls in labels for c in ls if isinstance(c, str)]
        output = ellipsis + sorted(c for c in set(letters) if letters.count(c) == 1)
    else:
        head, dots, tail = right.partition("...")
        output = [*head, *(ellipsis if dots else []), *tail]
        for c in head + tail:
            if c not in _LETTERS:
                raise ShapeError(
                    "einsum(): invalid subscript in the output of the equation string, subscripts must be in [a-zA-Z]",
                    why=f"the result's dimensions are named '{right}'",
                    fix="name each dimension by one letter",
                )
            if output.count(c) > 1:
                raise ShapeError(
                    f"einsum(): output subscript {c} appears more than once in the output",
                    why="each dimension of the result has its own letter",
                    fix="use `torch.diag_embed` on the result to put it on a diagonal",
                )
            if not any(c in ls for ls in labels):
                raise ShapeError(
                    f"einsum(): output subscript {c} does not appear in the equation for any input operand",
                    why=f"the operands' dimensions are named '{left}', so the size of '{c}' is not known",
                    fix=f"leave out '{c}', or name a dimension of an operand by it",
                )
    return labels, output


def _contract(operands, labels, output):
    sizes: dict = {}
    for i, (t, ls) in enumerate(zip(operands, labels)):
        for c, n in zip(ls, t.shape):
            have = sizes.get(c, 1)
            if n != have and 1 not in (n, have):
                raise wrong_letters(
                    f"einsum(): subscript {c} has size {n} for operand {i} which does not broadcast with "
                    f"previously seen size {have}",
                    labels,
                    operands,
                    i,
                )
            sizes[c] = n if have == 1 else have
    operands, labels = list(operands), [list(ls) for ls in labels]
    for i, ls in enumerate(labels):  # a letter twice in one operand: its diagonal
        t = operands[i]
        for c in [c for c in dict.fromkeys(ls) if ls.count(c) > 1]:
            while ls.count(c) > 1:
                a = ls.index(c)
                b = ls.index(c, a + 1)
                if t.shape[a] != t.shape[b]:
                    raise ShapeError(
                        f"einsum(): subscript {c} is repeated for operand {i} but the sizes don't match, "
                        f"{t.shape[b]} != {t.shape[a]}",
                        why=f"a letter written twice takes the diagonal, and the operand has shape {tuple(t.shape)}",
                        fix="name the two dimensions by different letters",
                    )
                t = t.diagonal(0, a, b)
                del ls[b], ls[a]
                ls.append(c)
        operands[i] = t
    x, xl = operands[0], labels[0]
    for i in range(1, len(operands)):
        needed = set(output).union(*labels[i + 1 :])
        x, xl = _pair(x, xl, operands[i], labels[i], needed)
    gone = [i for i, c in enumerate(xl) if c not in output]
    if gone:
        x, xl = x.sum(gone), [c for c in xl if c in output]
    shape = [sizes[c] for c in output]
    for c in [c for c in output if c not in xl]:
        x, xl = x.unsqueeze(0), [c, *xl]
    x = x.permute([xl.index(c) for c in output])
    return x.expand(shape) if list(x.shape) != shape else x


def _sum_out(t, labels, needed):
    gone = [i for i, c in enumerate(labels) if c not in needed]
    return (t.sum(gone).to(t.dtype), [c for c in labels if c in needed]) if gone else (t, labels)


def _pair(x, xl, y, yl, needed):
    """The product of two operands, summed over what nobody needs any more."""
    x, xl = _sum_out(x, xl, needed | set(yl))
    y, yl = _sum_out(y, yl, needed | set(xl))
    # Size 1 against size n broadcasts: sum the other or leave the label to it alone.
    for c in [c for c in xl if c in yl]:
        n, m = x.shape[xl.index(c)], y.shape[yl.index(c)]
        if n != m:
            if n == 1:
                x, xl = x.squeeze(xl.index(c)), [d for d in xl if d != c]
            else:
                y, yl = y.squeeze(yl.index(c)), [d for d in yl if d != c]
    x, xl = _sum_out(x, xl, needed | set(yl))
    y, yl = _sum_out(y, yl, needed | set(xl))
    both = [c for c in xl if c in yl]
    batch, summed = [c for c in both if c in needed], [c for c in both if c not in needed]
    left, right = [c for c in xl if c not in both], [c for c in yl if c not in both]
    size = {**dict(zip(xl, x.shape)), **dict(zip(yl, y.shape))}
    count = lambda labels: math.prod(size[c] for c in labels)
    if not summed:
        # A product without summation needs no matrix multiplication.
        order = batch + left + right
        a = x.permute([xl.index(c) for c in batch + left])
        b = y.permute([yl.index(c) for c in batch + right])
        a = reshape(a, (*a.shape, *(1,) * len(right)))
        b = reshape(b, (*b.shape[: len(batch)], *(1,) * len(left), *b.shape[len(batch) :]))
        return a * b, order
    a = reshape(x.permute([xl.index(c) for c in batch + left + summed]), (count(batch), count(left), count(summed)))
    b = reshape(y.permute([yl.index(c) for c in batch + summed + right]), (count(batch), count(summed), count(right)))
    made = matmul(a[0], b[0]).unsqueeze(0) if not batch else matmul(a, b)
    return reshape(made, [size[c] for c in batch + left + right]), batch + left + right

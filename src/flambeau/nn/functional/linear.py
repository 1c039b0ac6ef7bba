"""Affine and bilinear maps."""

from __future__ import annotations

from ...errors import ShapeError
from ...ops.dense import linear as linear
from ...ops.entry import public


@public()
def bilinear(input1, input2, weight, bias=None):
    """y_k = x1ᵀ W_k x2 + b_k over the last dimension.

    Shapes: input1 (*, a), input2 (*, b), weight (out, a, b), bias (out,) -> (*, out).

    >>> import flambeau as torch
    >>> torch.nn.functional.bilinear(torch.ones(4, 2), torch.ones(4, 3), torch.ones(5, 2, 3)).shape
    torch.Size([4, 5])
    """
    if input1.ndim != input2.ndim:
        raise ShapeError(
            f"bilinear(): input dimensions do not match: got {input1.ndim} and {input2.ndim}",
            why=f"the inputs have shapes {tuple(input1.shape)} and {tuple(input2.shape)}, and are paired row by row",
            fix="use `unsqueeze` or `reshape` to give both the same leading dimensions",
        )
    for i, (m, n) in enumerate(zip(input1.shape[:-1], input2.shape[:-1])):
        if m != n:
            raise ShapeError(
                f"bilinear(): input batch dimensions do not match at dim {i}: got {m} and {n}",
                why=f"the inputs have shapes {tuple(input1.shape)} and {tuple(input2.shape)}, and are paired row by "
                "row",
                fix="give as many rows to one as to the other",
            )
    out, a, b = weight.shape
    for i, (x, n) in enumerate(((input1, a), (input2, b)), 1):
        if x.shape[-1] != n:
            raise ShapeError(
                f"bilinear(): input{i} size does not match weight size: got {x.shape[-1]} but expected {n}",
                why=f"the weight has shape {tuple(weight.shape)}: (out, in1, in2)",
                fix=f"use `nn.Bilinear({input1.shape[-1]}, {input2.shape[-1]}, {out})`",
            )
    if bias is not None and bias.shape[0] != out:
        raise ShapeError(
            f"bilinear(): bias size does not match weight size: got {bias.shape[0]} but expected {out}",
            why="the bias holds one number for each output",
            fix=f"use `torch.zeros({out})`",
        )
    lead = input1.shape[:-1]
    x1, x2 = input1.reshape(-1, a), input2.reshape(-1, b)
    # (rows, a) @ (a, out * b) holds x1ᵀ W_k for every k; what is left is a dot product with x2.
    half = linear(x1, weight.permute(0, 2, 1).reshape(out * b, a)).reshape(-1, out, b)
    y = half.matmul(x2.unsqueeze(-1)).squeeze(-1).reshape(*lead, out)
    return y if bias is None else y + bias

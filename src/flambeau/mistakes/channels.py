"""Images and sequences whose channel or batch dimension is not where a layer looks for it (FB-SHAPE-02)."""

from __future__ import annotations

import sys

from ..errors import FlambeauError
from ..place import running
from ..tensor import Tensor
from .operands import called, lost

CODE = "FB-SHAPE-02"


class ChannelsError(FlambeauError, ValueError, RuntimeError):
    """Channels that are not where a layer takes them; some of PyTorch's layers raise RuntimeError, some ValueError."""


def wrong_channels(fact: str, x: Tensor, n: int, wanted: int, layer: str, argument: str, weight=()) -> ChannelsError:
    """The error for an input of a layer with channels.

    Arguments:
        fact: PyTorch's sentence. x: the input as it was given. n: spatial dimensions.
        wanted: channels that the layer takes. layer, argument: its class, and the argument that says so.
        weight: output channels and kernel sizes of a convolution.
    """
    a, name = tuple(x._array.shape), called(x, "x")
    what = f"{_layer(layer)}({argument}={wanted})"
    later = tuple(range(1, len(a) - 1))
    dropped = lost(x, name, ("permute", "transpose", "unsqueeze", "movedim", "swapaxes"))
    if dropped is not None:
        line, text, variable = dropped
        return ChannelsError(
            fact,
            why=f"{what} received {a}: `{text}` on line {line} returned a new tensor that was not kept",
            fix=f"use `{variable} = {text}`",
            code="FB-DEV-02",
        )
    if len(a) == n + 2 and a[1] != wanted:
        if a[-1] == wanted:
            order = (0, len(a) - 1, *later)
            return ChannelsError(
                fact,
                why=f"{what} received {a}: {wanted} is the last dimension, so the channels come last",
                fix=f"use `{name}.permute{order}`, which gives {tuple(a[i] for i in order)}",
                code=CODE,
                cause="channels-last",
            )
        if a[0] == wanted:
            return ChannelsError(
                fact,
                why=f"{what} received {a}: {wanted} is dimension 0, which is the batch",
                fix=f"use `{name}.transpose(0, 1)`, which gives {(a[1], a[0], *a[2:])}",
                code=CODE,
                cause="channels-first",
            )
    if len(a) == n + 1 and (a[0] != wanted or not weight):
        if wanted == 1:
            return ChannelsError(
                fact,
                why=f"{what} received {a}, a batch without the channel dimension",
                fix=f"use `{name}.unsqueeze(1)`, which gives {(a[0], 1, *a[1:])}",
                code=CODE,
                cause="no-channel",
            )
        if a[0] == wanted:
            return ChannelsError(
                fact,
                why=f"{what} received {a}, one sample without the batch dimension",
                fix=f"use `{name}.unsqueeze(0)`, which gives {(1, *a)}",
                code=CODE,
                cause="no-batch",
            )
        if a[-1] == wanted:
            order = (len(a) - 1, *range(len(a) - 1))
            return ChannelsError(
                fact,
                why=f"{what} received {a}, one sample whose channels come last",
                fix=f"use `{name}.permute{order}.unsqueeze(0)`, which gives {(1, *[a[i] for i in order])}",
                code=CODE,
                cause="channels-last",
            )
    side = round((a[-1] / wanted) ** (1 / n)) if a and wanted and n > 1 else 0
    if len(a) == 2 and side > 1 and a[0] != a[1] and side**n * wanted == a[1]:
        shape = (a[0], wanted, *[side] * n)
        return ChannelsError(
            fact,
            why=f"{what} received {a}: each sample is one row of {a[1]} numbers",
            fix=f"use `{name}.reshape{shape}`",
            code=CODE,
            cause="flattened",
        )
    if len(a) == n and wanted == 1:
        return ChannelsError(
            fact,
            why=f"{what} received {a}, one sample without batch and channel dimensions",
            fix=f"use `{name}.unsqueeze(0).unsqueeze(0)`, which gives {(1, 1, *a)}",
            code=CODE,
            cause="no-channel",
        )
    if len(a) == n + 3:
        return ChannelsError(
            fact,
            why=f"{what} received {a}, which has one dimension too many",
            fix=f"use `{name}.flatten(0, 1)`, which gives {(a[0] * a[1], *a[2:])}",
            code=CODE,
            cause="extra-dimension",
        )
    if len(a) not in (n + 1, n + 2):
        return ChannelsError(
            fact,
            why=f"{what} received {a}, but takes {n + 2} dimensions: batch, channels and {n} more",
            fix=f"use `{name}.unsqueeze(0)`, which gives {(1, *a)}"
            if len(a) == 1 and a[0] == wanted
            else f"bring the input to {n + 2} dimensions with `reshape` or `unsqueeze`",
            code=CODE,
            cause="no-batch" if len(a) == 1 and a[0] == wanted else "dimensions",
        )
    have = a[1] if len(a) == n + 2 else a[0]
    sizes = str(weight[1] if len(set(weight[1:])) == 1 else tuple(weight[1:])) if weight else ""
    made = f"nn.{_layer(layer)}({have}, {weight[0]}, {sizes})" if weight else f"nn.{_layer(layer)}({have})"
    return ChannelsError(
        fact,
        why=f"{what} received {a}, which has {have} channel(s)",
        fix=f"repeat the channel, `{name}.repeat_interleave({wanted}, {len(a) - n - 1})`, or make the layer `{made}`"
        if have == 1 and weight
        else f"make the layer `{made}`",
        code=CODE,
        cause="wrong-number",
    )


def wrong_norm(fact: str, x: Tensor, wanted: int, layer: str, n: int | None = None) -> ChannelsError:
    """The error for an input of a batch, instance or group norm; n: spatial dimensions, None where any is taken."""
    a, name = tuple(x._array.shape), called(x, "x")
    if n is not None and len(a) - 2 != n and len(a) > 2 and a[1] == wanted and layer.endswith("d"):
        other = f"{layer[:-2]}{min(max(len(a) - 2, 1), 3)}d"
        return ChannelsError(
            fact,
            why=f"{layer}(num_features={wanted}) received {a}, which has {len(a) - 2} dimension(s) after the channels",
            fix=f"use `nn.{other}({wanted})`",
            code=CODE,
            cause="dimensions",
        )
    if n == 2 and len(a) == 2 and a[1] == wanted:
        return ChannelsError(
            fact,
            why=f"{layer}(num_features={wanted}) received {a}, vectors without spatial dimensions",
            fix=f"use `nn.{layer[:-2]}1d({wanted})`",
            code=CODE,
            cause="dimensions",
        )
    if n is None or (n == 1 and len(a) == 2):
        n = max(len(a) - 2, 0)
    if n == 0 and len(a) == 2:
        return ChannelsError(
            fact,
            why=f"{_layer(layer)}(num_features={wanted}) received {a}: {wanted} is dimension 0"
            if a[0] == wanted
            else f"{_layer(layer)}(num_features={wanted}) received {a}, which has {a[1]} features",
            fix=f"use `{name}.T`, which gives {a[::-1]}"
            if a[0] == wanted
            else f"make the layer `nn.{_layer(layer)}({a[1]})`",
            code=CODE,
            cause="channels-first" if a[0] == wanted else "wrong-number",
        )
    return wrong_channels(fact, x, n, wanted, layer, "num_channels" if layer == "GroupNorm" else "num_features")


def _layer(fallback: str) -> str:
    """The class of the running layer, if it is one of the framework's with channels."""
    module = next(iter(running(sys._getframe(1))), None)
    name = type(module).__name__
    package = __package__.partition(".")[0]
    found = type(module).__module__.startswith(f"{package}.nn")
    kinds = ("Conv", "BatchNorm", "InstanceNorm", "GroupNorm", "SyncBatchNorm", "LazyConv")
    return name if found and name.startswith(kinds) else fallback

"""Rearranging channels and positions: pixel shuffles, channel shuffles, fold and unfold."""

from __future__ import annotations

from ...errors import ShapeError
from ...ops.entry import public
from ...ops.fold import fold as fold
from ...ops.fold import unfold as unfold
from ...ops.shape import need_tensor


@public()
def pixel_shuffle(input, upscale_factor):
    """(*, C r², H, W) rearranged to (*, C, H r, W r) (Shi et al. 2016).

    >>> import flambeau as torch
    >>> torch.pixel_shuffle(torch.arange(4).reshape(4, 1, 1), 2)
    tensor([[[0, 1],
             [2, 3]]])
    """
    need_tensor(input, "pixel_shuffle")
    r = upscale_factor
    if input.ndim < 3:
        raise ShapeError(
            f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)",
            why=f"channels are moved into height and width: (*, C, H, W); the input has shape {tuple(input.shape)}",
            fix="use `x.unsqueeze(0)` to add the missing dimension",
        )
    if r <= 0:
        raise ShapeError(
            f"pixel_shuffle expects a positive upscale_factor, but got {r}",
            why="height and width are multiplied by it",
            fix="use 2 or more",
        )
    *lead, c, h, w = input.shape
    if c % (r * r):
        raise ShapeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={c} is not divisible by {r * r}",
            why=f"each pixel becomes {r} x {r} pixels, which takes {r * r} channels for each one wanted",
            fix=f"let the convolution before produce {-(-c // (r * r)) * r * r} channels",
        )
    n = len(lead)
    parts = input.reshape(*lead, c // (r * r), r, r, h, w)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return parts.permute(order).reshape(*lead, c // (r * r), h * r, w * r)


@public()
def pixel_unshuffle(input, downscale_factor):
    """(*, C, H r, W r) rearranged to (*, C r², H, W): the inverse of `pixel_shuffle`.

    >>> import flambeau as torch
    >>> torch.nn.functional.pixel_unshuffle(torch.rand(1, 3, 8, 8), 2).shape
    torch.Size([1, 12, 4, 4])
    """
    need_tensor(input, "pixel_unshuffle")
    r = downscale_factor
    if input.ndim < 3:
        raise ShapeError(
            "pixel_unshuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.ndim} dimension(s)",
            why=f"height and width are moved into channels: (*, C, H, W); the input has shape {tuple(input.shape)}",
            fix="use `x.unsqueeze(0)` to add the missing dimension",
        )
    if r <= 0:
        raise ShapeError(
            f"pixel_unshuffle expects a positive downscale_factor, but got {r}",
            why="height and width are divided by it",
            fix="use 2 or more",
        )
    *lead, c, h, w = input.shape
    for size, at in ((h, -2), (w, -1)):
        if size % r:
            raise ShapeError(
                f"pixel_unshuffle expects height to be divisible by downscale_factor, but input.size(-2)={size} is not "
                f"divisible by {r}"
                if at == -2
                else f"pixel_unshuffle expects width to be divisible by downscale_factor, but input.size(-1)={size} is "
                f"not divisible by {r}",
                why=f"blocks of {r} x {r} pixels become one",
                fix=f"crop to {size // r * r}, or pad to {-(-size // r) * r}, before it",
            )
    n = len(lead)
    parts = input.reshape(*lead, c, h // r, r, w // r, r)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return parts.permute(order).reshape(*lead, c * r * r, h // r, w // r)


@public()
def channel_shuffle(input, groups):
    """Channels (dimension 1) dealt out: g groups of n channels become n groups of g (Zhang et al. 2017).

    >>> import flambeau as torch
    >>> torch.nn.functional.channel_shuffle(torch.arange(4.0).reshape(1, 4, 1), 2).flatten()
    tensor([0., 2., 1., 3.])
    """
    need_tensor(input, "channel_shuffle")
    if input.ndim < 3:
        raise ShapeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}",
            why="channels are dimension 1: (N, C, *)",
            fix="use `x.unsqueeze(-1)` to add a dimension after the channels",
        )
    n, c, *rest = input.shape
    if groups <= 0:
        raise ShapeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}",
            why="the channels are divided into that many groups",
            fix="use a divisor of the number of channels",
        )
    if c % groups:
        raise ShapeError(
            f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.",
            why=f"groups have equally many channels, and {c} / {groups} is not a whole number",
            fix=f"use one of {[d for d in range(1, c + 1) if c % d == 0][:12]} groups",
        )
    return input.reshape(n, groups, c // groups, *rest).transpose(1, 2).reshape(n, c, *rest)


@public()
def native_channel_shuffle(input, groups):
    """The same as `channel_shuffle`.

    >>> import flambeau as torch
    >>> torch.nn.functional.native_channel_shuffle(torch.arange(4.0).reshape(1, 4, 1), 2).flatten()
    tensor([0., 2., 1., 3.])
    """
    return channel_shuffle(input, groups)

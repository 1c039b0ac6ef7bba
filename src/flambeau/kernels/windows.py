"""Sliding windows over images: pooling.

Images are (planes, height, width); a plane is one channel of one sample.
"""

from __future__ import annotations

from .build import kernel
from .scalars import where

SIZES = "h w kh kw oh ow sh sw ph pw dh dw"


@kernel("x:T=planes*h*w y:T!=planes*oh*ow winner:u1!=planes*oh*ow planes " + SIZES, work="planes", cost="kh*kw*oh*ow")
def max_pool(k, begin, end, x, y, winner, planes, h, w, kh, kw, oh, ow, sh, sw, ph, pw, dh, dw):
    """The largest element of each window and its number in the window; the last nan wins."""
    for plane in k.range(begin, end):
        image, out, numbers = x.at(plane * h * w), y.at(plane * oh * ow), winner.at(plane * oh * ow)
        for r in k.range(oh):
            for c in k.range(ow):
                top, left = r * sh - ph, c * sw - pw
                best, number = k.cell(float("-inf")), k.cell(0, "i8")
                for i in k.range(kh):
                    row = top + i * dh
                    for _ in k.when((row >= 0) & (row < h)):
                        for j in k.range(kw):
                            col = left + j * dw
                            inside = (col >= 0) & (col < w)
                            v = image[row * w + where(inside, col, 0)]
                            wins = inside & ((v > best.get()) | (v != v))
                            best.set(where(wins, v, best.get()))
                            number.set(where(wins, i * kw + j, number.get()))
                out[r * ow + c] = best.get()
                numbers[r * ow + c] = number.get().cast("u1")


def _within(h, w, oh, ow, kernel, stride):
    """Whether all windows lie within the image."""
    reach = [(oh, h, kernel[0], stride[0]), (ow, w, kernel[1], stride[1])]
    return [(count == 0) | (count * step <= size + (step - width)) for count, size, width, step in reach]


@kernel("x:T=planes*h*w y:T!=planes*oh*ow winner:u1!=planes*oh*ow planes h w oh ow", work="planes", cost="h*w",
        fits=_within)  # fmt: skip
def max_pool_whole(k, begin, end, x, y, winner, planes, h, w, oh, ow, kernel=(2, 2), stride=(2, 2)):
    """max_pool of windows that all lie within the image, their size being known: free of branches."""
    sh, sw = stride
    for plane in k.range(begin, end):
        image, out, numbers = x.at(plane * h * w), y.at(plane * oh * ow), winner.at(plane * oh * ow)
        for r in k.range(oh):
            lines = [image.at((r * sh + i) * w) for i in range(kernel[0])]
            for c in k.range(ow):
                best, number = lines[0][c * sw], k.lift(0, "i4")
                for i, line in enumerate(lines):
                    for j in range(kernel[1]):
                        v = line[c * sw + j]
                        wins = (v > best) | (v != v)
                        best, number = where(wins, v, best), where(wins, k.lift(i * kernel[1] + j, "i4"), number)
                out[r * ow + c] = best
                numbers[r * ow + c] = number.cast("u1")


@kernel("g:T=planes*oh*ow winner:u1=planes*oh*ow x:T!=planes*h*w planes " + SIZES, work="planes", cost="h*w",
        fits=lambda kw: [kw > 0])  # fmt: skip
def max_pool_backward(k, begin, end, g, winner, x, planes, h, w, kh, kw, oh, ow, sh, sw, ph, pw, dh, dw):
    """Each gradient goes to the place its maximum came from."""
    for plane in k.range(begin, end):
        gr, numbers, image = g.at(plane * oh * ow), winner.at(plane * oh * ow), x.at(plane * h * w)
        for p in k.range(h * w):
            image[p] = 0.0
        for r in k.range(oh):
            for c in k.range(ow):
                number = numbers[r * ow + c].cast("i4")
                across = kw.cast("i4")
                row = r * sh - ph + (number // across).cast("i8") * dh
                col = c * sw - pw + (number % across).cast("i8") * dw
                for _ in k.when((row >= 0) & (row < h) & (col >= 0) & (col < w)):
                    at = row * w + col
                    image[at] = image[at] + gr[r * ow + c]


@kernel("x:T=planes*h*w counts:T?=oh*ow y:T!=planes*oh*ow planes " + SIZES + " divide:d", work="planes",
        cost="kh*kw*oh*ow")  # fmt: skip
def mean_pool(k, begin, end, x, counts, y, planes, h, w, kh, kw, oh, ow, sh, sw, ph, pw, dh, dw, divide):
    """The sum over each window, divided by a number for each, or by one for all."""
    for plane in k.range(begin, end):
        image, out = x.at(plane * h * w), y.at(plane * oh * ow)
        for r in k.range(oh):
            for c in k.range(ow):
                total = k.cell(0.0)
                for i in k.range(kh):
                    row = r * sh - ph + i * dh
                    for _ in k.when((row >= 0) & (row < h)):
                        for j in k.range(kw):
                            col = c * sw - pw + j * dw
                            inside = (col >= 0) & (col < w)
                            v = image[row * w + where(inside, col, 0)]
                            total.set(total.get() + where(inside, v, 0.0))
                out[r * ow + c] = total.get() / (k.float(divide) if counts is None else counts[r * ow + c])


@kernel("g:T=planes*oh*ow counts:T?=oh*ow x:T!=planes*h*w planes " + SIZES + " divide:d", work="planes",
        cost="kh*kw*oh*ow")  # fmt: skip
def mean_pool_backward(k, begin, end, g, counts, x, planes, h, w, kh, kw, oh, ow, sh, sw, ph, pw, dh, dw, divide):
    """Each gradient, divided likewise, goes to all elements of its window."""
    for plane in k.range(begin, end):
        gr, image = g.at(plane * oh * ow), x.at(plane * h * w)
        for p in k.range(h * w):
            image[p] = 0.0
        for r in k.range(oh):
            for c in k.range(ow):
                share = gr[r * ow + c] / (k.float(divide) if counts is None else counts[r * ow + c])
                for i in k.range(kh):
                    row = r * sh - ph + i * dh
                    for _ in k.when((row >= 0) & (row < h)):
                        for j in k.range(kw):
                            col = c * sw - pw + j * dw
                            for _ in k.when((col >= 0) & (col < w)):
                                image[row * w + col] = image[row * w + col] + share

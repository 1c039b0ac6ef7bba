"""Optimizer steps: one pass over parameter, gradient and state instead of one per arithmetic operation."""

from __future__ import annotations

from .build import kernel
from .scalars import sqrt, where


@kernel("p:T!=n g:T=n buf:T!?=n n lr:d momentum:d damp:d decay:d", work="n", cost="2")
def sgd(k, begin, end, p, g, buf, n, lr, momentum, damp, decay, nesterov=False, maximize=False):
    """g += decay p;  buf = momentum buf + damp g;  p -= lr buf (or g + momentum buf). damp is 1 - dampening."""
    for i in k.range(begin, end):
        d = (-g[i] if maximize else g[i]) + decay * p[i]
        if buf is not None:
            v = buf[i] * momentum + d * damp
            buf[i] = v
            d = d + v * momentum if nesterov else v
        p[i] = p[i] - lr * d


@kernel("p:T!=n g:T=n m:T!=n v:T!=n top:T!?=n n lr:d beta1:d beta2:d eps:d decay:d step:d root:d", work="n", cost="4")
def adam(k, begin, end, p, g, m, v, top, n, lr, beta1, beta2, eps, decay, step, root, decoupled=False, maximize=False):
    """Adam and AdamW. step = lr / (1 - beta1^t), root = sqrt(1 - beta2^t); `top` is amsgrad's running maximum."""
    rest1, rest2 = 1.0 - beta1, 1.0 - beta2
    keep = 1.0 - lr * decay
    for i in k.range(begin, end):
        d = -g[i] if maximize else g[i]
        w = p[i]
        if decoupled:
            w = w * keep
        else:
            d = d + decay * w
        first = m[i] + rest1 * (d - m[i])
        second = v[i] * beta2 + rest2 * d * d
        m[i], v[i] = first, second
        if top is not None:
            second = where(top[i] > second, top[i], second)
            top[i] = second
        p[i] = w - step * (first / (sqrt(second) / root + eps))

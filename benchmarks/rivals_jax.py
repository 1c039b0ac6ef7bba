"""Workloads as whole jitted training steps of JAX: the same layers, sizes and updates as in workloads.py."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def _linear(key, inputs, outputs):
    bound = inputs**-0.5
    a, b = jax.random.split(key)
    return (jax.random.uniform(a, (outputs, inputs), minval=-bound, maxval=bound),
            jax.random.uniform(b, (outputs,), minval=-bound, maxval=bound))  # fmt: skip


def _conv(key, inputs, outputs):
    weight, bias = _linear(key, inputs * 9, outputs)
    return weight.reshape(outputs, inputs, 3, 3), bias


def _perceptron(p, x):
    for w, b in p[:-1]:
        x = jax.nn.relu(x @ w.T + b)
    return x @ p[-1][0].T + p[-1][1]


def _cross_entropy(x, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1).mean()


def _smooth_l1(x, y):
    d = jnp.abs(x - y)
    return jnp.where(d < 1, 0.5 * d * d, d - 0.5).mean()


def _dropout(key, x, p):
    return jnp.where(jax.random.bernoulli(key, 1 - p, x.shape), x / (1 - p), 0.0)


def _network(p, x, key):
    (c1, b1), (c2, b2), *linear = p
    one, two = jax.random.split(key)
    x = jax.nn.relu(lax.conv(x, c1, (1, 1), "VALID") + b1[:, None, None])
    x = jax.nn.relu(lax.conv(x, c2, (1, 1), "VALID") + b2[:, None, None])
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    x = _dropout(one, x, 0.25).reshape(x.shape[0], -1)
    (w, b), (v, d) = linear
    return _dropout(two, jax.nn.relu(x @ w.T + b), 0.5) @ v.T + d


def _sgd(rate):
    return lambda p, g, s: (p - rate * g, s)


def _adam(rate, decay=0.0, amsgrad=False):
    def update(p, g, s):
        m, v, top, t = s
        m, v, t = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g, t + 1
        top = jnp.maximum(top, v) if amsgrad else v
        step = rate / (1 - 0.9**t) * m / (jnp.sqrt(top) / jnp.sqrt(1 - 0.999**t) + 1e-8)
        return p * (1 - rate * decay) - step, (m, v, top, t)

    return update


def _case(name, rng, keys):
    """(parameters, forward, loss, inputs, target, update)."""
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    labels = lambda n: rng.integers(0, 10, n)
    if name == "linreg":
        x = rng.random((80, 1)).astype(np.float32)
        return [_linear(keys[0], 1, 1)], _perceptron, lambda a, b: ((a - b) ** 2).mean(), x, 1 + 2 * x, _sgd(0.1)
    if name == "mlp":
        p = [_linear(keys[0], 784, 512), _linear(keys[1], 512, 512), _linear(keys[2], 512, 10)]
        return p, _perceptron, _cross_entropy, normal(64, 784), labels(64), _sgd(1e-3)
    if name == "dqn":
        p = [_linear(keys[0], 4, 128), _linear(keys[1], 128, 128), _linear(keys[2], 128, 2)]
        return p, _perceptron, _smooth_l1, normal(128, 4), normal(128, 2), _adam(1e-4, 1e-2, amsgrad=True)
    if name == "cnn":
        p = [_conv(keys[0], 1, 32), _conv(keys[1], 32, 64), _linear(keys[2], 9216, 128), _linear(keys[3], 128, 10)]
        return p, _network, _cross_entropy, normal(64, 1, 28, 28), labels(64), _adam(1e-3)
    raise NotImplementedError(f"no JAX form of {name}")


def make_step(name):
    """A function of no arguments that trains one step and returns the loss."""
    keys = jax.random.split(jax.random.key(0), 8)
    params, forward, loss_fn, x, y, update = _case(name, np.random.default_rng(0), keys)
    random = (keys[7],) if name == "cnn" else ()
    x, y = jnp.asarray(x), jnp.asarray(y)
    leaves, tree = jax.tree.flatten(params)
    state = [(jnp.zeros_like(p), jnp.zeros_like(p), jnp.zeros_like(p), jnp.zeros(())) for p in leaves]

    def step(leaves, state, random):
        loss, grads = jax.value_and_grad(
            lambda leaves: loss_fn(forward(jax.tree.unflatten(tree, leaves), x, *random), y)
        )(leaves)
        new = [update(*each) for each in zip(leaves, grads, state, strict=True)]
        return [p for p, _ in new], [s for _, s in new], tuple(jax.random.split(r)[0] for r in random), loss

    step = jax.jit(step, donate_argnums=(0, 1))
    now = [leaves, state, random]

    def run():
        *now[:], loss = step(*now)
        return loss

    return run

"""CartPole: keep a pole upright on a cart by pushing left or right. Gymnasium's if installed, else this one."""

import math

import numpy as np


class CartPole:
    """The cart-pole of Barto, Sutton and Anderson (1983), with Gymnasium's interface.

    An observation is (position, velocity, angle, angular velocity); each step with the pole up earns 1; an episode ends
    when the pole leans 12 degrees, the cart leaves the track, or after `limit` steps.
    """

    observations, actions = 4, 2
    gravity, cart, pole, half_length, force, seconds = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02

    def __init__(self, limit=500):
        self.limit = limit
        self.random = np.random.default_rng()

    def reset(self, seed=None):
        """Begin an episode; returns (observation, info)."""
        if seed is not None:
            self.random = np.random.default_rng(seed)
        self.state = self.random.uniform(-0.05, 0.05, 4)
        self.steps = 0
        return self.state.astype(np.float32), {}

    def step(self, action):
        """Push left (0) or right (1); returns (observation, reward, failed, time is up, info)."""
        x, v, angle, spin = self.state
        push = self.force if action == 1 else -self.force
        sin, cos = math.sin(angle), math.cos(angle)
        mass = self.cart + self.pole
        swing = (push + self.pole * self.half_length * spin**2 * sin) / mass
        turn = (self.gravity * sin - cos * swing) / (self.half_length * (4 / 3 - self.pole * cos**2 / mass))
        pull = swing - self.pole * self.half_length * turn * cos / mass
        h = self.seconds
        self.state = np.array([x + h * v, v + h * pull, angle + h * spin, spin + h * turn])
        self.steps += 1
        failed = bool(abs(self.state[0]) > 2.4 or abs(self.state[2]) > math.radians(12))
        return self.state.astype(np.float32), 1.0, failed, self.steps >= self.limit, {}


def make(own=False):
    """Gymnasium's CartPole-v1, or ours when `own` is true or Gymnasium is not installed."""
    if not own:
        try:
            import gymnasium
        except ImportError:
            pass
        else:
            return gymnasium.make("CartPole-v1")
    return CartPole()

"""Examples of reinforcement learning, on our own cart-pole."""

import math
import sys

import numpy as np
import pytest


def test_environment(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)  # as if it were not installed
    import cartpole

    environment = cartpole.make()
    observation, _ = environment.reset(seed=3)
    assert observation.dtype == np.float32 and (abs(observation) <= 0.05).all()
    steps, over = 0, False
    while not over:
        observation, reward, failed, late, _ = environment.step(1)
        over, steps = failed or late, steps + 1
    assert failed and reward == 1.0 and 5 < steps < 15  # pushed one way, the pole falls soon
    assert abs(observation[2]) > math.radians(12)


def test_dqn(run):
    lengths, losses = run("dqn_cartpole", "--episodes", 12, "--own-env", "--batch", 32)
    assert len(lengths) == 12 and min(lengths) >= 8
    assert losses and np.isfinite(losses).all()


def test_ppo(run):
    means = run("ppo_cartpole", "--updates", 8, "--own-env")
    assert means[0] < 40
    assert max(means) > 2.5 * means[0]


def test_gymnasium_is_used_when_it_is_there(run):
    pytest.importorskip("gymnasium")
    lengths, _ = run("dqn_cartpole", "--episodes", 2)
    assert len(lengths) == 2

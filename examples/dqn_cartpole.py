"""Deep Q-learning: a network learns what each push is worth, from remembered steps.

python dqn_cartpole.py --episodes 200
"""

import argparse
import math
import random
from collections import deque

import numpy as np
from cartpole import make

import flambeau as torch

nn = torch.nn


def network():
    """Observation -> the value of each action."""
    return nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))


class Memory:
    """The last steps, to learn from in any order: steps in a row are too much alike."""

    def __init__(self, size):
        self.steps = deque(maxlen=size)

    def sample(self, n):
        """(observations, actions, rewards, next observations, whether they go on) of n random steps."""
        columns = zip(*random.sample(self.steps, n))
        observation, action, reward, following, goes_on = (np.array(c) for c in columns)
        return (
            torch.from_numpy(observation), torch.from_numpy(action), torch.from_numpy(reward.astype(np.float32)),
            torch.from_numpy(following), torch.from_numpy(goes_on.astype(np.float32)),
        )  # fmt: skip


def learn(policy, target, optimizer, batch, discount):
    """One step towards r + discount · max Q'(next), the target network's estimate."""
    observation, action, reward, following, goes_on = batch
    value = policy(observation).gather(1, action.unsqueeze(1)).squeeze(1)
    with torch.no_grad():
        expected = reward + discount * goes_on * target(following).max(1).values
    loss = nn.functional.smooth_l1_loss(value, expected)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(policy.parameters(), 100)
    optimizer.step()
    return loss.item()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--discount", type=float, default=0.99)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--own-env", action="store_true", help="do not use Gymnasium")
    args = parser.parse_args(argv)

    random.seed(0)
    torch.manual_seed(0)
    environment = make(own=args.own_env)
    policy, target = network(), network()
    target.load_state_dict(policy.state_dict())
    optimizer = torch.optim.AdamW(policy.parameters(), lr=args.lr, amsgrad=True)
    memory, lengths, losses, steps = Memory(10_000), [], [], 0

    for episode in range(args.episodes):
        observation, _ = environment.reset(seed=episode)
        length, over = 0, False
        while not over:
            # Try things at first, trust the network later.
            curiosity = 0.05 + 0.85 * math.exp(-steps / 1000)
            if random.random() < curiosity:
                action = random.randrange(2)
            else:
                with torch.no_grad():
                    action = policy(torch.from_numpy(observation)).argmax().item()
            following, reward, failed, late, _ = environment.step(action)
            over = failed or late
            memory.steps.append((observation, action, reward, following, not failed))
            observation, length, steps = following, length + 1, steps + 1
            if len(memory.steps) >= args.batch:
                losses.append(learn(policy, target, optimizer, memory.sample(args.batch), args.discount))
                with torch.no_grad():  # the target network follows slowly
                    for t, p in zip(target.parameters(), policy.parameters()):
                        t.lerp_(p, 0.005)
        lengths.append(length)
        if (episode + 1) % 20 == 0:
            print(f"episode {episode + 1}: {np.mean(lengths[-20:]):.0f} steps upright (mean of 20)")
    return lengths, losses


if __name__ == "__main__":
    main()

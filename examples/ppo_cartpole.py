"""Proximal policy optimisation: an actor and a critic, and updates that may not go far from the data they come from.

python ppo_cartpole.py --updates 30
"""

import argparse

import numpy as np
from cartpole import make

import flambeau as torch

nn = torch.nn
Categorical = torch.distributions.Categorical


class ActorCritic(nn.Module):
    """Two networks: which action, and how good the situation is."""

    def __init__(self, hidden=64):
        super().__init__()
        body = lambda outputs: nn.Sequential(
            nn.Linear(4, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, outputs)
        )
        self.actor, self.critic = body(2), body(1)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.orthogonal_(layer.weight, 2**0.5)
                nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.actor[-1].weight.mul_(0.01)  # begin undecided

    def forward(self, observations):
        """(distribution over actions, value)."""
        return Categorical(logits=self.actor(observations)), self.critic(observations).squeeze(-1)


class Players:
    """Several environments, each begun again when its episode is over."""

    def __init__(self, n, own):
        self.environments = [make(own) for _ in range(n)]
        self.now = np.stack([e.reset(seed=i)[0] for i, e in enumerate(self.environments)])
        self.length, self.finished = np.zeros(n, int), []

    def step(self, actions):
        """(rewards, whether the episodes are over) after one action in each."""
        over = np.zeros(len(actions), np.float32)
        for i, (environment, action) in enumerate(zip(self.environments, actions)):
            self.now[i], _, failed, late, _ = environment.step(int(action))
            self.length[i] += 1
            if failed or late:
                over[i] = 1
                self.finished.append(int(self.length[i]))
                self.length[i] = 0
                self.now[i] = environment.reset()[0]
        return np.ones(len(actions), np.float32), over


@torch.no_grad()
def play(model, players, steps, discount=0.99, smoothing=0.95):
    """`steps` steps everywhere: observations, actions, their log probabilities, advantages and returns."""
    rows = {name: [] for name in ("observation", "action", "log_prob", "value", "reward", "over")}
    for _ in range(steps):
        observation = torch.from_numpy(players.now.copy())
        policy, value = model(observation)
        action = policy.sample()
        reward, over = players.step(action.tolist())
        values = (observation, action, policy.log_prob(action), value, torch.from_numpy(reward), torch.from_numpy(over))
        for name, value in zip(rows, values):
            rows[name].append(value)
    table = {name: torch.stack(values) for name, values in rows.items()}
    # Generalised advantage estimation (Schulman et al., 2015), from the last step back.
    following, advantage = model(torch.from_numpy(players.now))[1], torch.zeros(len(players.now))
    advantages = torch.zeros(steps, len(players.now))
    for t in range(steps - 1, -1, -1):
        goes_on = 1 - table["over"][t]
        surprise = table["reward"][t] + discount * goes_on * following - table["value"][t]
        advantage = surprise + discount * smoothing * goes_on * advantage
        advantages[t], following = advantage, table["value"][t]
    table["advantage"], table["return"] = advantages, advantages + table["value"]
    return {name: values.flatten(0, 1) for name, values in table.items()}


def improve(model, optimizer, data, epochs=4, batch=128, clip=0.2):
    """Several passes over the data; the ratio of new to old probability is clipped (Schulman et al., 2017)."""
    for _ in range(epochs):
        for rows in torch.randperm(len(data["action"])).split(batch):
            part = {name: values[rows] for name, values in data.items()}
            policy, value = model(part["observation"])
            ratio = (policy.log_prob(part["action"]) - part["log_prob"]).exp()
            advantage = (part["advantage"] - part["advantage"].mean()) / (part["advantage"].std() + 1e-8)
            gain = torch.min(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()
            error = nn.functional.mse_loss(value, part["return"])
            loss = -gain + 0.5 * error - 0.01 * policy.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
    return loss.item()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=30)
    parser.add_argument("--players", type=int, default=8)
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2.5e-3)
    parser.add_argument("--own-env", action="store_true", help="do not use Gymnasium")
    args = parser.parse_args(argv)

    torch.manual_seed(0)
    model = ActorCritic()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, eps=1e-5)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, args.updates)
    players, means = Players(args.players, args.own_env), []
    for update in range(args.updates):
        before = len(players.finished)
        data = play(model, players, args.steps)
        loss = improve(model, optimizer, data)
        scheduler.step()
        means.append(float(np.mean(players.finished[before:] or [args.steps])))
        if (update + 1) % 5 == 0 or update == 0:
            print(f"update {update + 1}: {means[-1]:.0f} steps upright, loss {loss:.3f}")
    return means


if __name__ == "__main__":
    main()

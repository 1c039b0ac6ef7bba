"""A variational autoencoder: digits squeezed into a few numbers, and new digits from random ones.

python vae.py --epochs 20
"""

import argparse

import flambeau as torch
from flambeau.vision.datasets import Digits

nn = torch.nn
F = nn.functional


class VAE(nn.Module):
    """Kingma & Welling, 2013: the encoder gives a mean and a variance, the decoder a probability for each pixel."""

    def __init__(self, pixels=64, hidden=128, code=8):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(pixels, hidden), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(hidden, code), nn.Linear(hidden, code)
        self.decoder = nn.Sequential(nn.Linear(code, hidden), nn.ReLU(), nn.Linear(hidden, pixels))

    def forward(self, x):
        h = self.encoder(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        # Drawn as mean + noise · deviation, so that the gradient reaches mean and deviation.
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(code), mean, log_variance


def loss_of(model, x):
    """What the pictures lose, plus what the codes tell (their divergence from pure noise), in nats per picture."""
    logits, mean, log_variance = model(x)
    picture = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    code = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
    return (picture + code) / len(x)


def show(pictures):
    """Pictures of 8 x 8 side by side, in characters."""
    shades = " .:-=+*#%@"
    for row in range(8):
        print("  ".join("".join(shades[int(9.99 * v)] * 2 for v in p[row].tolist()) for p in pictures))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args(argv)

    torch.manual_seed(0)
    flat = lambda split: Digits(split).data.flatten(1).float() / 16
    train, test = flat("train"), flat("test")
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    history = []
    epochs = torch.progress(range(args.epochs), "epochs", leave=False)
    for epoch in epochs:
        for rows in torch.randperm(len(train)).split(args.batch):
            loss = loss_of(model, train[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            history.append(loss_of(model, test).item())
        epochs.set(test=history[-1])
        if (epoch + 1) % 5 == 0 or epoch == 0:
            print(f"epoch {epoch + 1}: {history[-1]:.2f} nats per picture on the test set")

    with torch.no_grad():
        made = model.decoder(torch.randn(5, 8)).sigmoid().view(-1, 8, 8)
    show(made)
    return history, made


if __name__ == "__main__":
    main()

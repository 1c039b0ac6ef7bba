"""Forecasting a price series with days missing: one NaN in the input makes the loss NaN, unless it is masked.

python lstm_prices_mask.py --epochs 30
"""

import argparse

import numpy as np

import flambeau as torch

nn = torch.nn


def prices(days: int, missing: float) -> np.ndarray:
    """A made-up price with a monthly wave and noise; some days are missing (NaN)."""
    rng = np.random.default_rng(0)
    t = np.arange(days)
    series = 100 + 5 * np.sin(2 * np.pi * t / 20) + rng.normal(0, 0.5, days)
    series[rng.random(days) < missing] = np.nan
    return series.astype(np.float32)


def windows(series: np.ndarray, length: int):
    """Inputs (n, length, 2): the value and whether it is known; targets (n, length): the value of the next day."""
    mean, std = np.nanmean(series), np.nanstd(series)
    scaled = torch.from_numpy((series - mean) / std)
    known = ~scaled.isnan()
    # Fill with zero, the mean, and tell the network which values are real.
    channels = torch.stack([scaled.nan_to_num(0.0), known.float()], dim=1)
    inputs = channels[:-1].unfold(0, length, length).transpose(1, 2)
    targets = scaled[1:].unfold(0, length, length)
    return inputs, targets


class Forecaster(nn.Module):
    """Predicts the next value at every step."""

    def __init__(self, hidden=32):
        super().__init__()
        self.lstm = nn.LSTM(2, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        states, _ = self.lstm(x)
        return self.head(states).squeeze(-1)


def masked_mse(prediction, target):
    """Mean square error over the days that are known.

    Multiplying by a mask of zeros is not enough, since 0 * nan is nan: missing targets must not be touched at all.
    """
    known = ~target.isnan()
    return ((prediction[known] - target[known]) ** 2).mean()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--missing", type=float, default=0.1)
    args = parser.parse_args(argv)

    torch.manual_seed(0)
    inputs, targets = windows(prices(1200, args.missing), length=50)
    split = len(inputs) * 3 // 4
    model = Forecaster()
    print("unmasked loss:", nn.functional.mse_loss(model(inputs), targets).item())

    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)
    for epoch in range(args.epochs):
        loss = masked_mse(model(inputs[:split]), targets[:split])
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if (epoch + 1) % 10 == 0:
            print(f"epoch {epoch + 1}: loss {loss.item():.4f}, gradient norm {norm.item():.3f}")

    with torch.no_grad():
        test = masked_mse(model(inputs[split:]), targets[split:]).item()
        last = inputs[split:, :, 0]
        naive = masked_mse(last, targets[split:]).item()
    print(f"test error {test:.4f}; predicting today's price for tomorrow: {naive:.4f}")
    return test, naive


if __name__ == "__main__":
    main()

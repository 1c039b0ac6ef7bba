"""Linear regression six times: NumPy, then one PyTorch idea more in each version. All find the same line.

python linear_regression.py --epochs 1000
"""

import argparse

import numpy as np

import flambeau as torch

nn = torch.nn


def make_data():
    """100 noisy points on y = 1 + 2 x; 80 to train on, 20 to check."""
    np.random.seed(42)
    x = np.random.rand(100, 1)
    y = 1 + 2 * x + 0.1 * np.random.randn(100, 1)
    order = np.arange(100)
    np.random.shuffle(order)
    train, valid = order[:80], order[80:]
    return x[train], y[train], x[valid], y[valid]


def with_numpy(x, y, lr, epochs):
    """Gradients worked out by hand."""
    np.random.seed(42)
    a, b = np.random.randn(1), np.random.randn(1)
    for _ in range(epochs):
        error = y - (a + b * x)
        a_grad = -2 * error.mean()
        b_grad = -2 * (x * error).mean()
        a = a - lr * a_grad
        b = b - lr * b_grad
    return a.item(), b.item()


def start():
    """The two parameters, made of random numbers; autograd is to watch them."""
    torch.manual_seed(42)
    a = torch.randn(1, requires_grad=True, dtype=torch.float)
    b = torch.randn(1, requires_grad=True, dtype=torch.float)
    return a, b


def with_autograd(x, y, lr, epochs):
    """backward() computes the gradients; the update must not be recorded, and gradients add up until cleared."""
    a, b = start()
    for _ in range(epochs):
        error = y - (a + b * x)
        loss = (error**2).mean()
        loss.backward()
        with torch.no_grad():
            a -= lr * a.grad
            b -= lr * b.grad
        a.grad.zero_()
        b.grad.zero_()
    return a.item(), b.item()


def with_optimizer(x, y, lr, epochs):
    """The optimizer knows the parameters, updates and clears them; the loss has a name."""
    a, b = start()
    optimizer = torch.optim.SGD([a, b], lr=lr)
    loss_fn = nn.MSELoss()
    for _ in range(epochs):
        loss = loss_fn(a + b * x, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return a.item(), b.item()


class Line(nn.Module):
    """y = a + b x, as a module: `parameters()` finds the parameters."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.randn(1))
        self.b = nn.Parameter(torch.randn(1))

    def forward(self, x):
        return self.a + self.b * x


def with_module(x, y, lr, epochs):
    """Any model can stand here; nn.Linear(1, 1) is this one."""
    torch.manual_seed(42)
    model = Line()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    loss_fn = nn.MSELoss()
    for _ in range(epochs):
        model.train()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.a.item(), model.b.item()


def with_loader(x, y, x_valid, y_valid, lr, epochs):
    """Mini-batches from a DataLoader, and the loss on points that were not trained on."""
    torch.manual_seed(42)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=16, shuffle=True)
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    loss_fn = nn.MSELoss()
    for _ in range(epochs):
        model.train()
        for x_batch, y_batch in loader:
            loss = loss_fn(model(x_batch), y_batch)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    model.eval()
    with torch.no_grad():
        valid_loss = loss_fn(model(x_valid), y_valid).item()
    return model.bias.item(), model.weight.item(), valid_loss


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--lr", type=float, default=0.1)
    args = parser.parse_args(argv)

    data = make_data()
    x, y, x_valid, y_valid = (torch.from_numpy(part).float() for part in data)
    found = {
        "numpy": with_numpy(data[0], data[1], args.lr, args.epochs),
        "autograd": with_autograd(x, y, args.lr, args.epochs),
        "optimizer": with_optimizer(x, y, args.lr, args.epochs),
        "module": with_module(x, y, args.lr, args.epochs),
    }
    *line, valid_loss = with_loader(x, y, x_valid, y_valid, args.lr, max(1, args.epochs // 5))
    found["loader"] = tuple(line)
    for name, (a, b) in found.items():
        print(f"{name:>10}: a = {a:.4f}, b = {b:.4f}")
    print(f"validation loss {valid_loss:.4f}")
    return {**found, "valid_loss": valid_loss}


if __name__ == "__main__":
    main()

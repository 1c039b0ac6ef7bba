"""Linear regression without an optimizer."""

import flambeau as torch

w = torch.randn(3, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
x = torch.randn(64, 3)
y = x @ torch.tensor([[1.0], [2.0], [3.0]]) + 0.5
for epoch in range(30):
    loss = ((x @ w + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        b -= 0.1 * b.grad
        w.grad.zero_()
        b.grad.zero_()

"""Compiled steps over what data loaders give: a smaller last batch, arrays that have been pickled."""

import pickle

import numpy as np

import flambeau as torch
from flambeau import nn
from flambeau.kernels.build import backend


def test_an_epoch_with_a_smaller_last_batch():
    pixels = torch.randint(0, 256, (70, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    data = torch.utils.data.TensorDataset(pixels.float().div(255), pixels[:, 0, 0].long() % 4)

    def run(compiled):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

        def step(x, y):
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        f = torch.compile(step) if compiled else step
        loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
        losses = [f(x, y).item() for _ in range(3) for x, y in loader]
        return losses, [*model.parameters()], f

    (eager, one, _), (compiled, other, f) = run(False), run(True)
    assert backend() is None or len(f.steps) == 2 and not f.eager_calls, f.splits  # batches of 16, and one of 6
    torch.testing.assert_close(torch.tensor(compiled), torch.tensor(eager), rtol=1e-4, atol=1e-5)
    for a, b in zip(one, other):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_equal_dtypes_of_unpickled_arrays_are_the_same_signature():
    step = torch.compile(lambda x: x * 2)
    a = np.arange(3.0)
    for made in (a, pickle.loads(pickle.dumps(a))):
        assert step(torch.from_numpy(made)).tolist() == [0.0, 2.0, 4.0]
        assert torch.from_numpy(made)._array.dtype is torch.float64.numpy
        assert step(torch.Tensor.wrap(made)).tolist() == [0.0, 2.0, 4.0]
    assert backend() is None or len(step.steps) == 1

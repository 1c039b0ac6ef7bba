"""Normalisations that also return their statistics agree with those of nn.functional; detach as a function."""

import flambeau as torch
from flambeau.nn import functional as F
from flambeau.testing import assert_close


def test_native_norms():
    torch.manual_seed(0)
    x, w, b = torch.randn(4, 6, 5, dtype=torch.float64), torch.rand(6, dtype=torch.float64), torch.rand(6).double()
    out, mean, rstd = torch.native_layer_norm(x, [5], None, None, 1e-5)
    assert_close(out, F.layer_norm(x, [5]))
    assert_close(mean, x.mean(-1, keepdim=True))
    assert_close(rstd, 1 / (x.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt())
    out, mean, _ = torch.native_group_norm(x, w, b, 4, 6, 5, 3, 1e-5)
    assert_close(out, F.group_norm(x, 3, w, b))
    assert mean.shape == (4, 3)
    running = [torch.zeros(6).double(), torch.ones(6).double()]
    expected = [r.clone() for r in running]
    out, mean, _ = torch.native_batch_norm(x, w, b, *running, True, 0.1, 1e-5)
    assert_close(out, F.batch_norm(x, *expected, w, b, training=True))
    assert_close(running, expected)
    out, mean, _ = torch.native_batch_norm(x, w, b, *running, False, 0.1, 1e-5)
    assert_close(out, F.batch_norm(x, *expected, w, b))
    assert mean.shape == (0,)


def test_detach_and_get_device():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    assert not torch.detach(y).requires_grad and torch.detach_(y) is y and y.is_leaf
    assert torch.get_device(x) == -1

"""The first examples: linear regression, autograd, a data set of one's own, the quickstart."""

import pytest


def test_linear_regression(run):
    found = run("linear_regression")
    for name in ("numpy", "autograd", "optimizer", "module"):
        assert found[name] == pytest.approx((1.0235, 1.9690), abs=1e-4), name
    assert found["loader"] == pytest.approx((1.02, 1.97), abs=0.02)
    assert found["valid_loss"] < 0.02


def test_autograd_tour(run, capsys):
    found = run("autograd_tour")
    assert found["the_graph"] == 7.0
    assert found["control_flow"] == (4, 0.0625)
    assert found["accumulation"] == [2.0, 4.0, 6.0]
    assert found["vectors"] == pytest.approx([2.0, 0.4, 0.06])
    assert found["hooks_and_intermediate_gradients"] == [6.0, -12.0]
    assert found["own_function"] == [1.0, 1.0]
    assert found["second_derivatives"] == (12.0, [[802.0, -400.0], [-400.0, 200.0]])
    assert found["common_errors"] == ["in-place on a leaf", "backward twice", "no graph", "not a scalar"]
    assert "['PowBackward0', 'MulBackward0']" in capsys.readouterr().out


@pytest.mark.parametrize("workers", [0, 2])
def test_custom_dataset(run, workers):
    assert run("custom_dataset", "--epochs", 3, "--samples", 240, "--workers", workers) > 0.9


def test_quickstart(run, tmp_path):
    assert run("quickstart", "--epochs", 6, "--save", tmp_path / "model.pth") > 0.9
    assert (tmp_path / "model.pth").stat().st_size > 10_000


def test_see_the_graph(run, tmp_path):
    found = run("see_the_graph", "--save", tmp_path / "pictures")
    assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == sorted(f"{name}.svg" for name in found)
    reached = [sum(n.kind == "parameter" for n in found[name].nodes) for name in list(found)[2:]]
    assert reached == [8, 4]  # without the detach, the generator's four as well
    joins = [n for n in found["unet"].nodes if n.op == "cat"]
    assert [len([e for e in found["unet"].edges if e.target == n.key]) for n in joins] == [2, 2]

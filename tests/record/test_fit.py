"""A run as a callback of `flambeau.fit`."""

import pytest

import flambeau as torch
from flambeau import record
from flambeau.training import accuracy


def training(**options):
    torch.manual_seed(0)
    x = torch.randn(64, 4)
    data = torch.utils.data.TensorDataset(x, (x.sum(1) > 0).long())
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    loader = torch.utils.data.DataLoader(data, 8)
    options = {"epochs": 3, "val_loader": loader, "metrics": {"accuracy": accuracy}, "progress": False, **options}
    return torch.fit(model, loader, options.pop("loss_fn", torch.nn.CrossEntropyLoss()), optimizer, **options)


def test_one_callback_records_everything(tmp_path):
    run = torch.Run(tmp_path / "run", config={"mine": 1})
    history = training(callbacks=[run], checkpoint=tmp_path / "last.pt", doctor=True)
    found = record.load(run.folder)
    assert found.status == "finished" and found.config["mine"] == 1 and found.config["epochs"] == 3
    names = {"batch/loss", "train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr"}
    assert names <= set(found.metrics.series)
    assert found.values("val/loss")[1].tolist() == pytest.approx(history["val_loss"])
    assert found.values("train/loss")[0].tolist() == [8, 16, 24]
    assert found.metrics.epochs[-1] == (24, 3.0) and found.state["model"]["parameters"] == 10
    assert [i["note"] for i in found.state["items"] if i["kind"] == "checkpoint"] == ["", "best"]
    assert found.state["doctor"]["facts"]["model"] == "Linear"
    codes = [f.code for f in history.report.findings]
    assert "FB-DATA-07" in codes and sorted(f["code"] for f in found.state["doctor"]["findings"]) == sorted(codes)
    run.add_text("after", "the end")  # the page is written once more
    assert "the end" in run.page.read_text()


def test_a_training_that_fails(tmp_path):
    def broken(output, target):
        raise RuntimeError("no loss today")

    run = torch.Run(tmp_path / "run")
    with pytest.raises(RuntimeError, match="no loss today"):
        training(callbacks=[run], loss_fn=broken)
    found = record.load(run.folder)
    assert found.status == "failed" and "no loss today" in found.state["failure"]["message"]


def test_two_trainings_in_one_record(tmp_path):
    with torch.Run(tmp_path / "run") as run:
        training(callbacks=[run], epochs=1)
        training(callbacks=[run], epochs=1)
        assert run.open
    assert record.load(run.folder).metrics.series["train/loss"].count == 2

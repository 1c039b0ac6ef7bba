"""Time by layer and by line: which rows there are, what is in them, and how they are printed."""

import pytest

import flambeau as torch
from flambeau.profiler import profile
from flambeau.profiler.table import Columns, cut, padded
from flambeau.widths import wide


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.features = torch.nn.ModuleList([torch.nn.Linear(6, 6), torch.nn.Linear(6, 6)])
        self.head = torch.nn.Linear(6, 2)

    def forward(self, x):
        for layer in self.features:
            x = layer(x).relu()
        return self.head(x)


@pytest.fixture
def rows():
    model, x = Net(), torch.ones(4, 6)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with profile(with_flops=True, profile_memory=True) as prof:
        model(x).sum().backward()
        optimizer.step()
    return prof.by_module()


def test_layers_in_the_order_of_their_calls_then_the_rest(rows):
    assert [row.name for row in rows if row.name != "(checks)"] == [
        "Net", "Net.features", "Net.features.0", "Net.features.1", "Net.head", "(no layer)", "(backward pass)",
        "(optimizer)", "(other Python)",
    ]  # fmt: skip


def test_a_layer_has_what_is_inside_of_it(rows):
    at = {row.name: row for row in rows}
    parts = [at[name] for name in ("Net.features", "Net.head")]
    assert at["Net"].total == pytest.approx(at["Net"].own + sum(row.total for row in parts))
    inner = [at["Net.features.0"], at["Net.features.1"]]
    assert at["Net.features"].forward == pytest.approx(sum(row.forward for row in inner))
    assert at["Net.features"].calls == 0 and at["Net.head"].calls == 1
    assert all(row.backward > 0 for row in inner) and at["(optimizer)"].backward == 0
    assert at["Net"].flops == 2 * 4 * 6 * 6 * 5 + 2 * 4 * 6 * 2 * 3
    assert at["Net.head"].gflops == pytest.approx(at["Net.head"].flops / at["Net.head"].total / 1e3)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_table_fits(rows, width):
    lines = rows.table(width=width).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    assert [word for word in lines[0].split() if word in ("Layer", "Total", "%")] == ["Layer", "Total", "%"]
    assert ("Own" in lines[0]) == (width == 200) and ("Forward" in lines[0]) == (width > 40)
    assert any(line.startswith("    Net.features.0") for line in lines)
    assert lines[-1].startswith("All of the profile: ")


def test_sorting(rows):
    assert [row.name for row in rows.sorted("total")][0] == max(rows, key=lambda row: row.total).name
    assert rows.sorted("name")[0].name.startswith("(")
    assert len(rows.table(row_limit=2).splitlines()) == 6


def test_wide_characters():
    assert wide("训练 a") == 6 and cut("训练网络", 7) == "训练..." and padded("训", 4, False) == "  训"
    columns = Columns()
    columns.add("Layer", 8, left=True)
    columns.add("n", 3)
    assert columns.line(["网", "1"]) == "网          1  "

"""`flambeau.summary`: its printed form beside torchinfo's, what it counts, and that it leaves no trace."""

import io
import json
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
from browser import opened

import flambeau as torch
from flambeau import nn
from flambeau.language import set_language
from flambeau.viz.layers_text import report
from flambeau.widths import wide

from .summary_models import cases

TABLES = json.loads((Path(__file__).parents[1] / "fixtures" / "torchinfo.json").read_text(encoding="utf-8"))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # lazy layers
    CASES = cases(torch)


def quiet(model, *args, **options):
    return torch.summary(model, *args, **{"verbose": 0, **options})


def named(stats):
    return {row.name: row for row in stats.summary_list}


# ------------------------------------------------------------------------------------------------- the printed form


@pytest.mark.parametrize("name", CASES)
def test_the_table_is_torchinfos(name):
    model, options = CASES[name]
    stats = quiet(model, **{**options, "verbose": 0})
    stats.formatting.verbose = options.get("verbose", 0)
    lines = str(stats).split("\n")
    if stats.input_size:
        assert lines[-3].startswith("Kept for the backward pass (MB): ") and lines[-2].startswith("Forward pass (ms): ")
        lines = lines[:-3]
    assert "\n".join(lines) == TABLES[name]


def test_every_model_of_torchinfos_tables_is_compared():
    assert set(CASES) == set(TABLES)


def test_it_prints_unless_told_not_to(capsys):
    stats = torch.summary(nn.Linear(2, 1), (1, 2))
    assert capsys.readouterr().out == f"{stats}\n"
    torch.summary(nn.Linear(2, 1), (1, 2), verbose=0)
    assert capsys.readouterr().out == ""


def test_names_that_torchinfo_exports_are_there():
    from flambeau.viz import ColumnSettings, Mode, ModelStatistics, RowSettings, Units, Verbosity, summary

    stats = summary(
        nn.Linear(2, 1), (1, 2), verbose=Verbosity.QUIET, mode=Mode.TRAIN, row_settings=[RowSettings.VAR_NAMES],
        col_names=[ColumnSettings.MULT_ADDS])  # fmt: skip
    assert isinstance(stats, ModelStatistics) and "Mult-Adds" in str(stats) and Units.GIGABYTES == "G"


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100])
def test_a_narrow_terminal_gets_a_table_that_fits(columns):
    model = nn.Sequential(nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1))
    text = report(quiet(model, (1, 3, 8), col_names="all", depth=5), columns)
    table, totals = text.split("Total params")
    assert max(wide(line) for line in table.split("\n")) <= columns
    assert "Param #" in table and "Total mult-adds" in totals
    if columns >= 40:
        assert "MultiheadAttention: 4-1" in table
    said = " ".join(table.split("=\n")[-2].split())  # what is not shown
    assert said.startswith("Left out, as there is no room: ") and "Kernel Shape" in said
    assert not any(title in table.split("Left out")[0] for title in said.split(": ")[1].split(", "))


def test_forty_columns_have_room_for_shapes_and_parameters():
    text = report(quiet(nn.Sequential(nn.Conv2d(3, 64, 3)), (1, 3, 224, 224)), 40)
    assert "[1, 64, 222, 222]" in text and "Conv2d: 1-1" in text and "1,792" in text and "Left out" not in text


def test_a_page_is_written_to_a_name(tmp_path):
    with pytest.raises(TypeError, match="the file to write to is 3 of type int"):
        quiet(nn.Linear(2, 1), (1, 2)).to_html(3)
    model = nn.Sequential()
    model.add_module("\ud800layer", nn.ReLU())  # as of a file's name that is no Unicode
    quiet(model, (1, 2), row_settings=["var_names"]).to_html(tmp_path / "page.html")
    assert "?layer" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_terminal_is_asked_for_its_width(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", "48")
    stats = torch.summary(CASES["cnn"][0], (1, 3, 8, 8))
    shown = terminal.getvalue().split("\n")
    assert shown[0] == "=" * 48 and "Output Shape" in shown[1]
    assert str(stats).split("\n")[0] == "=" * 90  # what is written into files does not depend on the terminal


def test_an_output_without_line_drawing_gets_none(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    stats = torch.summary(nn.Sequential(nn.Sequential(nn.ReLU())), (1, 2), verbose=2)
    shown = raw.getvalue().decode()
    assert "+ Sequential: 1-1" in shown and "|    + ReLU: 2-1" in shown
    assert "├─Sequential: 1-1" in str(stats)


def test_chinese_names_keep_the_columns_in_line():
    class 网络(nn.Module):
        def __init__(self):
            super().__init__()
            self.卷积层 = nn.Conv2d(1, 2, 3)
            self.fc = nn.Flatten()

        def forward(self, x):
            return self.fc(self.卷积层(x))

    lines = str(quiet(网络(), (1, 1, 5, 5), row_settings=["var_names"])).split("\n")[1:6]
    places = {wide(line[: line.index("[")]) for line in lines if "[" in line}
    assert places == {wide(lines[0][: lines[0].index("Output")])}


# ------------------------------------------------------------------------------------------------------- what counts


def test_multiply_adds_of_sequences_and_attention_are_those_that_run():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(50, 8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.out = nn.Linear(8, 50)

        def forward(self, x):
            h = self.embedding(x)
            h, _ = self.attention(h, h, h, need_weights=False)
            h = torch.einsum("bij,bjk->bik", h, h.mT)
            return self.out(h @ torch.ones(5, 8))

    rows = named(quiet(Model(), (3, 5), dtypes=[torch.long]))
    batch, length, width = 3, 5, 8
    projections = 4 * (width * width + width)
    assert rows["embedding"].macs == 0
    assert rows["attention"].macs == batch * length * projections + batch * 2 * length * length * 2 * (width // 2)
    assert rows["out"].macs == batch * length * (width + 1) * 50
    assert rows[""].macs == batch * length * length * width + batch * length * length * width


@pytest.mark.parametrize(
    "product, count",
    [
        (lambda: torch.ones(2, 3) @ torch.ones(3, 4), 24),
        (lambda: torch.mm(torch.ones(2, 3), torch.ones(3, 4)), 24),
        (lambda: torch.ones(3) @ torch.ones(3), 3),
        (lambda: torch.ones(2, 3) @ torch.ones(3), 6),
        (lambda: torch.ones(5, 1, 2, 3) @ torch.ones(7, 3, 2), 5 * 7 * 12),
        (lambda: torch.baddbmm(torch.ones(1), torch.ones(2, 2, 3), torch.ones(2, 3, 4)), 48),
        (lambda: torch.tensordot(torch.ones(2, 3), torch.ones(3, 4), 1), 24),
        (lambda: torch.addmm(torch.ones(4), torch.ones(2, 3), torch.ones(3, 4)), 24 + 8),
        (lambda: nn.functional.linear(torch.ones(2, 3), torch.ones(4, 3), torch.ones(4)), 24 + 8),
        (lambda: nn.functional.conv1d(torch.ones(1, 2, 9), torch.ones(4, 2, 3)), 7 * 4 * 2 * 3),
        (lambda: nn.LSTMCell(3, 4)(torch.ones(2, 3)), 2 * (3 * 16 + 4 * 16 + 32)),
        (lambda: torch.ones(9, 9) * 2, 0),
    ],
)
def test_multiply_adds_of_operations(product, count):
    class Model(nn.Module):
        def forward(self, x):
            product()
            return x

    assert quiet(Model(), (1,)).total_mult_adds == count


def test_multiply_adds_of_transposed_and_frozen_layers():
    model = nn.ConvTranspose2d(4, 6, 3, stride=2)
    assert quiet(model, (2, 4, 5, 5)).total_mult_adds == 2 * 25 * 4 * 6 * 9
    model.requires_grad_(False)
    assert quiet(model, (2, 4, 5, 5)).total_mult_adds == 2 * 25 * 4 * 6 * 9


def test_multiply_adds_of_resnet18_are_the_published_ones():
    assert quiet(torch.vision.models.resnet18(), (1, 3, 224, 224), device="meta").total_mult_adds == 1_814_083_944


def test_on_meta_nothing_is_computed_and_all_but_time_is_known():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 2))
    real, meta = quiet(model, (4, 3, 8, 8)), quiet(model, (4, 3, 8, 8), device="meta")
    for name in ("output_size", "macs", "saved_bytes", "num_params"):
        assert [getattr(row, name) for row in meta.summary_list] == [getattr(row, name) for row in real.summary_list]
    assert (
        meta.total_seconds is None
        and "Forward pass (ms)" not in str(meta)
        and f"{meta.total_mult_adds:,}" in meta.to_html()
    )
    assert model[0].weight.device.type == "cpu"


def test_inputs_have_the_models_dtype():
    assert quiet(nn.Linear(3, 2).double(), (5, 3)).summary_list[0].output_bytes == 5 * 2 * 8
    assert quiet(nn.ReLU(), (5, 3), dtypes=[torch.float64]).total_input == 5 * 3 * 8


def test_tied_weights_count_once():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(10, 4)
            self.head = nn.Linear(4, 10)
            self.head.weight = self.embedding.weight

        def forward(self, x):
            return self.head(self.embedding(x))

    for device in (None, "meta"):
        stats = quiet(Model(), torch.zeros(1, 3, dtype=torch.long), device=device)
        assert stats.total_params == 50 and stats.total_param_bytes == 200
        assert named(stats)["head"].own_params == 10 and named(stats)["head"].num_params == 50
    model = Model()
    model.head.bias = None
    assert "(shared)" in str(quiet(model, torch.zeros(1, 3, dtype=torch.long)))


def test_saved_memory_is_what_the_graph_keeps():
    model = nn.Sequential(nn.Linear(10, 100), nn.Tanh(), nn.Linear(100, 10), nn.ReLU())
    stats = quiet(model, (7, 10))
    # The first layer keeps its input, which counts as input; tanh its result, which the next layer keeps too.
    assert [row.saved_bytes for row in stats.summary_list] == [0, 0, 7 * 100 * 4, 0, 7 * 10 * 4]
    assert stats.total_saved_bytes == 7 * 110 * 4
    with torch.no_grad():
        assert quiet(model, (7, 10)).total_saved_bytes == 0


def test_saved_memory_of_a_custom_function_belongs_to_its_layer():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x * 1)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2 * g * ctx.saved_tensors[0]

    class Layer(nn.Module):
        def forward(self, x):
            return Square.apply(x)

    stats = quiet(nn.Sequential(nn.Linear(3, 4), Layer()), (2, 3))
    assert stats.summary_list[2].saved_bytes == 2 * 4 * 4


def test_times_of_parts_lie_within_the_whole():
    stats = quiet(nn.Sequential(nn.Linear(64, 64), nn.Sequential(nn.Linear(64, 64), nn.ReLU())), (8, 64))
    root, first, inner, *parts = stats.summary_list
    assert stats.total_seconds == root.seconds > 0
    assert all(row.seconds is not None for row in stats.summary_list)
    assert [row.class_name for row in root.calls] == ["Linear", "Sequential"] and root.calls == [first, inner]
    assert inner.calls == parts and 0 <= inner.seconds_alone <= inner.seconds


def test_a_layer_called_twice_has_two_rows_and_its_parameters_once():
    stats = quiet(*CASES["shared"][:1], (2, 8))
    assert [row.is_recursive for row in stats.summary_list] == [False, False, True, False]
    assert stats.total_params == 8 * 9 + 4 * 9


def test_pruned_weights_do_not_count():
    layer = nn.Linear(4, 2)
    layer.weight_orig = nn.Parameter(layer.weight.detach().clone())
    layer.register_buffer("weight_mask", torch.tensor([[1.0, 0, 0, 1], [0, 0, 0, 1]]))
    del layer._parameters["weight"]
    layer.weight = layer.weight_orig * layer.weight_mask
    assert quiet(layer).total_params == 3 + 2


# ------------------------------------------------------------------------------------------------------ what it takes


def test_inputs_of_every_form():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(4, 3), nn.Linear(5, 3)

        def forward(self, left, right, scale=1):
            return scale * (self.left(left) + self.right(right))

    model, left, right = Two(), torch.ones(2, 4), torch.ones(2, 5)
    for args, options in (
        (([(2, 4), (2, 5)],), {}),
        ((((2, 4), (2, 5)),), {}),
        (([(4,), (5,)],), {"batch_dim": 0}),
        (([left, right],), {}),
        (({"right": right, "left": left},), {}),
        ((left,), {"right": right}),
        ((), {"input_data": (left, right), "scale": 2}),
        ((), {"input_data": (left[0], right[0]), "batch_dim": 0}),
    ):
        batch = 1 if "batch_dim" in options else 2
        assert [row.output_size for row in quiet(model, *args, **options).summary_list] == [[batch, 3]] * 3
    assert quiet(model, [left, right]).total_input == 4 * (left.numel() + right.numel())


def test_a_model_may_take_one_dict_and_give_one():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 2)

        def forward(self, batch):
            return {"logits": self.fc(batch["x"]), "note": "text"}

    stats = quiet(Model(), {"x": torch.ones(4, 3), "names": ["a"]})
    assert [row.output_size for row in stats.summary_list] == [[4, 2], [4, 2]]


def test_numpy_and_packed_sequences():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(3, 5, batch_first=True)

        def forward(self, x):
            x = torch.from_numpy(x)
            packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([4, 2]), batch_first=True)
            return self.rnn(packed)

    stats = quiet(Model(), np.ones((2, 4, 3), np.float32))
    row = named(stats)["rnn"]
    assert row.output_size == [6, 5] and row.macs == 6 * (3 * 15 + 5 * 15 + 30)


def test_a_compiled_model_is_seen_layer_by_layer():
    model = torch.compile(nn.Sequential(nn.Linear(3, 4), nn.ReLU()))
    assert [row.class_name for row in quiet(model, (1, 3)).summary_list] == ["Sequential", "Linear", "ReLU"]


def test_a_kept_forward_pass_is_used_again():
    calls = []

    class Model(nn.Module):
        def forward(self, x):
            calls.append(x.shape)
            return x

    model = Model()
    quiet(model, (1, 2), cache_forward_pass=True)
    count = len(calls)
    quiet(model, (1, 2), cache_forward_pass=True, depth=1)
    assert len(calls) == count
    quiet(model, (5, 2), cache_forward_pass=True)
    assert len(calls) > count and calls[-1] == (5, 2)


# ------------------------------------------------------------------------------------------------------- no trace left


class Noisy(nn.Module):
    """Changes everything that a forward pass can change."""

    def __init__(self, fails=False):
        super().__init__()
        self.fc, self.norm, self.drop = nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)
        self.fails, self.calls, self.last = fails, 0, None
        self.drop.eval()

    def forward(self, x):
        self.calls += 1
        self.last = x
        x.add_(1)
        random.random(), np.random.rand()
        h = self.drop(self.norm(self.fc(x)))
        if self.fails:
            raise KeyError("the model's own")
        return h


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("mode", ["train", "eval", "same"])
def test_everything_is_as_before(fails, mode):
    torch.manual_seed(0)
    model, x = Noisy(fails), torch.zeros(3, 4)
    handle = model.fc.register_forward_hook(lambda module, args, output: output * 2)
    model.fc(torch.ones(2, 4)).sum().backward()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    grads = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy(), model.training
    if fails:
        with pytest.raises(KeyError, match="the model's own"):
            quiet(model, x, mode=mode)
    else:
        quiet(model, x, mode=mode)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    for p, g in zip(model.parameters(), grads):
        assert (p.grad is None) == (g is None) and (g is None or torch.equal(p.grad, g))
    assert torch.equal(torch.get_rng_state(), states[0]) and random.getstate() == states[1]
    assert (np.random.get_state()[1] == states[2]).all() and model.training is states[3]
    assert not model.drop.training and (model.calls, model.last) == (0, None) and not x.any()
    assert list(model.fc._forward_hooks) == [handle.id] and not model._forward_hooks and not model._forward_pre_hooks
    assert torch.is_grad_enabled()


def test_lazy_layers_stay_lazy():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.Sequential(nn.LazyLinear(3), nn.ReLU())
    assert quiet(model, (2, 5)).total_params == 18
    assert type(model[0]) is nn.LazyLinear and isinstance(model[0].weight, nn.UninitializedParameter)
    assert quiet(model).total_params == 0


def test_checks_do_not_see_the_runs():
    model = nn.Sequential(nn.Linear(3, 3), nn.Softmax(dim=1)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(12):
            quiet(model, (2, 3))


# ------------------------------------------------------------------------------------------------------------- errors


def test_a_failing_layer_is_named_and_its_error_comes_through():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Sequential(nn.Linear(4, 2)))
    with pytest.raises(RuntimeError, match="cannot be multiplied") as caught:
        quiet(model, (2, 3, 4))
    where, made = caught.value.__notes__
    assert "failed in `2.0` (Linear), whose input has shape [2, 5]." in where and "`1`" in where
    assert "input_size=(2, 3, 4)" in made
    with pytest.raises(TypeError, match="positional argument") as caught:
        quiet(model, [(2, 3), (3, 4)])
    assert "(Sequential)" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    "kind, words, args, options",
    [
        (TypeError, "expects a module", (nn.Linear, (1, 2)), {}),
        (TypeError, "a shape or a list of shapes", (nn.ReLU(), "12"), {}),
        (TypeError, "a shape or a list of shapes", (nn.ReLU(), 12), {}),
        (TypeError, "whole numbers", (nn.ReLU(), (1.0, 2)), {}),
        (ValueError, "positive numbers", (nn.ReLU(), (0, 2)), {}),
        (ValueError, "positive numbers", (nn.ReLU(), ()), {}),
        (RuntimeError, "Only one of", (nn.ReLU(), (1, 2), torch.ones(1)), {}),
        (RuntimeError, "Only one of", (nn.ReLU(), torch.ones(1), torch.ones(1)), {}),
        (ValueError, "You must pass input_data or input_size", (nn.ReLU(),), {"col_names": ["mult_adds"]}),
        (ValueError, "values that col_names takes", (nn.ReLU(), (1, 2)), {"col_names": ["size"]}),
        (ValueError, "values that row_settings takes", (nn.ReLU(), (1, 2)), {"row_settings": ["size"]}),
        (ValueError, "Verbose must be", (nn.ReLU(), (1, 2)), {"verbose": 3}),
        (ValueError, "Column width must be greater than 0", (nn.ReLU(), (1, 2)), {"col_width": 0}),
        (ValueError, "depth must be 0 or more", (nn.ReLU(), (1, 2)), {"depth": -1}),
        (TypeError, "depth must be a whole number", (nn.ReLU(), (1, 2)), {"depth": 1.5}),
        (ValueError, "mode should be", (nn.ReLU(), (1, 2)), {"mode": "test"}),
        (ValueError, "1 inputs", (nn.ReLU(), (1, 2)), {"dtypes": [torch.long] * 2}),
        (TypeError, "should hold dtypes", (nn.ReLU(), (1, 2)), {"dtypes": ["long"]}),
        (ValueError, "made from input_size", (nn.ReLU(), torch.ones(1)), {"dtypes": [torch.long]}),
    ],
)
def test_bad_arguments_are_explained(kind, words, args, options):
    with pytest.raises(kind, match=words) as caught:
        quiet(*args, **options)
    assert caught.value.why and caught.value.fix


def test_a_model_without_layers_or_output():
    class Nothing(nn.Module):
        def forward(self, x):
            return None

    assert quiet(Nothing(), (1, 2)).summary_list[0].output_size == []
    assert quiet(nn.Sequential(), (1, 2)).total_params == 0
    assert "Total params: 0" in str(quiet(nn.Sequential()))


# -------------------------------------------------------------------------------------------------------------- pages


def test_the_page_folds_and_fits(tmp_path):
    path = tmp_path / "model.html"
    stats = quiet(nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.ReLU(), nn.Linear(8, 2))), (1, 4), depth=1)
    stats.to_html(path, title="头 <model>")
    with opened(path, width=390) as (page, complaints):
        assert page.title() == "头 <model>" and not complaints
        inner = page.get_by_text("ReLU")
        assert not inner.is_visible()
        summary = page.locator("summary", has_text="Sequential").nth(1)
        summary.focus()
        page.keyboard.press("Enter")
        assert inner.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator("summary", has_text="Linear").first.inner_text().count("40")


def test_the_page_needs_no_network_and_knows_both_themes():
    made = quiet(nn.Linear(4, 8), (1, 4)).to_html()
    assert "http" not in made and "<script" not in made and "prefers-color-scheme:dark" in made
    assert quiet(nn.Linear(4, 8))._repr_html_().startswith("<section")


def test_the_page_speaks_the_readers_language():
    set_language("zh_CN")
    try:
        made = quiet(nn.Linear(4, 8), (1, 4)).to_html()
    finally:
        set_language("en")
    assert '<html lang="zh-Hans">' in made


def test_a_page_that_cannot_be_written(tmp_path):
    with pytest.raises(OSError, match="could not be written") as caught:
        quiet(nn.Linear(4, 8)).to_html(tmp_path / "missing" / "model.html")
    assert caught.value.fix

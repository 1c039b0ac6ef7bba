"""draw: which modules are boxes, frames or folded boxes, and what is written into them."""

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.errors import ArgumentError, ArgumentTypeError, MissingKey
from flambeau.vision.models import resnet18, resnet50
from flambeau.viz import draw, module_graph


def labels(graph):
    return [n.label.replace("\n", " ") for n in graph.nodes]


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(self.norm(x))))


class Stack(nn.Module):
    def __init__(self, depth=4):
        super().__init__()
        self.blocks = nn.ModuleList([Block(8) for _ in range(depth)])

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def test_boxes_say_name_class_shape_and_parameters():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(144, 10)
    )
    assert labels(draw(model, torch.ones(2, 1, 26, 26))) == [
        "input (2, 1, 26, 26)",
        "0 · Conv2d 3×3, stride 2 (2, 4, 12, 12)  40 parameters",
        "1 · MaxPool2d 2×2, stride 2 (2, 4, 6, 6)",
        "Flatten (2, 144)",
        "Dropout p=0.2",
        "4 · Linear (2, 10)  1.45k parameters",
        "output (2, 10)",
    ]
    assert "(2, 10)" not in " ".join(labels(draw(model, torch.ones(2, 1, 26, 26), show_shapes=False)))


def test_depth_folds_modules_into_boxes_and_shows_others_as_frames():
    model = resnet18()
    x = torch.ones(1, 3, 32, 32)
    one = draw(model, x, depth=1)
    assert [n.name for n in one.nodes if n.kind == "folded"] == ["layer1", "layer2", "layer3", "layer4"]
    assert not one.frames
    two = draw(model, x, depth=2)
    assert [f.title for f in two.frames] == [f"layer{i} · 2 × BasicBlock" for i in (1, 2, 3, 4)]
    three = draw(model, x, depth=3)
    adds = [n for n in three.nodes if n.op == "add"]
    assert len(adds) == 8
    for add in adds:
        assert len([e for e in three.edges if e.target == add.key]) == 2  # the residual connections
    assert len(draw(model, x, depth=99).nodes) > len(three.nodes)  # the shortcuts' own layers


def test_default_depth_keeps_the_picture_readable():
    graph = draw(resnet50(), torch.ones(1, 3, 32, 32))
    assert sum(n.kind not in ("function", "input", "output") for n in graph.nodes) <= 20
    assert [f.title for f in graph.frames] == ["layer1 · 3 × Bottleneck", "layer2 · 4 × Bottleneck",
                                               "layer3 · 6 × Bottleneck", "layer4 · 3 × Bottleneck"]  # fmt: skip
    assert graph.arrange().crossings == 0


def test_equal_modules_in_a_row_are_shown_once():
    graph = draw(Stack(), torch.ones(2, 8))
    assert [f.title for f in graph.frames] == ["blocks.0 … 3 · 4 × Block"]
    assert [n.op for n in graph.nodes] == ["x", "LayerNorm", "Linear", "relu", "Linear", "add", "output"]
    assert graph.edges[-1].source == graph.node("add").key  # the last block's result is the output
    assert "612 parameters" not in str(graph)
    folded = draw(Stack(), torch.ones(2, 8), depth=1)
    assert labels(folded) == ["x (2, 8)", "blocks.0 … 3 · 4 × Block (2, 8)  1.18k parameters", "output (2, 8)"]
    assert len(draw(Stack(), torch.ones(2, 8), depth=1, fold_repeats=False).nodes) == 6
    named = nn.Sequential(nn.Linear(8, 8), nn.Sequential())
    for i in range(12):
        named[1].add_module(f"block_{i}", Block(8))
    graph = draw(named, torch.ones(2, 8))
    assert [f.title for f in graph.frames] == ["1.block_0 … 11 · 12 × Block"]
    assert len(draw(Stack(2), torch.ones(2, 8), depth=1).nodes) == 4


def test_blocks_whose_results_are_used_elsewhere_are_all_shown():
    class Taps(Stack):
        def forward(self, x):
            found = []
            for block in self.blocks:
                x = block(x)
                found.append(x)
            return torch.stack(found)

    class Heads(Stack):
        def forward(self, x):
            return torch.cat([block(x) for block in self.blocks], 1)

    for model in (Taps(), Heads()):
        graph = draw(model, torch.ones(2, 8), depth=1)
        assert sum(n.op == "Block" for n in graph.nodes) == 4
        assert len([e for e in graph.edges if e.target == graph.nodes[-2].key]) == 4


def test_shared_modules_dicts_and_tuples():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.tower, self.lstm = nn.Linear(3, 4), nn.LSTM(4, 5)

        def forward(self, batch):
            left, right = self.tower(batch["left"]), self.tower(batch["right"])
            out, (h, c) = self.lstm(torch.stack([left, right]))
            return {"out": out, "state": (h, c)}

    graph = draw(Pair(), {"left": torch.ones(2, 3), "right": torch.ones(2, 3)})
    assert labels(graph)[:2] == ["batch['left'] (2, 3)", "batch['right'] (2, 3)"]
    assert [label.split("  ")[0] for label in labels(graph) if "tower" in label] == [
        "tower · Linear (2, 4)", "tower · Linear (call 2) (2, 4)",
    ]  # fmt: skip
    assert labels(graph)[-3:] == [
        "output['out'] (2, 2, 5)",
        "output['state'][0] (1, 2, 5)",
        "output['state'][1] (1, 2, 5)",
    ]
    assert len({e.line for e in graph.edges if e.source == graph.node("lstm").key}) == 3


def test_functions_can_be_left_out():
    graph = draw(Stack(1), torch.ones(2, 8), show_functions=False, depth=9)
    assert not any(n.kind == "function" for n in graph.nodes)
    into_output = {e.source for e in graph.edges if e.target == graph.nodes[-1].key}
    assert into_output == {graph.node("x").key, graph.node("blocks.0.down").key}


def test_a_failing_forward_comes_through_and_leaves_no_trace():
    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(3)

        def forward(self, x):
            return self.norm(x) / undefined_name  # noqa: F821

    model = Fails()
    with pytest.raises(NameError, match="undefined_name"):
        draw(model, torch.ones(2, 3), mode="train")
    assert model.training and model.norm.training
    assert float(model.norm.num_batches_tracked) == 0
    assert not model.norm._forward_hooks


def test_wrong_arguments():
    model = nn.Linear(2, 2)
    for graph in (draw(model, torch.ones(1, 2)).node, module_graph(model, torch.ones(1, 2)).__getitem__):
        with pytest.raises(MissingKey, match="no node 'conv1'"):
            graph("conv1")
    for depth in (0, -1, 1.5, True, "2"):
        with pytest.raises(ArgumentError, match="depth must be a whole number"):
            draw(model, torch.ones(1, 2), depth=depth)
    with pytest.raises(ArgumentError, match="direction must be"):
        draw(model, torch.ones(1, 2), direction="RL")
    with pytest.raises(ArgumentTypeError, match="must be an nn.Module, not Tensor") as caught:
        draw(torch.ones(1, 2), model)
    assert "model comes first" in caught.value.fix


def test_a_shape_in_the_place_of_an_input_and_models_that_take_one():
    with pytest.raises(ArgumentTypeError, match="the shape of an input rather than an input") as caught:
        draw(nn.Linear(2, 2), (1, 2))
    assert "torch.randn(1, 2)" in caught.value.fix and "linear()" in str(caught.value.__cause__)

    class Noise(nn.Module):
        def forward(self, shape):
            return torch.zeros(shape) + 1

    assert draw(Noise(), (1, 2)).node("output").shape == (1, 2)


def test_a_generator_in_the_place_of_a_result():
    class Each(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(2, 2)

        def forward(self, x):
            yield self.a(x)

    class All(nn.Module):
        def __init__(self):
            super().__init__()
            self.each = Each()

        def forward(self, x):
            return list(self.each(x))

    with pytest.raises(ArgumentTypeError, match="the forward of Each gives a generator"):
        draw(Each(), torch.ones(1, 2))
    assert draw(All(), torch.ones(1, 2), depth=3).node("each.a").shape == (1, 2)

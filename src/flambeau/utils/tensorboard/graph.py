"""A model's modules and operations as the graph that TensorBoard shows: modules are boxes that unfold."""

from __future__ import annotations

from typing import Any

from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.config_pb2 import RunMetadata
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.step_stats_pb2 import DeviceStepStats, StepStats
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.versions_pb2 import VersionDef

from ...errors import ArgumentError
from .arrays import written


def graph(model: Any, args: Any, verbose: bool = False) -> tuple[GraphDef, RunMetadata]:
    """What `add_graph` writes: the graph, and the device that it ran on.

    Arguments: model, args: a module and its input (a tensor, or a tuple of arguments). verbose: print the graph.
    """
    from ...viz.model_graph import module_graph  # noqa: PLC0415 - stands on all of nn

    if args is None:
        raise ArgumentError(
            "add_graph needs an input for the model",
            why="the graph shows what happens to it on its way through the model",
            fix="pass a batch: `writer.add_graph(model, images)`",
        )
    found = module_graph(model, tuple(args) if isinstance(args, list) else args)
    if verbose:
        print(found)
    scopes = Scopes(model)
    made: list[NodeDef] = []
    names: dict[str, str] = {}
    for node in found:
        inputs = [names[source] for source in node.inputs]
        if node.kind in ("input", "output"):
            names[node.name] = f"{node.kind}/{node.name}"
        elif node.kind == "module":
            box = scopes.box(node.name.partition("#")[0])
            weights = [(n, p) for n, p in node.module.named_parameters() if p is not None]
            names[node.name] = f"{box}/{_numbered(node.op, node.name)}" if weights else _numbered(box, node.name)
            for name, p in weights:
                place = f"{box}/{name.replace('.', '/')}"
                inputs.append(place)
                if "#" not in node.name:  # a module that is called again has its weights already
                    made.append(_node(place, "Parameter", [], tuple(p.shape)))
        else:
            owner, _dot, last = node.name.rpartition(".")
            names[node.name] = f"{scopes.box(owner)}/{_numbered(last.partition('#')[0], node.name)}"
        operation = "IO Node" if node.kind in ("input", "output") else node.op
        made.append(_node(names[node.name], operation, inputs, node.shape, node.details))
    stats = RunMetadata(step_stats=StepStats(dev_stats=[DeviceStepStats(device="/device:CPU:0")]))
    return GraphDef(node=made, versions=VersionDef(producer=22)), stats


class Scopes:
    """The boxes of modules: `Net/Sequential[features]/Conv2d[0]`, as PyTorch names them."""

    def __init__(self, model: Any):
        model = model.__dict__.get("_modules", {}).get("_orig_mod", model)
        self.root = type(model).__name__
        self.classes = {name: type(module).__name__ for name, module in model.named_modules(remove_duplicate=False)}

    def box(self, name: str) -> str:
        """The box of the module with this dotted name; "" for the model."""
        parts = name.split(".") if name else []
        path = [".".join(parts[: i + 1]) for i in range(len(parts))]
        inner = [f"{self.classes.get(p, '')}[{part}]".replace("/", "_") for p, part in zip(path, parts)]
        return "/".join([self.root, *inner])


def _numbered(name: str, unique: str) -> str:
    """The name, with a number where the graph's own name ends in one: TensorBoard's names have no `#`."""
    count = unique.partition("#")[2]
    return f"{name}_{int(count) - 1}" if count else name


def _node(name: str, op: str, inputs: list[str], shape: tuple, details: str = "") -> NodeDef:
    sizes = TensorShapeProto(dim=[TensorShapeProto.Dim(size=n) for n in shape])
    attributes = {"_output_shapes": AttrValue(list=AttrValue.ListValue(shape=[sizes]))}
    if details:
        attributes["attr"] = AttrValue(s=details.encode("utf-8", "replace"))
    return NodeDef(name=written(name), op=op, input=map(written, inputs), attr=attributes)

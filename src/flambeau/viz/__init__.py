"""Pictures of networks and of their training: graphs, tables, figures."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..lazy import names as _names

if _TYPE_CHECKING:  # for editors
    from .attention import attention_maps
    from .autograd_graph import make_dot, make_dot_from_trace
    from .classification import confusion_counts, confusion_matrix
    from .convolutions import feature_maps, show_filters
    from .curves import learning_curves
    from .distributions import (
        activation_histograms,
        dead_units,
        gradient_histograms,
        update_ratios,
        weight_histograms,
    )
    from .gradients import gradient_flow
    from .graph import Graph
    from .images import show_augmentations, show_batch
    from .landscape import loss_landscape
    from .layers import ModelStatistics, summary
    from .layers_text import ColumnSettings, Mode, RowSettings, Units, Verbosity
    from .model_graph import module_graph
    from .module_picture import draw
    from .projection import embedding
    from .recorder import Recorder

_LAZY = {
    "draw": "module_picture", "module_graph": "model_graph", "make_dot": "autograd_graph",
    "make_dot_from_trace": "autograd_graph", "Graph": "graph",
    "summary": "layers", "ModelStatistics": "layers",
    "ColumnSettings": "layers_text", "Mode": "layers_text", "RowSettings": "layers_text", "Units": "layers_text",
    "Verbosity": "layers_text",
    "Recorder": "recorder", "gradient_flow": "gradients", "learning_curves": "curves", "loss_landscape": "landscape",
    "activation_histograms": "distributions", "gradient_histograms": "distributions",
    "weight_histograms": "distributions", "dead_units": "distributions", "update_ratios": "distributions",
    "attention_maps": "attention", "feature_maps": "convolutions", "show_filters": "convolutions",
    "show_batch": "images", "show_augmentations": "images", "embedding": "projection",
    "confusion_counts": "classification", "confusion_matrix": "classification",
}  # fmt: skip

__getattr__, __dir__ = _names(__name__, _LAZY)

"""Pictures of networks and of their training: graphs, tables, figures."""

from .attention import attention_maps
from .autograd_graph import make_dot
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
from .module_graph import module_graph
from .module_picture import draw
from .projection import embedding
from .recorder import Recorder

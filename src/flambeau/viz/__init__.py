"""Pictures of networks and of their training: graphs, tables, figures."""

from .gradients import gradient_flow
from .module_graph import module_graph

"""Pictures of networks and of their training: graphs, tables, figures."""

from .module_graph import module_graph

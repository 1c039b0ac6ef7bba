"""Pictures of networks and of their training: graphs, tables, figures."""

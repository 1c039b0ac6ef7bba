"""Tools around training: data loading, checkpointing, hooks."""

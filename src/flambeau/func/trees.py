"""Trees: nested tuples, lists and dicts of tensors."""

from __future__ import annotations


def leaves_of(tree) -> list:
    """The leaves of nested tuples, lists and dicts, in order."""
    if isinstance(tree, (tuple, list)):
        return [leaf for item in tree for leaf in leaves_of(item)]
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in leaves_of(tree[key])]
    return [tree]


def rebuilt(tree, leaves):
    """The same structure with other leaves, taken from an iterator."""
    if isinstance(tree, (tuple, list)):
        items = [rebuilt(item, leaves) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    if isinstance(tree, dict):
        return type(tree)((key, rebuilt(value, leaves)) for key, value in tree.items())
    return next(leaves)


def mapped(function, tree):
    """The same structure with `function` applied to each leaf."""
    return rebuilt(tree, iter([function(leaf) for leaf in leaves_of(tree)]))

"""Record what torchviz draws for the programs of tests/viz/torchviz_cases.py: run in the environment with PyTorch.

    .venv-oracle/bin/python tools/record_torchviz.py

writes tests/fixtures/torchviz.json.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

KINDS = {
    "lightblue": "parameter",
    "darkolivegreen1": "output",
    "darkolivegreen3": "base",
    "orange": "saved",
    "": "operation",
}


def structure(dot):
    """(nodes, edges) of a graphviz Digraph, read from its text."""
    nodes, edges, number = {}, [], {}
    short = lambda key: number.setdefault(key, f"n{len(number)}")
    for line in dot.body:
        arrow = re.match(r"\t(\d+) -> (\d+)(?: \[(.*)\])?", line)
        if arrow:
            u, v, options = arrow.groups()
            style = "plain" if "dir=none" in (options or "") else "dotted" if "dotted" in (options or "") else "flow"
            edges.append((short(u), short(v), style))
            continue
        node = re.match(r'\t(\d+) \[label="?(.*?)"?(?: fillcolor=(\w+))?\]\s*$', line, re.S)
        key, text, fill = node.groups()
        nodes[short(key)] = (KINDS[fill or ""], " ".join(text.split()))
    return nodes, edges


def main():
    import torch
    from torchviz import make_dot
    from viz.torchviz_cases import CASES

    found = {}
    for case in CASES:
        torch.manual_seed(0)
        var, params, options = case(torch)
        found[case.__name__] = structure(make_dot(var, params=params, **options))
    path = ROOT / "tests" / "fixtures" / "torchviz.json"
    path.write_text(json.dumps(found) + "\n")
    print(path, len(found), "graphs")


if __name__ == "__main__":
    main()

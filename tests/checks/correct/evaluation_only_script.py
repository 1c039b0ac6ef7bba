"""Inference with a loaded model: eval, inference_mode, softmax for reading."""

import copy

import flambeau as torch
from flambeau import nn

net = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 3))
net.load_state_dict(copy.deepcopy(net.state_dict()))
net.eval()
with torch.inference_mode():
    for _ in range(5):
        p = net(torch.randn(10, 4)).softmax(dim=1)
        label = p.argmax(dim=1)
        confidence = p.max(dim=1).values

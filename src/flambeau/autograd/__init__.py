"""Automatic differentiation: the engine, modes, custom functions, and what users call."""

from . import engine, forward_ad, functional, graph, mode, profiler
from .api import backward, grad
from .engine import Node
from .function import Function, FunctionCtx, InplaceFunction, once_differentiable
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .mode import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
    set_multithreading_enabled,
)
from .variable import Variable

grad_mode = anomaly_mode = mode  # where PyTorch has them

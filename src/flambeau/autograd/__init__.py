"""Automatic differentiation: the engine, modes, custom functions, and what users call."""

from . import engine, mode
from .api import backward, grad
from .engine import Node
from .function import Function, FunctionCtx, InplaceFunction, once_differentiable
from .mode import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
)

Variable = engine.Tensor

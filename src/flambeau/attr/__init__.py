"""Attribution: which inputs, layers and neurons a prediction comes from. Names and arguments are Captum's."""

from .base import (
    Attribution,
    GradientAttribution,
    InternalAttribution,
    LayerAttribution,
    NeuronAttribution,
    PerturbationAttribution,
)
from .integrated_gradients import IntegratedGradients
from .saliency import InputXGradient, Saliency

__all__ = [
    "Attribution",
    "GradientAttribution",
    "InputXGradient",
    "IntegratedGradients",
    "InternalAttribution",
    "LayerAttribution",
    "NeuronAttribution",
    "PerturbationAttribution",
    "Saliency",
]

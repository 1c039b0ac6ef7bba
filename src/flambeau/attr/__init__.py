"""Attribution: which inputs, layers and neurons a prediction comes from. Names and arguments are Captum's."""

from . import visualization
from .ablation import FeatureAblation, FeaturePermutation
from .base import (
    Attribution,
    GradientAttribution,
    InternalAttribution,
    LayerAttribution,
    NeuronAttribution,
    PerturbationAttribution,
)
from .integrated_gradients import IntegratedGradients
from .kernel_shap import KernelShap
from .layer_ablation import LayerFeatureAblation, LayerFeaturePermutation, NeuronFeatureAblation
from .lime import Lime, LimeBase, get_exp_kernel_similarity_function
from .linear_models import Lasso, LinearRegression, Ridge
from .occlusion import Occlusion
from .saliency import InputXGradient, Saliency
from .shapley import ShapleyValues, ShapleyValueSampling

__all__ = [
    "Attribution",
    "FeatureAblation",
    "FeaturePermutation",
    "GradientAttribution",
    "InputXGradient",
    "IntegratedGradients",
    "InternalAttribution",
    "KernelShap",
    "Lasso",
    "LayerAttribution",
    "LayerFeatureAblation",
    "LayerFeaturePermutation",
    "Lime",
    "LimeBase",
    "LinearRegression",
    "NeuronAttribution",
    "NeuronFeatureAblation",
    "Occlusion",
    "PerturbationAttribution",
    "Ridge",
    "Saliency",
    "ShapleyValueSampling",
    "ShapleyValues",
    "get_exp_kernel_similarity_function",
    "visualization",
]

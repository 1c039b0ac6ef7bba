"""Pictures of attributions under Captum's names: images, series and text."""

from .visual_image import visualize_image_attr, visualize_image_attr_multiple
from .visual_scale import ImageVisualizationMethod, TimeseriesVisualizationMethod, VisualizeSign
from .visual_series import visualize_timeseries_attr
from .visual_text import (
    ColouredText,
    VisualizationDataRecord,
    format_classname,
    format_special_tokens,
    format_tooltip,
    format_word_importances,
    visualize_text,
)

__all__ = [
    "ColouredText", "ImageVisualizationMethod", "TimeseriesVisualizationMethod", "VisualizationDataRecord",
    "VisualizeSign", "format_classname", "format_special_tokens", "format_tooltip", "format_word_importances",
    "visualize_image_attr", "visualize_image_attr_multiple", "visualize_text", "visualize_timeseries_attr",
]  # fmt: skip

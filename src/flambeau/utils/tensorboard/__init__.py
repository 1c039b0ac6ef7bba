"""Writing for TensorBoard: `SummaryWriter`, as in PyTorch. Files are written by the tensorboard package itself."""

from ...errors import MissingDependency

try:
    import tensorboard as _tensorboard
except ImportError as error:
    raise MissingDependency(
        "writing for TensorBoard needs the package tensorboard, which is not installed",
        why="it is an optional dependency: training does not need it",
        fix="run `pip install 'flambeau[viz]'`",
    ) from error

from tensorboard.summary.writer.record_writer import RecordWriter

from .writer import FileWriter, SummaryWriter

__all__ = ["FileWriter", "RecordWriter", "SummaryWriter"]

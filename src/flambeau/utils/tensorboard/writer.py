"""`SummaryWriter`: what a program calls to have its values shown by TensorBoard."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import threading
import time
from collections.abc import Mapping
from datetime import datetime

from tensorboard.compat import tf
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from ...errors import ArgumentError, ArgumentTypeError, CannotWrite, FailedAssertion, NotSupported
from ...told import tell
from . import embedding, graph, pictures, summary
from .arrays import checked_tag
from .event_file import FileWriter, checked_step


@functools.cache
def default_bins() -> list[float]:
    """Limits of histograms: a tenth wider from one to the next, on both sides of 0, up to 1e20."""
    right = []
    v = 1e-12
    while v < 1e20:
        right.append(v)
        v *= 1.1
    return [*(-v for v in reversed(right)), 0, *right]


class SummaryWriter:
    """Writes what TensorBoard shows: scalars, images, histograms, graphs, sound, text and more.

    `tensorboard --logdir runs` then shows all runs in the folder `runs`, also while they go on. Values are written by
    a thread; several threads may use one writer. A program that is killed leaves a file that can be read, up to what
    was last brought to the disk (`flush_secs`).

    Arguments:
        log_dir: the folder of this run. Default: runs/ and the date, the time, the machine's name and `comment`.
        comment: what the default folder's name ends in; without meaning where `log_dir` is given.
        purge_step: what was written into this folder for this step and later ones is not to be shown: for a run that
            goes on from a checkpoint.
        max_queue: how many events may wait for the thread before a call waits for it.
        flush_secs: seconds after which what was written is brought to the disk.
        filename_suffix: what the names of the event files end in.

    Each `add_...` takes `global_step`, the place on the horizontal axis, and `walltime`, which stands for the time of
    the call. After `close()` a further call opens a new file in the same folder.

    Raises OSError where the folder cannot be written to.

    >>> import tempfile
    >>> from flambeau.utils.tensorboard import SummaryWriter
    >>> with tempfile.TemporaryDirectory() as folder, SummaryWriter(folder) as writer:
    ...     for step in range(3):
    ...         writer.add_scalar("loss/train", 1 / (step + 1), step)
    """

    def __init__(self, log_dir=None, comment="", purge_step=None, max_queue=10, flush_secs=120, filename_suffix=""):
        if not log_dir:
            name = f"{datetime.now().strftime('%b%d_%H-%M-%S')}_{socket.gethostname()}{comment}"
            log_dir = os.path.join("runs", name)
        self.log_dir = log_dir
        self.purge_step, self.max_queue = purge_step, max_queue
        self.flush_secs, self.filename_suffix = flush_secs, filename_suffix
        self._lock = threading.RLock()
        self._projector_config = ProjectorConfig()
        self.file_writer: FileWriter | None = None
        self.all_writers: dict[str, FileWriter] | None = None
        self.default_bins = default_bins()
        self._get_file_writer()

    def _get_file_writer(self) -> FileWriter:
        """The writer of this folder, opened again if it was closed."""
        with self._lock:
            if self.file_writer is None or self.all_writers is None:
                self.file_writer = self._opened(self.log_dir)
                self.all_writers = {self.file_writer.get_logdir(): self.file_writer}
                if self.purge_step is not None:
                    step, self.purge_step = self.purge_step, None
                    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
                    self.file_writer.add_event(event_pb2.Event(step=checked_step(step), file_version="brain.Event:2"))
                    self.file_writer.add_event(event_pb2.Event(step=checked_step(step), session_log=start))
            return self.file_writer

    def _opened(self, folder) -> FileWriter:
        return FileWriter(folder, self.max_queue, self.flush_secs, self.filename_suffix)

    def _add(self, made, global_step, walltime) -> None:
        self._get_file_writer().add_summary(made, global_step, walltime)

    def get_logdir(self):
        """The folder of this run."""
        return self.log_dir

    # ------------------------------------------------------------------------------------------------------ numbers

    def add_scalar(
        self, tag, scalar_value, global_step=None, walltime=None, new_style=False, double_precision=False
    ) -> None:
        """One number, such as the loss; nan and inf are shown as such.

        Arguments:
            tag: its name; the part before the first `/` is the group that it is shown in.
            scalar_value: a number, or a tensor with one element.
            new_style, double_precision: written as a tensor, with 64 bits.
        """
        made = summary.scalar(tag, scalar_value, new_style=new_style, double_precision=double_precision)
        self._add(made, global_step, walltime)

    def add_scalars(self, main_tag, tag_scalar_dict, global_step=None, walltime=None) -> None:
        """Several numbers in one chart: each name in the dict becomes a run of its own."""
        if not isinstance(tag_scalar_dict, Mapping):
            raise ArgumentTypeError(
                f"add_scalars expects a dict of names and numbers, but got {type(tag_scalar_dict).__name__}",
                why="each number is a line of its own in the chart, and the lines have names",
                fix="use `{'train': a, 'valid': b}`, or `add_scalar` for one number",
            )
        checked_tag(main_tag)
        walltime = time.time() if walltime is None else walltime
        folder = self._get_file_writer().get_logdir()
        for tag, value in tag_scalar_dict.items():
            made = summary.scalar(main_tag, value)
            place = f"{folder}/{main_tag.replace('/', '_')}_{checked_tag(tag)}"
            with self._lock:
                self._get_file_writer()
                assert self.all_writers is not None
                if place not in self.all_writers:
                    self.all_writers[place] = self._opened(place)
                self.all_writers[place].add_summary(made, global_step, walltime)

    def add_tensor(self, tag, tensor, global_step=None, walltime=None) -> None:
        """A whole tensor, for programs that read event files; TensorBoard does not show it."""
        self._add(summary.tensor_proto(tag, tensor), global_step, walltime)

    def add_histogram(self, tag, values, global_step=None, bins="tensorflow", walltime=None, max_bins=None) -> None:
        """How the elements of a tensor are distributed.

        Arguments:
            values: a tensor or array of any shape; nan and inf are left out, with a warning.
            bins: "tensorflow" for limits that grow by a tenth; or as `numpy.histogram` takes them: "auto", a number...
            max_bins: the most bins that are kept; neighbours are put together.
        """
        limits = self.default_bins if isinstance(bins, str) and bins == "tensorflow" else bins
        self._add(summary.histogram(tag, values, limits, max_bins=max_bins), global_step, walltime)

    def add_histogram_raw(
        self, tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts, global_step=None, walltime=None
    ) -> None:
        """A histogram that has been counted already.

        Arguments:
            min, max, num, sum, sum_squares: of the values.
            bucket_limits: the upper limit of each bin.
            bucket_counts: how many values lie in each.
        """
        if len(bucket_limits) != len(bucket_counts):
            raise ArgumentError(
                "len(bucket_limits) != len(bucket_counts), see the document.",
                why=f"there are {len(bucket_limits)} limits and {len(bucket_counts)} counts",
                fix="give the upper limits only: `counts, limits = numpy.histogram(x)`, then `limits[1:]`",
            )
        made = summary.histogram_raw(tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts)
        self._add(made, global_step, walltime)

    # ----------------------------------------------------------------------------------------------- images and sound

    def add_image(self, tag, img_tensor, global_step=None, walltime=None, dataformats="CHW") -> None:
        """An image: bytes (uint8), or floats from 0 to 1.

        Arguments:
            dataformats: what its dimensions are: CHW, HWC, HW and so on.
        """
        self._add(pictures.image(tag, img_tensor, dataformats=dataformats), global_step, walltime)

    def add_images(self, tag, img_tensor, global_step=None, walltime=None, dataformats="NCHW") -> None:
        """A batch of images, as a grid of eight to a row."""
        self._add(pictures.image(tag, img_tensor, dataformats=dataformats), global_step, walltime)

    def add_image_with_boxes(
        self, tag, img_tensor, box_tensor, global_step=None, walltime=None, rescale=1, dataformats="CHW", labels=None
    ) -> None:
        """An image with boxes drawn into it.

        Arguments:
            box_tensor: (N, 4): left, top, right and bottom of each.
            rescale: how much larger to show it.
            labels: a text for each box; texts of another number are left out, as in PyTorch.
        """
        if labels is not None:
            labels = [labels] if isinstance(labels, str) else labels
            if len(labels) != box_tensor.shape[0]:
                tell(f"there are {len(labels)} labels for {box_tensor.shape[0]} boxes: they are left out")
                labels = None
        made = pictures.image_boxes(
            tag, img_tensor, box_tensor, rescale=rescale, dataformats=dataformats, labels=labels
        )
        self._add(made, global_step, walltime)

    def add_figure(self, tag, figure, global_step=None, close=True, walltime=None) -> None:
        """A figure of matplotlib, or a list of figures of one size. close: close it in pyplot."""
        made = pictures.figure_to_image(figure, close)
        self.add_image(tag, made, global_step, walltime, dataformats="CHW" if made.ndim == 3 else "NCHW")

    def add_video(self, tag, vid_tensor, global_step=None, fps=4, walltime=None) -> None:
        """Videos (N, T, C, H, W), side by side, as an animated GIF: bytes, or floats from 0 to 1.

        Arguments:
            fps: frames in a second.
        """
        self._add(pictures.video(tag, vid_tensor, fps), global_step, walltime)

    def add_audio(self, tag, snd_tensor, global_step=None, sample_rate=44100, walltime=None) -> None:
        """A sound of one channel, (1, L) or (L,), with values from -1 to 1. sample_rate: values a second."""
        self._add(summary.audio(tag, snd_tensor, sample_rate=sample_rate), global_step, walltime)

    # ------------------------------------------------------------------------------------------ texts, graphs, points

    def add_text(self, tag, text_string, global_step=None, walltime=None) -> None:
        """A text, shown as Markdown."""
        self._add(summary.text(tag, text_string), global_step, walltime)

    def add_onnx_graph(self, prototxt) -> None:
        """Not supported: there is no ONNX here."""
        raise NotSupported(
            "add_onnx_graph is not supported: flambeau reads no ONNX files",
            why="the graph of a model is taken from running it",
            fix="use `writer.add_graph(model, input)`",
        )

    def add_graph(self, model, input_to_model=None, verbose=False, use_strict_trace=True) -> None:
        """The model's modules and the operations between them, as they run for one input.

        Modules are boxes that unfold in TensorBoard. The model is run once and is afterwards as it was.

        Arguments:
            input_to_model: a tensor, or a tuple of arguments.
            verbose: print the graph, too.
            use_strict_trace: both values mean the same here: lists and dicts are always followed.

        Raises what the model's forward raises.
        """
        self._get_file_writer().add_graph(graph.graph(model, input_to_model, verbose))

    def add_embedding(
        self, mat, metadata=None, label_img=None, global_step=None, tag="default", metadata_header=None
    ) -> None:
        """Vectors as points in space, which TensorBoard's projector turns, searches and lays out.

        Arguments:
            mat: (N, D): a vector for each point.
            metadata: a label for each point; a list of labels for each where there is a header.
            label_img: (N, C, H, W): an image for each point, with values from 0 to 1.
            metadata_header: the names of the columns of labels.
        """
        vectors, images = embedding.checked(mat, metadata, label_img, metadata_header)
        step = 0 if global_step is None else checked_step(global_step)
        subdir = f"{step:05d}/{self._encode(checked_tag(tag))}"
        with self._lock:
            folder = self._get_file_writer().get_logdir()
            place = os.path.join(folder, subdir)
            if tf.io.gfile.isdir(place):
                tell("Embedding dir exists, did you set global_step for add_embedding()?")
            elif tf.io.gfile.exists(place):
                raise CannotWrite(
                    f"Path: `{place}` exists, but is a file. Cannot proceed.",
                    why="the embedding's files are put into a folder of this name",
                    fix="use another `log_dir` or another `tag`",
                )
            else:
                tf.io.gfile.makedirs(place)
            embedding.write(place, vectors, metadata, images, metadata_header)
            self._projector_config.embeddings.append(embedding.info(subdir, tag, step, metadata is not None, images))
            embedding.write_config(folder, self._projector_config)

    @staticmethod
    def _encode(rawstr: str) -> str:
        """A tag as the name of a folder."""
        for letter in "%/\\":
            rawstr = rawstr.replace(letter, f"%{ord(letter):02x}")
        return rawstr

    def add_mesh(
        self, tag, vertices, colors=None, faces=None, config_dict=None, global_step=None, walltime=None
    ) -> None:
        """Points in space, or a surface.

        Arguments:
            vertices: (B, N, 3): coordinates.
            colors: (B, N, 3): red, green and blue of each point, from 0 to 255.
            faces: (B, M, 3): the numbers of each triangle's corners.
            config_dict: classes and settings of three.js.
        """
        self._add(summary.mesh(tag, vertices, colors, faces, config_dict), global_step, walltime)

    # ------------------------------------------------------------------------------------- curves and comparisons

    def add_pr_curve(
        self, tag, labels, predictions, global_step=None, num_thresholds=127, weights=None, walltime=None
    ) -> None:
        """Precision over recall, for thresholds between 0 and 1.

        Arguments:
            labels: 0 or 1 for each element; predictions: the probability of 1.
            num_thresholds: how many thresholds; at most 127.
            weights: how much each element counts.
        """
        made = summary.pr_curve(tag, labels, predictions, num_thresholds, weights)
        self._add(made, global_step, walltime)

    def add_pr_curve_raw(
        self, tag, true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts,
        precision, recall, global_step=None, num_thresholds=127, weights=None, walltime=None,
    ) -> None:  # fmt: skip
        """A curve of precision over recall whose counts are known already, one number for each threshold."""
        made = summary.pr_curve_raw(
            tag, true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts,
            precision, recall, num_thresholds, weights,
        )  # fmt: skip
        self._add(made, global_step, walltime)

    def add_custom_scalars_multilinechart(self, tags, category="default", title="untitled") -> None:
        """One chart of several scalars, given by the tags of `add_scalar`."""
        self._add(summary.custom_scalars({category: {title: ["Multiline", tags]}}), None, None)

    def add_custom_scalars_marginchart(self, tags, category="default", title="untitled") -> None:
        """A scalar with a band around it: the tags of its value, lower and upper edge."""
        if len(tags) != 3:
            raise FailedAssertion(
                f"Expected 3 tags, got {len(tags)}.",
                why="they are the value, and the lower and upper edge of the band around it",
                fix="give the tags in this order: `['loss', 'loss/low', 'loss/high']`",
            )
        self._add(summary.custom_scalars({category: {title: ["Margin", tags]}}), None, None)

    def add_custom_scalars(self, layout) -> None:
        """Charts of several scalars: {category: {title: ["Multiline" or "Margin", tags]}}. The last call counts."""
        self._add(summary.custom_scalars(layout), None, None)

    def add_hparams(
        self, hparam_dict, metric_dict, hparam_domain_discrete=None, run_name=None, global_step=None
    ) -> None:
        """Hyperparameters of a run and what it reached with them, as a row of the table in which runs are compared.

        Arguments:
            hparam_dict: names and values: numbers, strings, booleans, tensors of one element.
            metric_dict: names and numbers. They are written as scalars too: use names that `add_scalar` does not.
            hparam_domain_discrete: all values that a hyperparameter may have.
            run_name: the folder within this run's. Default: the time.
        """
        if type(hparam_dict) is not dict or type(metric_dict) is not dict:
            raise ArgumentTypeError(
                "hparam_dict and metric_dict should be dictionary.",
                why=f"they are of type {type(hparam_dict).__name__} and {type(metric_dict).__name__}",
                fix="use `dict(...)`, or `vars(args)` for parsed arguments",
            )
        made = summary.hparams(hparam_dict, metric_dict, hparam_domain_discrete)
        folder = os.path.join(self._get_file_writer().get_logdir(), run_name or str(time.time()))
        with SummaryWriter(log_dir=folder) as writer:
            for one in made:
                writer._add(one, global_step, None)
            for name, value in metric_dict.items():
                writer.add_scalar(name, value, global_step)

    # ------------------------------------------------------------------------------------------------------ the files

    def flush(self) -> None:
        """Bring everything to the disk."""
        with self._lock:
            for writer in (self.all_writers or {}).values():
                writer.flush()

    def close(self) -> None:
        """Bring everything to the disk, and close the files. A further `add_...` opens new ones."""
        with self._lock:
            writers = list((self.all_writers or {}).values())
            self.file_writer = self.all_writers = None
            with contextlib.ExitStack() as closing:  # all of them, also after one that cannot be written
                for writer in writers:
                    closing.callback(writer.close)

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_val, exc_tb):
        self.close()

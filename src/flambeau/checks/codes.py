"""The table of the mistakes that are looked for: code, title, level, when; and the thresholds of the rules.

Codes are stable: a number is never used again. Levels: E is raised, W is warned of once per place, H is a hint that
only the doctor shows. When: `op` at the call, `pre` before training (doctor.examine), `watch` while training.
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """One mistake of the table."""

    title: str
    level: str  # E, W or H: the level of a finding that does not say another one
    when: str


CODES = {
    "FB-SHAPE-01": Code("Linear gets the wrong number of features", "E", "op, pre"),
    "FB-SHAPE-02": Code("Channels last, or the batch / channel dimension is missing", "E", "op, pre"),
    "FB-SHAPE-03": Code("The batch dimension is merged or squeezed away", "E", "op"),
    "FB-SHAPE-04": Code("(N, 1) meets (N,) and quietly becomes (N, N)", "W", "op"),
    "FB-SHAPE-05": Code("view / reshape used where permute was meant", "W", "op"),
    "FB-SHAPE-06": Code("Inner dimensions of a matrix product disagree, or * was written for @", "E", "op"),
    "FB-SHAPE-07": Code("Recurrent layer reads the batch as time", "W", "op, pre"),
    "FB-SHAPE-08": Code("Index out of range in Embedding / gather / indexing", "E", "op, pre"),
    "FB-DEV-01": Code("Operands live on different devices", "E", "op, pre"),
    "FB-DEV-02": Code("tensor.to(...) whose result is thrown away", "E", "op, static"),
    "FB-DEV-03": Code("NumPy conversion of a tensor that is not plain CPU data", "E", "op"),
    "FB-DEV-04": Code("A device that is not there", "E", "op"),
    "FB-DTYPE-01": Code("float64 from NumPy meets a float32 model", "E", "op, pre"),
    "FB-DTYPE-02": Code("Integers where floats are needed", "E", "op, pre"),
    "FB-DTYPE-03": Code("uint8 arithmetic wraps around", "W", "op"),
    "FB-DTYPE-04": Code("A 0/1 integer mask used as an index", "W", "op"),
    "FB-LOSS-01": Code("softmax before CrossEntropyLoss", "W", "op, pre"),
    "FB-LOSS-02": Code("Target of CrossEntropyLoss in the wrong form", "E", "op, pre"),
    "FB-LOSS-03": Code("A label outside the number of classes", "E", "op, pre"),
    "FB-LOSS-04": Code("Class scores on the wrong axis for sequences and images", "W", "op"),
    "FB-LOSS-05": Code("sigmoid before BCEWithLogitsLoss", "W", "op, pre"),
    "FB-LOSS-06": Code("A loss that wants (log-)probabilities is fed raw scores", "W", "op, pre"),
    "FB-LOSS-07": Code("Prediction and target sizes differ", "W", "op, pre"),
    "FB-LOSS-08": Code("Regression loss on class numbers", "W", "pre, op"),
    "FB-LOSS-09": Code("softmax over the wrong axis", "W", "op"),
    "FB-LOSS-10": Code("Loss object misused: built with the data, or arguments swapped", "E", "op"),
    "FB-LOSS-11": Code("Padding positions counted as targets", "W", "op, pre"),
    "FB-GRAD-01": Code("backward() on something that is not a scalar", "E", "op"),
    "FB-GRAD-02": Code("Back-propagating through a graph that was already used", "E", "op"),
    "FB-GRAD-03": Code("The loss has no path to any parameter", "E", "op"),
    "FB-GRAD-04": Code("Trainable parameters that never receive a gradient", "W", "op, pre"),
    "FB-GRAD-05": Code("The tensor you hold is not the leaf", "W", "op"),
    "FB-GRAD-06": Code("An operation whose gradient is zero everywhere", "W", "op"),
    "FB-GRAD-07": Code("Hand-written backward that does not match forward", "W", "pre"),
    "FB-INPL-01": Code("In-place change of a leaf that requires grad", "E", "op"),
    "FB-INPL-02": Code("A value needed for backward was overwritten", "E", "op"),
    "FB-INPL-03": Code("view() of a tensor that is not contiguous", "E", "op"),
    "FB-INPL-04": Code("Tensors that share memory with a NumPy array", "W", "op"),
    "FB-INPL-05": Code("Edit through .data or detach() that autograd does not see", "E", "op"),
    "FB-MOD-01": Code("Layers hidden in a plain list, dict or tuple", "W", "op, pre"),
    "FB-MOD-02": Code("A tensor attribute that should be a Parameter or a buffer", "W", "op"),
    "FB-MOD-03": Code("New layers created inside forward", "W", "op"),
    "FB-MOD-04": Code("Module API misuse: model.forward(x), model.test(), model.train = False", "E", "op, static"),
    "FB-MOD-05": Code("One layer object repeated where copies were meant", "W", "op"),
    "FB-MOD-06": Code("forward without return", "E", "op"),
    "FB-MOD-07": Code("Linear layers with nothing in between", "H", "pre"),
    "FB-DATA-01": Code("Samples that cannot be put into a batch", "E", "op, pre"),
    "FB-DATA-02": Code("Inputs far from unit scale", "W", "pre, op"),
    "FB-DATA-03": Code("Training and validation data prepared differently", "W", "pre"),
    "FB-DATA-04": Code("NaN or Inf in the data", "W", "pre, op"),
    "FB-DATA-05": Code("Inputs and labels shuffled apart", "W", "pre, op"),
    "FB-DATA-06": Code("Sorted training data without shuffling", "W", "pre, watch"),
    "FB-DATA-07": Code("The same rows in training and validation", "W", "pre"),
    "FB-DATA-08": Code("Labels almost all of one class", "H", "pre"),
    "FB-DATA-09": Code("A last batch of one sample with BatchNorm", "W", "pre, op"),
    "FB-DATA-10": Code("Every worker draws the same random numbers", "W", "pre"),
    "FB-LOOP-01": Code("Gradients are never cleared", "W", "watch"),
    "FB-LOOP-02": Code("zero_grad() between backward() and step()", "W", "watch"),
    "FB-LOOP-03": Code("The weights are never updated: step() or backward() is missing", "W", "watch"),
    "FB-LOOP-04": Code("Gradient clipping in the wrong place", "W", "watch"),
    "FB-LOOP-05": Code("next(iter(loader)) inside the loop", "W", "watch"),
    "FB-LOOP-06": Code("The first loss is far from chance level", "W", "pre, op"),
    "FB-LOOP-07": Code("The model ignores its input, or cannot fit one batch", "W", "pre"),
    "FB-LOOP-08": Code("The loss climbs, diverges or does not move", "W", "watch, pre"),
    "FB-LOOP-09": Code("Training improves, validation gets worse", "H", "watch"),
    "FB-LOOP-10": Code("Accuracy from argmax over the wrong axis", "W", "op"),
    "FB-MODE-01": Code("Evaluation in training mode", "W", "watch"),
    "FB-MODE-02": Code("Training continues in eval mode", "W", "watch"),
    "FB-MODE-03": Code("Evaluation builds graphs", "H", "watch"),
    "FB-MODE-04": Code("F.dropout without training=self.training", "W", "op"),
    "FB-MODE-05": Code("BatchNorm statistics not usable", "W", "pre, watch"),
    "FB-OPT-01": Code("Optimizer without parameters", "E", "op"),
    "FB-OPT-02": Code("The optimizer and the model disagree", "W", "watch, pre"),
    "FB-OPT-03": Code("Learning rate too high", "W", "watch, pre"),
    "FB-OPT-04": Code("Learning rate too low", "H", "watch"),
    "FB-OPT-05": Code("scheduler.step() before optimizer.step()", "W", "watch"),
    "FB-OPT-06": Code("Scheduler stepped at the wrong rhythm", "W", "watch"),
    "FB-OPT-07": Code("step() without the argument it needs", "E", "op"),
    "FB-OPT-08": Code("A new optimizer at every step", "W", "watch"),
    "FB-OPT-09": Code("Weight decay stronger than the data", "W", "watch"),
    "FB-INIT-01": Code("Vanishing gradients and saturated activations", "W", "pre, watch"),
    "FB-INIT-02": Code("Exploding gradients or activations", "W", "pre, watch"),
    "FB-INIT-03": Code("Dead ReLU units", "W", "pre, watch"),
    "FB-INIT-04": Code("Bad initial values: constant, uninitialised or wrong scale", "W", "pre"),
    "FB-NUM-01": Code("First NaN or Inf in the forward pass", "E", "watch"),
    "FB-NUM-02": Code("Finite loss, NaN gradient", "E", "watch"),
    "FB-NUM-03": Code("A reduction over nothing", "W", "op"),
    "FB-NUM-04": Code("Outside the range of float16", "E", "op"),
    "FB-REPRO-01": Code("Results cannot be repeated: seeds missing, late or partial", "H", "pre"),
    "FB-REPRO-02": Code("Re-seeding inside the loop", "W", "watch"),
    "FB-MEM-01": Code("Graphs of old steps are kept alive", "W", "watch"),
    "FB-MEM-02": Code("Hooks registered again and again", "W", "watch"),
    "FB-SAVE-01": Code("Resuming without the optimizer", "H", "op"),
    "FB-SAVE-02": Code('"Best weights" kept by reference', "W", "op"),
    "FB-SAVE-03": Code("A checkpoint that does not fit", "E", "op"),
    "FB-SAVE-04": Code("strict=False loaded (almost) nothing", "W", "op"),
    "FB-PERF-01": Code("Python loop over tensor elements", "H", "watch"),
    "FB-PERF-02": Code("The model waits for data", "H", "watch"),
    "FB-DIST-01": Code("Every rank trains on the same data, or in the same order", "W", "pre, watch"),
    "FB-DIST-02": Code("Ranks drift apart: the wrapper is bypassed", "E", "watch"),
}

# Thresholds, under the code whose rule reads them.
LIMITS: dict[str, dict[str, float]] = {
    "FB-DATA-02": {"std": 20.0, "mean": 10.0, "ratio": 1e3, "elements": 1 << 16},
    "FB-DATA-03": {"samples": 64, "mean": 0.5, "z": 6.0, "low": 0.5, "high": 2.0},
    "FB-DATA-05": {"rows": 16},
    "FB-DATA-06": {"batches": 10, "share": 0.5, "classes": 1000},
    "FB-DATA-07": {"share": 0.005, "samples": 20_000, "unique": 0.5, "chance": 1.5},
    "FB-DATA-08": {"share": 0.95, "samples": 100},
    # calls of one line that are computed again, and their size
    "FB-DTYPE-03": {"calls": 3, "numel": 1e6},
    "FB-GRAD-07": {"elements": 64, "seconds": 0.05, "error": 1e-3},
    "FB-INIT watch": {"samples": 3, "steady": 1.3, "burst": 100.0, "before": 8, "dead": 8, "units": 8},
    "FB-INIT-01": {"ratio": 1e-4, "layers": 4, "saturated": 0.85, "tanh": 0.97, "sigmoid": 0.985},
    "FB-INIT-02": {"ratio": 1e3, "growth": 1.5, "row": 8},
    "FB-INIT-03": {"share": 0.5, "samples": 256},
    "FB-INIT-04": {"high": 10.0, "low": 0.1, "tiny": 0.02},
    "FB-LOOP-06": {"factor": 2.0, "more": 1.0, "bce": 1.5, "mse": 10.0, "calls": 8},
    "FB-LOOP-07": {"same": 1e-6, "cut": 0.05, "steps": 8, "lr": 0.01},
    "FB-LOOP-08": {"up": 3, "steps": 50, "gain": 0.01, "still": 200, "recovers": 0.8},
    "FB-LOOP-09": {"evaluations": 3, "worse": 1.1, "fell": 0.9},
    # different class numbers
    "FB-LOSS-08": {"least": 3, "most": 1000},
    # shares of what is padded; where it is guessed
    "FB-LOSS-11": {"rows": 0.5, "positions": 0.2, "batches": 2},
    "FB-MODE-01": {"batches": 2},
    "FB-MODE-02": {"steps": 2},
    "FB-MODE-03": {"alive": 4, "alive_unsure": 10},
    "FB-MODE-05": {"initial": 0.1, "stds": 1.25, "least": 0.5, "low": 1 / 3, "channels": 0.5, "values": 8},
    # loss: times the first one; ratio: update over weight; rise, steps: of the doctor's probe
    "FB-OPT-03": {"loss": 10, "ratio": 0.1, "rise": 2.0, "steps": 3},
    "FB-OPT-04": {"ratio": 1e-6, "loss": 1e-3},
    # of the base rate; of a schedule's steps that would happen
    "FB-OPT-06": {"low": 1.01e-3, "part": 0.2},
    # of the weights' norm; lr * weight_decay from which it is looked at
    "FB-OPT-09": {"fall": 0.5, "rate": 1e-3},
    "FB-PERF-01": {"operations": 500, "elements": 64, "share": 0.2, "samples": 4},
    # of waiting per batch
    "FB-PERF-02": {"batches": 20, "share": 0.5, "seconds": 5e-4},
    # steps between two seeds from which they count as once per epoch
    "FB-REPRO-02": {"times": 3, "epoch": 20},
    # of the weights; modules that may be new
    "FB-SAVE-04": {"share": 0.5, "head": 2},
}

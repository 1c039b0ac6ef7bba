"""Whether operations are recorded: no_grad, enable_grad, set_grad_enabled, inference_mode, anomaly mode."""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading

from ..checks.log import log
from ..language import warn


class _State(threading.local):
    # Class attributes are what a new thread starts with.
    grad = True
    inference = False
    special = False  # anomaly mode or saved_tensors_hooks are on: one look instead of three for every operation
    anomaly = False
    check_nan = True
    autocast = None  # the NumPy dtype that matrix products run in, within torch.autocast
    pack = None  # (pack, unpack) of the innermost saved_tensors_hooks
    saving_disabled: str | None = None  # error text while disable_saved_tensors_hooks is active

    def __init__(self):
        self.callbacks = []  # functions to call when the backward pass that is running ends


state = _State()
autocasting: list = []  # not empty while any thread is in autocast
inference_depth: list = []  # not empty while any thread is in inference mode: cheaper to look at than `state`


def refresh_special():
    """To be called by whoever changes `anomaly` or `pack`."""
    state.special = state.anomaly or state.pack is not None


class _Switch(contextlib.ContextDecorator):
    """A mode that is entered by `with`, or by decorating a function, generator or class."""

    def __call__(self, function):
        if inspect.isgeneratorfunction(function):
            return self._generator(function)
        if inspect.isclass(function):
            function.__init__ = self(function.__init__)
            return function

        @functools.wraps(function)
        def decorated(*args, **kwargs):
            with self._again():
                return function(*args, **kwargs)

        return decorated

    def _again(self):
        return type(self)()

    def _generator(self, function):
        @functools.wraps(function)
        def decorated(*args, **kwargs):
            # The mode holds only while the generator runs, not between its values.
            with self._again():
                running = function(*args, **kwargs)
            send, value = running.send, None
            while True:
                try:
                    with self._again():
                        out = send(value)
                except StopIteration as stop:
                    return stop.value
                try:
                    value, send = (yield out), running.send
                except GeneratorExit:
                    with self._again():
                        running.close()
                    raise
                except BaseException as error:
                    value, send = error, running.throw

        return decorated


class _GradMode(_Switch):
    grad = True

    def __new__(cls, function=None):
        made = object.__new__(cls)
        return made(function) if callable(function) else made

    def __init__(self, function=None):
        self.before = []

    def __enter__(self):
        self.before.append(state.grad)
        state.grad = self.grad and not state.inference  # nothing is recorded in inference mode
        if log.on and not self.grad:
            log.no_grad()
        return None

    def __exit__(self, *exc):
        state.grad = self.before.pop()


class no_grad(_GradMode):
    """Within it, operations are not recorded: less memory, and no gradient. Context manager or decorator.

    >>> import flambeau as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    grad = False


class enable_grad(_GradMode):
    """Within it, operations are recorded again, also inside `no_grad`.

    >>> import flambeau as torch
    >>> x = torch.ones(1, requires_grad=True)
    >>> with torch.no_grad(), torch.enable_grad():
    ...     print((x * 2).requires_grad)
    True
    """

    grad = True


class set_grad_enabled(_Switch):
    """Switch recording on or off: as a function at once, as a context manager for its block.

    >>> import flambeau as torch
    >>> x = torch.ones(1, requires_grad=True)
    >>> with torch.set_grad_enabled(False):
    ...     print((x * 2).requires_grad)
    False
    """

    def __init__(self, mode: bool):
        self.mode = mode
        self.before = state.grad
        state.grad = bool(mode)
        if log.on and not mode:
            log.no_grad()

    def __call__(self, function):
        state.grad = self.before
        return super().__call__(function)

    def _again(self):
        return set_grad_enabled(self.mode)

    def __enter__(self):
        state.grad = bool(self.mode)

    def __exit__(self, *exc):
        state.grad = self.before


class inference_mode(_Switch):
    """Like `no_grad`, and its results can never enter a graph.

    >>> import flambeau as torch
    >>> x = torch.ones(1, requires_grad=True)
    >>> with torch.inference_mode():
    ...     y = x * 2
    >>> y.requires_grad, y.is_inference()
    (False, True)
    """

    def __new__(cls, mode=True):
        made = object.__new__(cls)
        if callable(mode):
            made.__init__(True)
            return made(mode)
        return made

    def __init__(self, mode: bool = True):
        self.mode = mode
        self.before: list[tuple[bool, bool]] = []

    def _again(self):
        return inference_mode(self.mode)

    def __enter__(self):
        self.before.append((state.grad, state.inference))
        inference_depth.append(None)
        state.grad = state.grad and not self.mode
        state.inference = bool(self.mode)
        if log.on and self.mode:
            log.no_grad()

    def __exit__(self, *exc):
        inference_depth.pop()
        state.grad, state.inference = self.before.pop()


def is_grad_enabled() -> bool:
    """Whether operations are being recorded.

    >>> import flambeau as torch
    >>> torch.is_grad_enabled()
    True
    """
    return state.grad


def is_inference_mode_enabled() -> bool:
    """Whether inference mode is on.

    >>> import flambeau as torch
    >>> torch.is_inference_mode_enabled()
    False
    """
    return state.inference


class set_detect_anomaly(contextlib.ContextDecorator):
    """Anomaly mode on or off: each operation remembers its forward line, and NaN in backward raises with it.

    >>> import flambeau as torch
    >>> x = torch.zeros(1, requires_grad=True)
    >>> with torch.autograd.set_detect_anomaly(True):
    ...     (x * 2).sum().backward()
    >>> x.grad
    tensor([2.])
    """

    def __init__(self, mode: bool, check_nan: bool = True):
        self.before = (state.anomaly, state.check_nan)
        state.anomaly, state.check_nan = bool(mode), check_nan
        refresh_special()

    def __enter__(self):
        return None

    def __exit__(self, *exc):
        state.anomaly, state.check_nan = self.before
        refresh_special()


class detect_anomaly(contextlib.ContextDecorator):
    """Context manager for anomaly mode: `with torch.autograd.detect_anomaly(): loss.backward()`.

    >>> import flambeau as torch
    >>> x = torch.zeros(1, requires_grad=True)
    >>> with torch.autograd.detect_anomaly():
    ...     (x * 2).sum().backward()
    >>> x.grad
    tensor([2.])
    """

    def __init__(self, check_nan: bool = True):
        self.check_nan = check_nan
        warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging.",
            stacklevel=2,
        )

    def __enter__(self):
        self.before = (state.anomaly, state.check_nan)
        state.anomaly, state.check_nan = True, self.check_nan
        refresh_special()

    def __exit__(self, *exc):
        state.anomaly, state.check_nan = self.before
        refresh_special()


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on."""
    return state.anomaly


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode checks for NaN."""
    return state.anomaly and state.check_nan


class set_multithreading_enabled(contextlib.ContextDecorator):
    """Accepted: backward runs in the thread that calls it."""

    def __init__(self, mode: bool):
        self.mode = mode

    def __enter__(self):
        return None

    def __exit__(self, *exc):
        return None

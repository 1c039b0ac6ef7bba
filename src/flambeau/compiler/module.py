"""A compiled module: a module around the original one, whose calls are compiled."""

from __future__ import annotations

from typing import Any

from ..nn.modules.module import Module


class OptimizedModule(Module):
    """What torch.compile makes of a module. Attributes are those of the original, `_orig_mod`; so is the memory.

    Names in `state_dict()` begin with "_orig_mod.", as in PyTorch: save `compiled._orig_mod.state_dict()`, or the
    original's, for a file without. A copy, or one that was pickled, has recorded nothing yet.

    >>> import flambeau as torch
    >>> model = torch.compile(torch.nn.Linear(2, 1))
    >>> model
    OptimizedModule(
      (_orig_mod): Linear(in_features=2, out_features=1, bias=True)
    )
    >>> list(model.state_dict()), model.in_features
    (['_orig_mod.weight', '_orig_mod.bias'], 2)
    """

    def __init__(self, module: Module, compiled: Any):
        super().__init__()
        del self.__dict__["training"]  # the original's counts
        self._modules["_orig_mod"] = module
        self.__dict__["_compiled"] = compiled

    @property
    def steps(self) -> list:
        """The recordings of the compiled call."""
        return self._compiled.steps

    @property
    def splits(self) -> list:
        """Why the last recording was left to Python: (reason, line)."""
        return self._compiled.splits

    @property
    def training(self) -> bool:  # type: ignore[override]
        """Whether the original is in training mode."""
        return self._modules["_orig_mod"].training

    @training.setter
    def training(self, mode: bool) -> None:
        self._modules["_orig_mod"].training = mode

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The compiled call."""
        return self.__dict__["_compiled"](*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["_modules"]["_orig_mod"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__ or name in ("_orig_mod", "training"):
            super().__setattr__(name, value)
        else:
            setattr(self._modules["_orig_mod"], name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._modules["_orig_mod"], name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._modules["_orig_mod"])})

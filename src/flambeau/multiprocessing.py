"""torch.multiprocessing: Python's own `multiprocessing`, whose pickling carries tensors (as copies)."""

from multiprocessing import *  # noqa: F403

"""torch.version: versions of flambeau and of what it was built against (nothing)."""

__version__ = "0.1.0"
cuda = hip = xpu = git_version = None
debug = False

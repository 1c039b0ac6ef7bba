"""Kernels: what operations compute with when NumPy alone would be slow. Everything here takes and returns arrays.

`fused` holds what operations call; `build` and `emit` turn declared bodies into machine code when first needed
(llvmlite is imported then, not before); the `special*` files are special functions in plain NumPy.
"""

from .memory import keep_freed

keep_freed()

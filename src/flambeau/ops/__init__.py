"""Every operation. Importing this package defines them all; `entry.REGISTRY` holds their public names."""

from . import creation, elementwise, index, linalg, reduce, shape

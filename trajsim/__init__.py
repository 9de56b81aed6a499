"""trajsim: longitudinal patient trajectories from clinical state machines and learned timing.

Users import from rooms, for example ``from trajsim.engine import simulate``. This file stays empty of imports so that
``import trajsim`` is instant and loads neither JAX nor Numba.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("trajsim")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0"

"""What no living body goes beyond; the default profile keeps vital signs within it (docs/draws.md 10.6)."""

from trajsim.lifecycle.constants import PHYSIOLOGICAL_BOUNDS


def bounded(sign: str, value: float) -> float:
    """A value kept within the bounds of its sign, if it has any."""
    limits = PHYSIOLOGICAL_BOUNDS.get(sign)
    return value if limits is None else min(max(value, limits[0]), limits[1])

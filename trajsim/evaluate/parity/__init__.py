"""Parity: do our rates agree with those of a reference, and if not, in which state does it begin?

The comparison receives Records, state metrics and reference tables as data, whoever made them.
"""

from trajsim.evaluate.parity.comparison import compare
from trajsim.evaluate.parity.reference import Reference, read_reference
from trajsim.evaluate.parity.result import Comparison, Gate, KindAgreement, Parity

__all__ = ["Comparison", "Gate", "KindAgreement", "Parity", "Reference", "compare", "read_reference"]

"""What care cost and who paid for it: claims and their lines, made from Records alone.

Modules say what was done and the lifecycle who insured whom; neither says a price. This room has a table of prices by
class of service, gives every billable row a class and a price, adds the rows of a visit up to a claim, and lets the
plan in force pay its share. It sees Records and nothing else, so real data can be priced the same way.
"""

from trajsim.costs.claims import with_claims, without_claims

__all__ = ["with_claims", "without_claims"]

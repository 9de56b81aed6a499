"""Whether a synthetic cohort is distributed like real patients."""

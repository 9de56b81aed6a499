"""Whether a model, or a cohort that it drew, is of use: what it foretells about real patients."""

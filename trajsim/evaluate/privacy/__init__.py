"""Whether a model, or a cohort that it drew, gives away who was in the training data."""

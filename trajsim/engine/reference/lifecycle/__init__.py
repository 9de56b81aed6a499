"""The lifecycle in plain Python: the core turn runs at every step, and nothing is computed ahead or put off."""

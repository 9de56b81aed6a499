"""Learned timing: histories of patients in, models that say when, which and how much out.

Training data, models, privacy and what a trained model answers live here. This room knows neither modules nor the
engine; `trajsim.cli` hands it the arrays it needs of them.
"""

"""Visits of real or simulated patients become event sequences here: sources differ, what a model reads does not.

A reader turns a source into `trajsim.learn.ingest.rows.ClinicalRows`, a mapping says what its codes mean and what is
cleaned, and `trajsim.learn.ingest.apply` makes sequences of them and counts everything that it left out.
"""

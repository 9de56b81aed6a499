"""Readers of known formats into `trajsim.learn.ingest.rows.ClinicalRows`: one file a format.

A reader says what stands in the source and where: it maps nothing, drops nothing that is readable, and reports
everything that is not, all at once. All days are days of UTC, so that a patient who was written in several formats
reads the same from each. `trajsim.learn.ingest.readers.formats` names them.
"""

"""A simulated trial as FHIR: the study, its sites and criteria, and what became of everybody who agreed to take part.

Trial systems know studies and subjects, not replicates. One replicate is written as a trial that has happened, beside
its patients, so that such a system can be filled before the first patient is in. This room knows no simulated trial:
it takes a description and a plain table of candidates.
"""

from fhir_export.study.description import Criterion, Study, SubjectStatus
from fhir_export.study.resources import study_resources
from fhir_export.study.writing import TRIAL, write_study

__all__ = ["TRIAL", "Criterion", "Study", "SubjectStatus", "study_resources", "write_study"]

"""A simulated trial as FHIR: the study, its sites, its criteria, and a ResearchSubject a randomized person.

Trial systems know studies and subjects, not replicates. One replicate is written as a trial that has happened, beside
the patients that `fhir_export` writes, so that such a system can be filled before the first patient is in.
"""

from trajsim.trials.study.contents import Criterion, Study, study_of
from trajsim.trials.study.resources import study_resources, write_study

__all__ = ["Criterion", "Study", "study_of", "study_resources", "write_study"]

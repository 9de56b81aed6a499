"""Who is eligible: one typed form of criteria, read from files, checked, told in prose, evaluated on data in bulk."""

from trajsim.trials.criteria.circe import import_circe, parse_circe, read_circe
from trajsim.trials.criteria.english import describe
from trajsim.trials.criteria.evaluate import evaluate
from trajsim.trials.criteria.findings import CriteriaError, Finding
from trajsim.trials.criteria.form import Definition
from trajsim.trials.criteria.omop_source import OmopSource
from trajsim.trials.criteria.result import Evaluation, join_evaluations
from trajsim.trials.criteria.truth import Reading

__all__ = [
    "CriteriaError",
    "Definition",
    "Evaluation",
    "Finding",
    "OmopSource",
    "Reading",
    "describe",
    "evaluate",
    "import_circe",
    "join_evaluations",
    "parse_circe",
    "read_circe",
]

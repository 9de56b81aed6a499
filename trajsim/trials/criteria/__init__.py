"""Who is eligible: one typed form of criteria, read from files, checked, told in prose, evaluated on data in bulk."""

from trajsim.trials.criteria.circe import import_circe, parse_circe, read_circe
from trajsim.trials.criteria.english import describe
from trajsim.trials.criteria.evaluate import evaluate
from trajsim.trials.criteria.findings import RULES, CriteriaError, Finding
from trajsim.trials.criteria.form import Definition
from trajsim.trials.criteria.hierarchy import Hierarchy, read_hierarchy
from trajsim.trials.criteria.lint import lint, lint_circe
from trajsim.trials.criteria.omop_source import OmopSource
from trajsim.trials.criteria.read import decode_criteria, parse_criteria, read_criteria
from trajsim.trials.criteria.records_source import RecordsSource, evaluate_records
from trajsim.trials.criteria.result import Evaluation, join_evaluations
from trajsim.trials.criteria.truth import Reading

__all__ = [
    "RULES",
    "CriteriaError",
    "Definition",
    "Evaluation",
    "Finding",
    "Hierarchy",
    "OmopSource",
    "Reading",
    "RecordsSource",
    "decode_criteria",
    "describe",
    "evaluate",
    "evaluate_records",
    "import_circe",
    "join_evaluations",
    "lint",
    "lint_circe",
    "parse_circe",
    "parse_criteria",
    "read_circe",
    "read_criteria",
    "read_hierarchy",
]

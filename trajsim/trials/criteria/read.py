"""Reads criteria from YAML or JSON files, whichever of the two languages they are in: ours or Circe's."""

from dataclasses import replace
from pathlib import Path

from trajsim.errors import DataFileError
from trajsim.trials.criteria.circe import import_circe
from trajsim.trials.criteria.decode import Decoder
from trajsim.trials.criteria.documents import NotReadableError, parse_yaml
from trajsim.trials.criteria.findings import CriteriaError, Finding, require_no_errors
from trajsim.trials.criteria.form import Definition
from trajsim.trials.criteria.lint import lint
from trajsim.trials.criteria.truth import Reading


def read_criteria(path: Path) -> Definition:
    """Reads criteria from a file.

    Args:
        path: YAML or JSON in our form, or a Circe expression in JSON (it has `PrimaryCriteria`).

    Returns:
        The definition.

    Raises:
        DataFileError: The file cannot be read.
        CriteriaError: Every fault of the criteria, by file and path.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror})"
        raise DataFileError(msg) from error
    return parse_criteria(data, file=str(path))


def parse_criteria(data: bytes, *, file: str = "") -> Definition:
    """Reads criteria from text.

    Args:
        data: YAML or JSON.
        file: What to call it in messages.

    Returns:
        The definition.

    Raises:
        CriteriaError: Every fault, by file and path: what cannot be read, and what the linter calls an error.

    Example:
        >>> text = b"entry: {any_of: [{domain: observation_period}]}"
        >>> parse_criteria(text).entry.any_of[0].domain
        'observation_period'
    """
    document = _document(data, file)
    if isinstance(document, dict) and ("PrimaryCriteria" in document or "ConceptSets" in document):
        return import_circe(data, file=file, reading=Reading.SCREENING)
    return decode_criteria(document, file=file)


def decode_criteria(document: object, *, file: str = "") -> Definition:
    """The definition of a document that was decoded already, such as a part of a trial spec.

    Args:
        document: What a JSON or YAML reader gave.
        file: What to call it in messages.

    Raises:
        CriteriaError: Every fault, by file and path.
    """
    decoder = Decoder(file=file)
    definition = decoder.definition(document)
    require_no_errors(decoder.findings)
    assert definition is not None  # without one there is a finding
    require_no_errors(replace(each, file=file) for each in lint(definition))
    return definition


def _document(data: bytes, file: str) -> object:
    try:
        return parse_yaml(data)
    except NotReadableError as error:
        finding = Finding(rule="CRT101", severity="error", path="$", message=str(error), file=file)
        raise CriteriaError([finding]) from error

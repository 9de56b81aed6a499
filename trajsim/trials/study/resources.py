"""The resources, FHIR R4: ResearchStudy, Group, Location, ResearchSubject; a file of lines a type."""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from trajsim.errors import ExportError
from trajsim.trials.study.contents import Study

Resource = dict[str, object]

_NAMESPACE: Final = uuid.UUID("6f1d2a52-4f0b-5d6e-9b0c-7a4c1e35b8d1")
_COLUMNS: Final = ("patient_id", "copy", "site", "reason", "randomized_date", "arm", "status", "end_date")
_RANDOMIZED: Final = "randomized"
_STATUS: Final[Mapping[str, str]] = {
    "event": "off-study",
    "dropped out": "withdrawn",
    "died": "off-study",
    "event-free at the end": "off-study",
}


def study_resources(
    study: Study, candidates: pa.Table, *, patient_reference: Callable[[int], str]
) -> dict[str, list[Resource]]:
    """Makes resources of one replicate.

    Args:
        study: The trial.
        candidates: Its candidates (`trajsim.trials.recruitment.candidates`); those who were randomized become subjects.
        patient_reference: ``Patient/id`` of a patient of the records, as the export of the patients has it.

    Returns:
        Resources by type. Copies of one patient of the records share the Patient and differ in identifier.

    Raises:
        ExportError: The candidates lack a column, or were at a site or in an arm that the study does not have.

    Guarantees:
        The same study and candidates give the same bytes, and our gate has nothing to say about them.
        (tests/unit/trials/study/test_resources.py)
    """
    missing = [name for name in _COLUMNS if name not in candidates.column_names]
    if missing:
        msg = f"the table of candidates lacks {', '.join(missing)}"
        raise ExportError(msg)
    rows = candidates.select(_COLUMNS).filter(pc.equal(candidates["reason"].cast(pa.string()), _RANDOMIZED))
    subjects = rows.to_pylist()
    strange = sorted({row["site"] for row in subjects} - set(study.sites))
    strange += sorted({row["arm"] for row in subjects} - {name for name, _ in study.arms})
    if strange:
        msg = f"the study has no site or arm {', '.join(map(repr, strange))}"
        raise ExportError(msg)
    return {
        "ResearchStudy": [_research_study(study)],
        "Group": [_group(study)],
        "Location": [_location(study, name) for name in study.sites],
        "ResearchSubject": [_subject(study, row, patient_reference) for row in subjects],
    }


def write_study(
    folder: Path, study: Study, candidates: pa.Table, *, patient_reference: Callable[[int], str]
) -> list[Path]:
    """Writes the resources as NDJSON, one file a type.

    Args:
        folder: Where; ``ResearchStudy.ndjson`` and the like must not be there yet.
        study: The trial.
        candidates: Its candidates.
        patient_reference: ``Patient/id`` of a patient of the records.

    Returns:
        The files.

    Raises:
        ExportError: A file is there already or cannot be written, or as `study_resources`.
    """
    resources = study_resources(study, candidates, patient_reference=patient_reference)
    files = {kind: folder / f"{kind}.ndjson" for kind, those in resources.items() if those}
    there = [path.name for path in files.values() if path.exists()]
    if there:
        msg = f"{folder} holds {', '.join(there)} already"
        raise ExportError(msg, hint="name another folder, beside the one of the patients")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, path in files.items():
            path.write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in resources[kind]))
    except OSError as error:
        msg = f"cannot write the study to {folder}: {error.strerror}"
        raise ExportError(msg) from error
    return list(files.values())


def _id(study: Study, *parts: object) -> str:
    return str(uuid.uuid5(_NAMESPACE, "\n".join([study.key, *map(str, parts)])))


def _research_study(study: Study) -> Resource:
    return {
        "resourceType": "ResearchStudy",
        "id": _id(study, "study"),
        "text": _narrative(Markup("<p>{}</p><p>{}</p>").format(study.title, study.description)),
        "title": study.title,
        "status": "completed",
        "description": study.description,
        "enrollment": [{"reference": f"Group/{_id(study, 'criteria')}"}],
        "period": {"start": study.start.isoformat(), "end": study.end.isoformat()},
        **_some("site", [{"reference": f"Location/{_id(study, 'site', name)}"} for name in study.sites]),
        **_some(
            "arm",
            [
                {"name": name, "type": {"text": "experimental" if place else "control"}, "description": about}
                for place, (name, about) in enumerate(study.arms)
            ],
        ),
    }


def _group(study: Study) -> Resource:
    """Who may take part; a definition, so it has no members."""
    items = Markup().join(
        Markup("<li>{}: {}{}</li>").format(each.name, "not " if each.is_exclusion else "", each.text)
        for each in study.criteria
    )
    told = Markup("<ol>{}</ol>").format(items) if study.criteria else Markup("<p>Everybody may take part.</p>")
    return {
        "resourceType": "Group",
        "id": _id(study, "criteria"),
        "text": _narrative(told),
        "type": "person",
        "actual": False,
        "name": f"Eligible for: {study.title}",
        **_some(
            "characteristic",
            [
                {"code": {"text": each.name}, "valueCodeableConcept": {"text": each.text}, "exclude": each.is_exclusion}
                for each in study.criteria
            ],
        ),
    }


def _location(study: Study, name: str) -> Resource:
    return {
        "resourceType": "Location",
        "id": _id(study, "site", name),
        "text": _narrative(Markup("<p>{}</p>").format(name)),
        "status": "active",
        "name": name,
        "mode": "instance",
    }


def _subject(study: Study, row: Mapping[str, object], patient_reference: Callable[[int], str]) -> Resource:
    patient, copy, arm, status = row["patient_id"], row["copy"], str(row["arm"]), str(row["status"])
    told = Markup("<p>{}: {}, {}</p>").format(row["site"], arm, status)
    return {
        "resourceType": "ResearchSubject",
        "id": _id(study, "subject", patient, copy),
        "text": _narrative(told),
        "identifier": [{"value": f"{patient}-{copy}"}],
        "status": _STATUS[status],
        "period": {"start": _iso(row["randomized_date"]), "end": _iso(row["end_date"])},
        "study": {"reference": f"ResearchStudy/{_id(study, 'study')}"},
        "individual": {"reference": patient_reference(int(str(patient)))},
        "assignedArm": arm,
        "actualArm": arm,
    }


def _narrative(inside: Markup) -> Resource:
    return {"status": "generated", "div": Markup('<div xmlns="http://www.w3.org/1999/xhtml">{}</div>').format(inside)}


def _some(key: str, values: list[Resource]) -> Resource:
    """FHIR has no empty lists."""
    return {key: values} if values else {}


def _iso(day: object) -> str:
    if not isinstance(day, dt.date):
        msg = f"a randomized candidate has no date: {day!r}"
        raise ExportError(msg)
    return day.isoformat()

"""The resources of a trial: ResearchStudy, Group, Location, and of each who agreed Consent, Encounter, ResearchSubject.

A ResearchSubject of R4 has one status. The states before it stand in an extension of ours that has the parts of R5's
element `ResearchSubject.progress` and the codes of R4. (HL7's extension for that element is the same but for its
address, which validators of R4 without the definitions of R5 refuse.)
"""

import datetime as dt
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa
from markupsafe import Markup

from fhir_export.study.description import Study, SubjectStatus
from fhir_export.templates import META
from trajsim.errors import ExportError

Resource = dict[str, object]

COLUMNS: Final = (
    "patient_id", "copy", "site", "reason", "visit_date", "screening_date", "randomized_date", "arm", "status",
    "end_date",
)  # fmt: skip
"""What the table of candidates must hold: dates and texts; a date is null where nothing happened."""

_NAMESPACE: Final = uuid.UUID("6f1d2a52-4f0b-5d6e-9b0c-7a4c1e35b8d1")
_STUDY_OF: Final = "http://hl7.org/fhir/StructureDefinition/workflow-researchStudy"
_ENROLLED_IN: Final = "urn:trajsim:enrolled-in"  # R4 allows its extension, `_STUDY_OF`, in no Group
_PROGRESS: Final = "urn:trajsim:research-subject-progress"
_STATES: Final = "http://hl7.org/fhir/research-subject-status"
_SCREENED: Final = (SubjectStatus.OFF_STUDY, SubjectStatus.WITHDRAWN)


def study_resources(
    study: Study, candidates: pa.Table, *, patient_reference: Callable[[int], str]
) -> dict[str, list[Resource]]:
    """Makes resources of one replicate.

    Args:
        study: The trial.
        candidates: Its candidates, a row a person, with the columns `COLUMNS`. Those who agreed to take part become
            subjects; `copy` tells apart the people that one patient of the records stands for.
        patient_reference: ``Patient/id`` of a patient of the records, as the export of the patients has it.

    Returns:
        Resources by type. Copies of one patient of the records share the Patient and differ in identifier. Of the two
        Groups one says who may take part; the other, which is missing where nobody was randomized, who did.

    Raises:
        ExportError: The candidates lack a column, left for a reason or were at a site or in an arm that the study does
            not have, or have no date of what happened to them.

    Guarantees:
        The same study and candidates give the same resources, and our gate has nothing to say about them.
        (tests/unit/fhir_export/test_study.py)
    """
    missing = [name for name in COLUMNS if name not in candidates.column_names]
    if missing:
        msg = f"the table of candidates lacks {', '.join(missing)}"
        raise ExportError(msg)
    rows = candidates.select(COLUMNS).to_pylist()
    _require_known(study, rows)
    subjects = [_Subject(study, row, patient_reference) for row in rows if study.endings[row["reason"]] is not None]
    enrolled = [each for each in subjects if each.is_randomized]
    return {
        "ResearchStudy": [_research_study(study)],
        "Group": [_group(study), *([_enrolled(study, enrolled)] if enrolled else [])],
        "Location": [_location(study, name) for name in study.sites],
        "Consent": [each.consent() for each in subjects],
        "Encounter": [each.screening_visit() for each in subjects if each.is_screened],
        "ResearchSubject": [each.research_subject() for each in subjects],
    }


def _require_known(study: Study, rows: list[dict[str, object]]) -> None:
    arms = {name for name, _ in study.arms}
    for what, column, known in (
        ("reason", "reason", set(study.endings)),
        ("site", "site", set(study.sites)),
        ("arm", "arm", arms | {None}),
    ):
        strange = sorted({str(row[column]) for row in rows if row[column] not in known})
        if strange:
            msg = f"the study has no {what} {', '.join(map(repr, strange))}"
            raise ExportError(msg)


def _id(study: Study, *parts: object) -> str:
    return str(uuid.uuid5(_NAMESPACE, "\n".join([study.key, *map(str, parts)])))


def _resource(kind: str, name: str, told: Markup) -> Resource:
    narrative = Markup('<div xmlns="http://www.w3.org/1999/xhtml">{}</div>').format(told)
    return {"resourceType": kind, "id": name, "meta": META, "text": {"status": "generated", "div": narrative}}


def _research_study(study: Study) -> Resource:
    return {
        **_resource(
            "ResearchStudy", _id(study, "study"), Markup("<p>{}</p><p>{}</p>").format(study.title, study.description)
        ),
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
        **_resource("Group", _id(study, "criteria"), told),
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


def _enrolled(study: Study, subjects: "Sequence[_Subject]") -> Resource:
    """The randomized, each Patient once, from the first randomization to the last day of follow-up."""
    periods: dict[str, tuple[str, str]] = {}
    for each in subjects:
        first, last = each.on_study
        before = periods.get(each.patient, (first, last))
        periods[each.patient] = (min(first, before[0]), max(last, before[1]))
    told = Markup("<p>{} randomized in: {}</p>").format(len(periods), study.title)
    return {
        **_resource("Group", _id(study, "enrolled"), told),
        **_belongs_to(study, _ENROLLED_IN),
        "type": "person",
        "actual": True,
        "code": {"text": "Randomized"},
        "name": f"Randomized in: {study.title}",
        "quantity": len(periods),
        "member": [
            {"entity": {"reference": patient}, "period": {"start": first, "end": last}}
            for patient, (first, last) in periods.items()
        ],
    }


def _belongs_to(study: Study, url: str) -> Resource:
    """Names the study, for types that have no element for it."""
    return {"extension": [{"url": url, "valueReference": {"reference": f"ResearchStudy/{_id(study, 'study')}"}}]}


def _location(study: Study, name: str) -> Resource:
    return {
        **_resource("Location", _id(study, "site", name), Markup("<p>{}</p>").format(name)),
        "status": "active",
        "name": name,
        "mode": "instance",
    }


class _Subject:
    """Somebody who agreed to take part."""

    def __init__(self, study: Study, row: Mapping[str, object], patient_reference: Callable[[int], str]) -> None:
        ending = study.endings[str(row["reason"])]
        assert ending is not None  # those who did not agree are no subjects
        self._study, self._row, self._ending = study, row, ending
        self._name = (row["patient_id"], row["copy"])
        self.patient = patient_reference(int(str(row["patient_id"])))
        if (row["randomized_date"] is None) == (ending is SubjectStatus.OFF_STUDY):
            msg = f"a candidate who ended as {ending.value!r} has the randomized_date {row['randomized_date']}"
            raise ExportError(msg)

    @property
    def is_screened(self) -> bool:
        """Whether there was a screening visit."""
        return self._row["screening_date"] is not None

    @property
    def is_randomized(self) -> bool:
        """Whether they were randomized."""
        return self._ending is SubjectStatus.OFF_STUDY

    @property
    def on_study(self) -> tuple[str, str]:
        """Day of randomization and last day of follow-up."""
        return self._day("randomized"), self._day("end")

    def consent(self) -> Resource:
        """What they agreed to, on the day of the visit at which they were asked."""
        day = self._day("visit")
        return {
            **_resource(
                "Consent",
                self._id("consent"),
                Markup("<p>Agreed on {} to take part in: {}</p>").format(day, self._study.title),
            ),
            **_belongs_to(self._study, _STUDY_OF),
            "status": "active",
            "scope": _concept("http://terminology.hl7.org/CodeSystem/consentscope", "research", "Research"),
            "category": [_concept("http://loinc.org", "59284-0", "Consent to take part in a trial")],
            "patient": {"reference": self.patient},
            "dateTime": day,
            "policyRule": _concept(
                "http://terminology.hl7.org/CodeSystem/consentpolicycodes", "cric", "Common Rule Informed Consent"
            ),
        }

    def screening_visit(self) -> Resource:
        """The visit that decided."""
        day, site = self._day("screening"), str(self._row["site"])
        return {
            **_resource(
                "Encounter", self._id("screening"), Markup("<p>Screening visit on {}, {}</p>").format(day, site)
            ),
            **_belongs_to(self._study, _STUDY_OF),
            "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "type": [{"text": "Screening visit of a trial"}],
            "subject": {"reference": self.patient},
            "period": {"start": day, "end": day},
            "location": [{"location": {"reference": f"Location/{_id(self._study, 'site', site)}"}}],
        }

    def research_subject(self) -> Resource:
        """How far they came."""
        arm, why = self._row["arm"], self._why()
        told = Markup("<p>{}: {}</p>").format(self._row["site"], why if arm is None else f"{arm}, {why}")
        history = list(self._history())
        _, _, last = history[-1]
        period = {"start": self._day("visit"), **({} if last is None else {"end": last})}
        return {
            **_resource("ResearchSubject", self._id("subject"), told),
            "extension": [self._state(*state) for state in history[:-1]] + [self._final_state(history[-1][1])],
            "identifier": [{"value": "-".join(map(str, self._name))}],
            "status": self._ending.value,
            "period": period,
            "study": {"reference": f"ResearchStudy/{_id(self._study, 'study')}"},
            "individual": {"reference": self.patient},
            **({} if arm is None else {"assignedArm": arm, "actualArm": arm}),
            "consent": {"reference": f"Consent/{self._id('consent')}"},
        }

    def _history(self) -> Iterator[tuple[str, str | None, str | None]]:
        """States in order: code, first day, and last day (of the final state the first, if it is known)."""
        screened = self._day("screening") if self.is_screened else None
        yield "candidate", self._day("visit"), screened
        if self._ending in _SCREENED:
            randomized = None if self._row["randomized_date"] is None else self._day("randomized")
            yield "eligible", self._day("screening"), randomized
        if self._ending is SubjectStatus.OFF_STUDY:
            yield "on-study", self._day("randomized"), self._day("end")
            yield self._ending.value, self._day("end"), self._day("end")
        else:
            known = screened if self._ending is SubjectStatus.INELIGIBLE else None
            yield self._ending.value, known, known

    def _state(self, code: str, first: str | None, last: str | None) -> Resource:
        return _progress(code, startDate=first, endDate=last)

    def _final_state(self, since: str | None) -> Resource:
        return _progress(self._ending.value, reason=self._why(), startDate=since)

    def _why(self) -> str:
        """What ended it: of the randomized what ended follow-up, of the others why they left."""
        return str(self._row["reason"] if self._row["status"] is None else self._row["status"])

    def _id(self, what: str) -> str:
        return _id(self._study, what, *self._name)

    def _day(self, what: str) -> str:
        value = self._row[f"{what}_date"]
        if not isinstance(value, dt.date):
            msg = f"a candidate who left as {self._row['reason']!r} has no {what}_date"
            raise ExportError(msg)
        return value.isoformat()


def _progress(code: str, *, reason: str | None = None, **days: str | None) -> Resource:
    """One state, in the form of the extension."""
    parts: list[Resource] = [
        {"url": "subjectState", "valueCodeableConcept": {"coding": [{"system": _STATES, "code": code}]}}
    ]
    parts += [] if reason is None else [{"url": "reason", "valueCodeableConcept": {"text": reason}}]
    parts += [{"url": name, "valueDateTime": day} for name, day in days.items() if day is not None]
    return {"url": _PROGRESS, "extension": parts}


def _concept(system: str, code: str, text: str) -> Resource:
    return {"coding": [{"system": system, "code": code}], "text": text}


def _some(key: str, values: list[Resource]) -> Resource:
    """FHIR has no empty lists."""
    return {key: values} if values else {}

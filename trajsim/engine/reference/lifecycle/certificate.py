"""The certificate of a death that a module caused (docs/draws.md 10.9)."""

from trajsim.engine.events import (
    SOURCE_CERTIFICATE_ENCOUNTER,
    SOURCE_CERTIFICATE_OBSERVATION,
    SOURCE_CERTIFICATE_REPORT,
    STREAM_CERTIFICATE,
    EncounterClass,
    EventKind,
    ValueKind,
)
from trajsim.engine.reference.patient import Patient
from trajsim.gmf.model import Code

_NO_CAUSE = -1


def certify(patient: Patient) -> None:
    """Writes the certificate, if a module's death took effect within the run and has a cause."""
    time = patient.death
    if not patient.is_killed or time >= patient.options.end_ms:
        return
    log = patient.log
    cause = [row.ref for row in log.rows if row.kind == EventKind.DEATH][-1]
    if cause == _NO_CAUSE:
        return
    stream = STREAM_CERTIFICATE
    visit = patient.write(
        EventKind.ENCOUNTER, time, ref=cause, tag=EncounterClass.WELLNESS,
        source=SOURCE_CERTIFICATE_ENCOUNTER, stream=stream,
    )  # fmt: skip
    code = patient.catalogue.code_index(_code_of(patient, cause))
    observation = patient.write(
        EventKind.OBSERVATION, time, value=float(code), tag=ValueKind.CODE,
        source=SOURCE_CERTIFICATE_OBSERVATION, stream=stream,
    )  # fmt: skip
    report = patient.write(EventKind.REPORT, time, value=1.0, source=SOURCE_CERTIFICATE_REPORT, stream=stream)
    log.rows[observation].ref = report
    for event in (visit, observation, report):
        log.rows[event].encounter = visit
    kind = EventKind.ENCOUNTER_END
    patient.write(kind, time, ref=visit, source=SOURCE_CERTIFICATE_ENCOUNTER, stream=stream)


def _code_of(patient: Patient, cause: int) -> Code:
    """The first code of a cause of death."""
    if cause <= -2:
        return patient.catalogue.codes[-2 - cause]
    return patient.catalogue.sources[patient.log.rows[cause].state].codes[0]

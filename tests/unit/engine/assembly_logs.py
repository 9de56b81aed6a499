"""One module with a state of every kind that writes rows, and logs of it: written by hand, or at random."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.events import EVENT_DTYPE, SOURCE_INSURANCE, STREAM_INSURANCE, Catalogue, EventKind
from trajsim.gmf import model as gmf
from trajsim.lifecycle.tables import insurance_plans
from trajsim.population.cohort import NEVER_MS, AttributeColumn, Cohort
from trajsim.units import DAY_MS, HOUR_MS

MODULE = "clinic"
END_MS = 400 * DAY_MS


def snomed(code: str, display: str = "") -> gmf.Code:
    return gmf.Code("SNOMED-CT", code, display or f"thing {code}")


def loinc(code: str) -> gmf.Code:
    return gmf.Code("LOINC", code, f"lab {code}")


def rxnorm(code: str) -> gmf.Code:
    return gmf.Code("RxNorm", code, f"drug {code}")


def _body(code: str, *, category: str = "laboratory", unit: str | None = "mg/dL") -> gmf.ObservationBody:
    return gmf.ObservationBody(codes=(loinc(code),), category=category, unit=unit)


_STATES = (
    gmf.Initial(name="Initial"),
    gmf.Encounter(name="Visit", codes=(snomed("10"),), encounter_class="ambulatory"),
    gmf.Encounter(name="Visit two codes", codes=(snomed("11"), snomed("12")), encounter_class="inpatient"),
    gmf.EncounterEnd(name="Leave"),
    gmf.EncounterEnd(name="Leave home", discharge_disposition=gmf.Code("NUBC", "01", "Home")),
    gmf.ConditionOnset(name="Ill", codes=(snomed("20"),)),
    gmf.ConditionOnset(name="Ill too", codes=(snomed("20"), snomed("21"))),
    gmf.ConditionEnd(name="Well", condition_onset="Ill"),
    gmf.AllergyOnset(
        name="Itch",
        codes=(snomed("30"),),
        allergy_type="intolerance",
        category="food",
        reactions=(
            gmf.Reaction(snomed("31"), (gmf.Severity("mild", 1.0),)),
            gmf.Reaction(snomed("32"), (gmf.Severity("severe", 1.0),)),
        ),
    ),
    gmf.AllergyEnd(name="No itch", allergy_onset="Itch"),
    gmf.MedicationOrder(name="Drug", codes=(rxnorm("40"),)),
    gmf.MedicationOrder(
        name="Drug as needed", codes=(rxnorm("40"), rxnorm("41")), prescription={"as_needed": True}, chronic=True
    ),
    gmf.MedicationEnd(name="Stop drug", medication_order="Drug"),
    gmf.CarePlanStart(name="Plan", codes=(snomed("50"),), activities=(snomed("51"),), goals=({"text": "walk"},)),
    gmf.CarePlanStart(
        name="Plan more",
        codes=(snomed("50"), snomed("52")),
        activities=(snomed("51"), snomed("53")),
        goals=({"text": "run"},),
    ),
    gmf.CarePlanEnd(name="Stop plan", careplan="Plan"),
    gmf.Procedure(name="Operation", codes=(snomed("60"), snomed("61"))),
    gmf.Observation(name="Measure", body=_body("70")),
    gmf.Observation(name="Ask", body=_body("71", category="survey", unit=None)),
    gmf.MultiObservation(
        name="Panel", codes=(loinc("72"),), category="vital-signs", observations=(_body("73"), _body("74"))
    ),
    gmf.DiagnosticReport(name="Report", codes=(loinc("75"),), observations=(_body("76"), _body("77"))),
    gmf.Vaccine(name="Shot", codes=(gmf.Code("CVX", "140", "flu"),), series=2),
    gmf.Device(name="Pump", code=snomed("80"), manufacturer="Acme", model="X1"),
    gmf.Device(name="Stick", code=snomed("81")),
    gmf.DeviceEnd(name="No pump", device="Pump"),
    gmf.SupplyList(name="Supplies", supplies=(gmf.Supply(2.0, snomed("90")), gmf.Supply(7.0, snomed("91")))),
    gmf.ImagingStudy(
        name="Scan",
        procedure_code=snomed("95"),
        series=(
            gmf.ImagingSeries(
                snomed("96", "chest"),
                gmf.Code("DICOM-DCM", "DX", "X-ray"),
                (gmf.ImagingInstance("front", gmf.Code("DICOM-SOP", "1.2.3", "image storage")),),
            ),
            gmf.ImagingSeries(snomed("97", "hand"), gmf.Code("DICOM-DCM", "CT", "tomography")),
        ),
    ),
    gmf.Death(name="Die", codes=(snomed("99"),)),
    gmf.SetAttribute(name="Words", attribute="words", value="less than 1,8"),
    gmf.Terminal(name="Terminal"),
)


def clinic() -> gmf.ModuleSet:
    """The module and a second, empty one, so that there are two streams."""
    module = gmf.Module(key=MODULE, name="Clinic", states={state.name: state for state in _STATES})
    other = gmf.Module(key="other", name="Other", states={"Initial": gmf.Initial(name="Initial")})
    return gmf.ModuleSet(modules={MODULE: module, "other": other}, tables={})


def clinic_catalogue() -> Catalogue:
    return Catalogue(clinic())


def people(n: int, *, birth_ms: NDArray[np.int64] | None = None) -> Cohort:
    """A cohort that says what the table `patients` needs."""

    def text(*words: str) -> AttributeColumn:
        return AttributeColumn(kind="text", values=(np.arange(n) % len(words)).astype(np.int32), categories=words)

    return Cohort(
        patient_id=np.arange(n, dtype=np.uint64) * np.uint64(3) + np.uint64(5),
        birth_ms=np.zeros(n, np.int64) if birth_ms is None else birth_ms,
        death_ms=np.full(n, NEVER_MS),
        attributes={
            "gender": text("F", "M"),
            "race": text("white", "black"),
            "ethnicity": text("hispanic"),
            "income": AttributeColumn(kind="integer", values=np.full(n, 50_000)),
        },
        identity={
            "given_name": np.array([f"Ann {k}" for k in range(n)], object),
            "city": np.array(["Town"] * n, object),
        },
    )


@dataclass
class Log:
    """The log of one patient, written event by event."""

    catalogue: Catalogue
    module: int = 2
    rows: list[tuple[int, float, int, int, int, int, int, int, int]] = field(default_factory=list)

    def add(
        self,
        kind: EventKind,
        state: str,
        time: int,
        *,
        child: int = -1,
        encounter: int = -1,
        ref: int = -1,
        value: float = 0.0,
        tag: int = 0,
    ) -> int:
        """Appends an event; returns its index."""
        source = 5 if state == "@" else self.catalogue.state_index(MODULE, state) + 1 + child
        return self.add_source(kind, source, time, encounter=encounter, ref=ref, value=value, tag=tag)

    def add_source(
        self,
        kind: EventKind,
        source: int,
        time: int,
        *,
        encounter: int = -1,
        ref: int = -1,
        value: float = 0.0,
        tag: int = 0,
    ) -> int:
        """Appends an event of any source."""
        ordinal = sum(row[6] == self.module for row in self.rows)
        self.rows.append((time, value, source, encounter, ref, ordinal, self.module, int(kind), tag))
        return len(self.rows) - 1

    def events(self) -> NDArray[np.void]:
        return np.array(self.rows, EVENT_DTYPE)


_ENTRIES = {
    EventKind.CONDITION: ("Ill", "Ill too"),
    EventKind.ALLERGY: ("Itch",),
    EventKind.MEDICATION: ("Drug", "Drug as needed"),
    EventKind.CAREPLAN: ("Plan", "Plan more"),
    EventKind.PROCEDURE: ("Operation",),
    EventKind.DEVICE: ("Pump", "Stick"),
}
_ENDS = {
    EventKind.CONDITION_END: "Well",
    EventKind.ALLERGY_END: "No itch",
    EventKind.MEDICATION_END: "Stop drug",
    EventKind.CAREPLAN_END: "Stop plan",
    EventKind.DEVICE_END: "No pump",
}
_AGAIN = {
    EventKind.CONDITION: EventKind.CONDITION_AGAIN,
    EventKind.ALLERGY: EventKind.ALLERGY_AGAIN,
    EventKind.MEDICATION: EventKind.MEDICATION_AGAIN,
    EventKind.CAREPLAN: EventKind.CAREPLAN_AGAIN,
}


class RandomLog:
    """A log that keeps the rules of docs/draws.md, section 7, and nothing else."""

    def __init__(self, catalogue: Catalogue, rng: np.random.Generator) -> None:
        self.log = Log(catalogue)
        self._rng = rng
        self._time = 0
        self._encounters: list[int] = []
        self._entries: list[tuple[int, EventKind]] = []
        self._insured = 0

    def events(self, n_actions: int) -> NDArray[np.void]:
        """Does something so many times."""
        actions = (
            self._begin, self._leave, self._entry, self._entry, self._end, self._again, self._renew, self._observe,
            self._panel, self._point, self._scan, self._coerce, self._insure,
        )  # fmt: skip
        for _ in range(n_actions):
            self._time += int(self._rng.integers(-2, 40)) * DAY_MS + int(self._rng.integers(HOUR_MS))
            self.log.module = int(self._rng.integers(2, 4))
            actions[int(self._rng.integers(len(actions)))]()
        for _ in range(int(self._rng.integers(3))):
            self._die()
        return self.log.events()

    def _one(self, *names: str) -> str:
        return names[int(self._rng.integers(len(names)))]

    def _in(self) -> int:
        return int(self._rng.choice(self._encounters)) if self._encounters else -1

    def _reason(self) -> int:
        choice = int(self._rng.integers(3))
        if choice == 0 and self._entries:
            return self._entries[int(self._rng.integers(len(self._entries)))][0]
        return -1 if choice == 1 else -2 - int(self._rng.integers(len(self.log.catalogue.codes)))

    def _begin(self) -> None:
        at = self.log.add(
            EventKind.ENCOUNTER, self._one("Visit", "Visit two codes"), self._time,
            encounter=len(self.log.rows), ref=self._reason(), tag=int(self._rng.integers(10)),
        )  # fmt: skip
        self._encounters.append(at)

    def _leave(self) -> None:
        if self._encounters:
            self.log.add(EventKind.ENCOUNTER_END, self._one("Leave", "Leave home", "Visit"), self._time, ref=self._in())

    def _entry(self) -> None:
        kind = list(_ENTRIES)[int(self._rng.integers(len(_ENTRIES)))]
        reason = self._reason() if kind in (EventKind.MEDICATION, EventKind.CAREPLAN, EventKind.PROCEDURE) else -1
        tag = int(self._rng.integers(4)) if kind is EventKind.MEDICATION else 0
        if kind is EventKind.CAREPLAN and reason >= 0:
            tag = int(self._rng.integers(2))
        value = float(self._rng.integers(0, 3 * HOUR_MS)) if kind is EventKind.PROCEDURE else 0.0
        at = self.log.add(
            kind, self._one(*_ENTRIES[kind]), self._time, encounter=self._in(), ref=reason, value=value, tag=tag
        )
        self._entries.append((at, kind))
        self._react(kind, at)

    def _react(self, kind: EventKind, entry: int) -> None:
        if kind is EventKind.ALLERGY:
            for reaction in range(2):
                if self._rng.random() < 0.5:
                    tag = int(self._rng.integers(1, 4))
                    self.log.add(EventKind.REACTION, "Itch", self._time, ref=entry, value=float(reaction), tag=tag)

    def _end(self) -> None:
        if self._entries:
            kind = list(_ENDS)[int(self._rng.integers(len(_ENDS)))]
            entry = self._entries[int(self._rng.integers(len(self._entries)))][0]
            self.log.add(kind, _ENDS[kind], self._time, ref=entry)

    def _again(self) -> None:
        known = [(at, kind) for at, kind in self._entries if kind in _AGAIN]
        if not known:
            return
        at, kind = known[int(self._rng.integers(len(known)))]
        has_reason = kind in (EventKind.MEDICATION, EventKind.CAREPLAN)
        value = self._reason() if has_reason else 0
        tag = int(self._rng.integers(2)) if kind is EventKind.MEDICATION else 0
        if kind is EventKind.CAREPLAN and value >= 0:
            tag = int(self._rng.integers(2))
        self.log.add(_AGAIN[kind], self._one(*_ENTRIES[kind]), self._time, ref=at, value=float(value), tag=tag)
        self._react(kind, at)

    def _renew(self) -> None:
        """A wellness visit ends a medication and starts it anew, in the stream and state of the old entry."""
        old = [at for at, kind in self._entries if kind is EventKind.MEDICATION]
        if old:
            entry = int(self._rng.choice(old))
            self.log.add(EventKind.MEDICATION_END, "Visit", self._time, ref=entry)
            _, _, source, _, ref, _, module, _, _ = self.log.rows[entry]
            self.log.module = module
            at = self.log.add_source(EventKind.MEDICATION, source, self._time, encounter=self._in(), ref=ref, tag=1)
            self._entries.append((at, EventKind.MEDICATION))

    def _value(self) -> tuple[float, int]:
        tag = int(self._rng.integers(5))
        value = (
            0.0,
            float(self._rng.choice([1.5, -3.0, np.inf, np.nan, 0.0])),
            float(self._rng.integers(len(self.log.catalogue.codes))),
            float(self._rng.integers(len(self.log.catalogue.strings))),
            float(self._rng.integers(2)),
        )[tag]
        return value, tag

    def _observe(self) -> None:
        value, tag = self._value()
        self.log.add(
            EventKind.OBSERVATION, self._one("Measure", "Ask"), self._time, encounter=self._in(), value=value, tag=tag
        )

    def _panel(self) -> None:
        state = self._one("Panel", "Report")
        kind = EventKind.MULTI_OBSERVATION if state == "Panel" else EventKind.REPORT
        encounter, parent = self._in(), len(self.log.rows) + 2
        for child in range(2):
            value, tag = self._value()
            self.log.add(
                EventKind.OBSERVATION, state, self._time,
                child=child, encounter=encounter, ref=parent, value=value, tag=tag,
            )  # fmt: skip
        self.log.add(kind, state, self._time, encounter=encounter, value=2.0)

    def _point(self) -> None:
        if self._rng.random() < 0.5:
            self.log.add(EventKind.IMMUNIZATION, "Shot", self._time, encounter=self._in(), value=2.0)
        else:
            child = int(self._rng.integers(2))
            self.log.add(EventKind.SUPPLY, "Supplies", self._time, child=child, encounter=self._in(), value=2.5)

    def _scan(self) -> None:
        encounter = self._in()
        n_series = int(self._rng.integers(3))
        study = self.log.add(EventKind.IMAGING, "Scan", self._time, encounter=encounter, value=float(n_series))
        for series in range(n_series):
            n_images = float(self._rng.integers(1, 9))
            self.log.add(EventKind.SERIES, "Scan", self._time, child=series, ref=study, value=n_images, tag=series)
        at = self.log.add(EventKind.PROCEDURE, "Scan", self._time, encounter=encounter, value=1_800_000.0)
        self._entries.append((at, EventKind.PROCEDURE))

    def _coerce(self) -> None:
        self.log.add(EventKind.COERCED, "Measure", self._time, tag=int(self._rng.integers(1, 11)))

    def _insure(self) -> None:
        self._insured = max(self._insured, self._time)  # insurance never goes back in time
        plan = float(self._rng.integers(-1, len(insurance_plans())))
        self.log.module = STREAM_INSURANCE
        self.log.add_source(EventKind.COVERAGE, SOURCE_INSURANCE, self._insured, value=plan)

    def _die(self) -> None:
        time = self._time - int(self._rng.integers(-100, 300)) * DAY_MS
        self.log.add(EventKind.DEATH, self._one("Die", "@"), time, ref=self._reason())


def random_logs(
    catalogue: Catalogue, *, seed: int, n_patients: int, n_actions: int
) -> tuple[NDArray[np.void], NDArray[np.int64], Cohort]:
    """Logs, offsets and patients, some of whose first events lie before birth."""
    rng = np.random.default_rng(seed)
    logs = [RandomLog(catalogue, rng).events(int(rng.integers(n_actions + 1))) for _ in range(n_patients)]
    offsets = np.r_[0, np.cumsum([len(log) for log in logs])].astype(np.int64)
    births = rng.integers(-5 * DAY_MS, 30 * DAY_MS, n_patients)
    empty = np.zeros(0, EVENT_DTYPE)
    return np.concatenate([empty, *logs]), offsets, people(n_patients, birth_ms=births)

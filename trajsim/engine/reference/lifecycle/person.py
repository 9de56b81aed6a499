"""What the parts of the lifecycle know about a patient, and how they write attributes."""

from dataclasses import dataclass, field

from trajsim.engine.events import EventKind
from trajsim.engine.reference.health_record import Entry
from trajsim.engine.reference.lifecycle.draws import Draws
from trajsim.engine.reference.patient import Patient, StoredValue
from trajsim.engine.reference.quantities import age_months, age_years
from trajsim.lifecycle.profile import Lifecycle as Profile

# Attributes that the lifecycle sets and notes itself: set also where no module mentions them.
INPUTS = frozenset({"smoker", "unemployed"})


@dataclass(kw_only=True, eq=False)
class Person:
    """A patient as the lifecycle sees it; what is fixed at birth is a field.

    Attributes:
        patient: The patient that the modules see.
        draws: Their keyed draws.
        mentioned: Attributes that some module mentions.
        sex: F or M.
        is_black: Whether the race is black.
        state: US state at birth, empty if none.
        income: USD a year.
        occupation_level: 0 ... 1.
        unemployment: Probability of the county.
        unseen: What the lifecycle would have set, had anybody been able to see it.
    """

    patient: Patient
    draws: Draws
    mentioned: frozenset[str]
    sex: str
    is_black: bool
    state: str
    income: float
    occupation_level: float
    unemployment: float
    unseen: dict[str, StoredValue | None] = field(default_factory=dict)

    @property
    def is_default(self) -> bool:
        """Whether the plain bugs of Synthea are repaired."""
        return self.patient.options.lifecycle == Profile.DEFAULT

    @property
    def birth(self) -> int:
        """Time of birth."""
        return self.patient.birth

    def years(self, time: int) -> int:
        """Age in whole years."""
        return age_years(self.birth, time)

    def months(self, time: int) -> int:
        """Age in whole months."""
        return age_months(self.birth, time)

    # --- attributes -----------------------------------------------------------------------------------------------

    def set(self, name: str, value: StoredValue | None) -> None:
        """Sets (None: removes) an attribute, if anybody can see it."""
        if name in self.mentioned or name in INPUTS:
            self.patient.set_attribute(name, value)
        else:
            self.unseen[name] = value

    def get(self, name: str) -> StoredValue | None:
        """An attribute that the lifecycle sets, whether or not anybody can see it."""
        return self.patient.attributes.get(name, self.unseen.get(name))

    def is_true(self, name: str) -> bool:
        """Whether an attribute is the boolean true."""
        return self.patient.attributes.get(name) is True

    def number(self, name: str) -> float | None:
        """An attribute that is a number, else None."""
        value = self.patient.attributes.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    # --- record ---------------------------------------------------------------------------------------------------

    def entry(self, code: str, kind: EventKind) -> Entry | None:
        """What is present under a code, if it is of a kind."""
        entry = self.patient.record.present.get(code)
        return entry if entry is not None and entry.kind == kind else None

    def takes(self, code: str) -> bool:
        """Whether a medication is active."""
        return self.entry(code, EventKind.MEDICATION) is not None


def person_of(patient: Patient, mentioned: frozenset[str], unemployment: float) -> Person:
    """The person at birth."""
    given = patient.attributes

    def number(name: str) -> float:
        value = given.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0

    state = given.get("state")
    return Person(
        patient=patient,
        draws=Draws(patient.options.seed, patient.patient_id),
        mentioned=mentioned,
        sex="M" if given.get("gender") == "M" else "F",
        is_black=given.get("race") == "black",
        state=state if isinstance(state, str) else "",
        income=number("income"),
        occupation_level=number("occupation_level"),
        unemployment=unemployment,
    )

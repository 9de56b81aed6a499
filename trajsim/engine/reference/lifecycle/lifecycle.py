"""The lifecycle of one patient: what happens beside the modules, step by step (docs/draws.md 10)."""

from trajsim.engine.reference.frames import Visit
from trajsim.engine.reference.lifecycle.blood_pressure import BloodPressure
from trajsim.engine.reference.lifecycle.body import Body
from trajsim.engine.reference.lifecycle.covid import Covid
from trajsim.engine.reference.lifecycle.habits import Habits
from trajsim.engine.reference.lifecycle.immunizations import Immunizations
from trajsim.engine.reference.lifecycle.insurance import Insurance
from trajsim.engine.reference.lifecycle.mentions import Mentions
from trajsim.engine.reference.lifecycle.momentary import Momentary
from trajsim.engine.reference.lifecycle.notes import take_notes
from trajsim.engine.reference.lifecycle.person import person_of
from trajsim.engine.reference.lifecycle.signs import Signs
from trajsim.engine.reference.lifecycle.weight_management import WeightManagement
from trajsim.engine.reference.patient import Patient

# The core turn comes before the first module whose key follows this one, where Synthea's own module stands.
CORE_AFTER = "COVID-19 Immunization Module"


class Lifecycle:
    """Everything that happens to a patient beside the modules."""

    def __init__(self, patient: Patient, mentions: Mentions, unemployment: float) -> None:
        """At birth.

        Args:
            patient: The newborn, with the attributes of the cohort.
            mentions: Which attributes modules can see.
            unemployment: Probability of the county.
        """
        self._patient = patient
        self._mentions = mentions
        self._person = person = person_of(patient, mentions.anywhere, unemployment)
        self.insurance = Insurance(person)
        self.immunizations = Immunizations(person)
        self.body = Body(person)
        self.management = WeightManagement(person, self.body)
        self.pressure = BloodPressure(person)
        self.signs = Signs(person, self.body, self.pressure)
        self._covid = Covid(person)
        self._habits = Habits(person)
        self._momentary = Momentary(person, self.body, self.signs, self.pressure, self.insurance)

    def begin_step(self, time: int) -> None:
        """Before everything else of a step."""
        self.insurance.begin_step(time)

    def visit(self, time: int) -> None:
        """An encounter that the encounter module has just created."""
        self.immunizations.visit(time)

    def turn(self, time: int) -> None:
        """The core turn of a step."""
        self._covid.turn(time)
        self._habits.turn(time)
        self.body.grow(time, is_managed=self.management.is_active)
        self.signs.notes = take_notes(self._person)
        self._take_signs_back()
        self.pressure.note_hypertension()
        self.management.turn(time)
        self.signs.turn = time

    def _take_signs_back(self) -> None:
        """What modules have set is theirs no longer."""
        signs = self._patient.signs
        for sign in [sign for sign in signs if self.signs.is_mine(sign)]:
            del signs[sign]

    def vital_sign(self, sign: str, time: int) -> float | None:
        """A sign that no module has set, not rounded; None if the lifecycle does not set it either."""
        return self.signs.read(sign, time) if self.signs.is_mine(sign) else None

    def begin_state(self, visit: Visit) -> None:
        """A state begins to be run, or its submodule is finished."""
        self._momentary.write(self._mentions.by_source[visit.source])

    @property
    def hidden_attributes(self) -> frozenset[str]:
        """Attributes that `Life` does not show: they are written only when they are looked at."""
        return self._momentary.names

"""One patient while the reference interpreter runs: attributes, draws, lock, symptoms, log."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trajsim.engine.events import Catalogue, Coercion, EventKind
from trajsim.engine.life import AttributeValue, EntryRef, Placeholder, Series
from trajsim.engine.options import SimulationOptions
from trajsim.engine.reference.frames import Frame
from trajsim.engine.reference.health_record import Entry, HealthRecord, Log
from trajsim.engine.reference.observer import ConditionTest, Observer
from trajsim.engine.reference.quantities import age_decimal_years, sample, uniform_between
from trajsim.gmf.expression import VITAL_SIGN_NAMES, Node, Value, evaluate
from trajsim.gmf.model import Code, Distribution, ModuleSet, Range
from trajsim.population.cohort import Cohort
from trajsim.streams.ints import keyed_uniform, uniform
from trajsim.streams.keys import stream_id

if TYPE_CHECKING:
    from trajsim.engine.reference.learned import Learned
    from trajsim.engine.reference.lifecycle.lifecycle import Lifecycle

StoredValue = float | int | bool | str | Code | Entry | Placeholder | Series

_SIGN_DECIMALS = {
    "Systolic Blood Pressure": 0,
    "Diastolic Blood Pressure": 0,
    "Heart Rate": 0,
    "Respiration Rate": 0,
    "Height": 1,
    "Weight": 1,
}
_OTHER_SIGN_DECIMALS = 2


def rounded_sign(name: str, value: float) -> float:
    """A vital sign as it is read: rounded half up to the decimals of the sign."""
    scale = 10.0 ** _SIGN_DECIMALS.get(name, _OTHER_SIGN_DECIMALS)
    return float(math.floor(value * scale + 0.5)) / scale


@dataclass(slots=True)
class SymptomValue:
    """What one top-level module last said about one symptom."""

    value: int
    is_addressed: bool = False


@dataclass(kw_only=True, eq=False)
class Patient:
    """Everything that a life depends on and everything that it has become so far.

    Attributes:
        lock: Key of the top-level module that holds the encounter lock, ``@encounters``, or None.
        wellness_used: By top-level module: whether it has used the current visit. Absent after an EncounterEnd.
        frames: Frames of running submodules by file.
        module: Key of the top-level module that runs.
        stream: Index of its stream.
        source: Catalogue index of the state that runs.
        reads: How many generator-backed vital signs this run of the state has read.
        lifecycle: What happens beside the modules; None in a run without.
        learned: A learned model that states are bound to; None in a run without.
    """

    modules: ModuleSet
    catalogue: Catalogue
    cohort: Cohort
    options: SimulationOptions
    observer: Observer | None
    patient_id: int
    birth: int
    death: int
    attributes: dict[str, StoredValue]
    is_killed: bool = False
    log: Log = field(default_factory=Log)
    record: HealthRecord = field(default_factory=HealthRecord)
    lock: str | None = None
    wellness_used: dict[str, bool] = field(default_factory=dict)
    frames: dict[str, Frame] = field(default_factory=dict)
    symptoms: dict[str, dict[str, SymptomValue]] = field(default_factory=dict)
    treated_symptom_total: int = 0
    signs: dict[str, float | Distribution] = field(default_factory=dict)
    module: str = ""
    stream: int = 0
    source: int = 0
    reads: int = 0
    lifecycle: "Lifecycle | None" = None
    learned: "Learned | None" = None
    tests: list[ConditionTest] = field(default_factory=list)
    _drawn: dict[int, int] = field(default_factory=dict)
    _coerced: set[int] = field(default_factory=set)

    # --- life -----------------------------------------------------------------------------------------------------

    def is_dead(self, time: int) -> bool:
        """Whether the patient is dead at a time."""
        return time >= self.death

    # --- log ------------------------------------------------------------------------------------------------------

    def write(
        self,
        kind: EventKind,
        time: int,
        *,
        attached: bool = False,
        ref: int = -1,
        value: float = 0.0,
        tag: int = 0,
        source: int | None = None,
        stream: int | None = None,
    ) -> int:
        """Writes a row for the state that runs (or another source); `attached`: to the current encounter."""
        return self.log.write(
            kind,
            time=time,
            state=self.source if source is None else source,
            stream=self.stream if stream is None else stream,
            encounter=self.record.current_encounter(time).event if attached else -1,
            ref=ref,
            value=value,
            tag=tag,
        )

    def coerce(self, what: Coercion, time: int) -> None:
        """Notes a case in which Synthea loses the person; once a source."""
        if self.source not in self._coerced:
            self._coerced.add(self.source)
            self.write(EventKind.COERCED, time, tag=what)

    # --- draws ----------------------------------------------------------------------------------------------------

    def uniform(self) -> float:
        """The next uniform of the running module's stream."""
        number = self.catalogue.stream_ids[self.stream]
        n = self._drawn.get(number, 0)
        self._drawn[number] = n + 1
        return uniform(self.options.seed, self.patient_id, number, n)

    def draw(self, distribution: Distribution) -> float:
        """A value of a distribution; one uniform, none for EXACT."""
        return sample(distribution, 0.0 if distribution.kind == "EXACT" else self.uniform())

    def draw_range(self, limits: Range) -> float:
        """A uniform in a range."""
        return uniform_between(limits.low, limits.high, self.uniform())

    # --- attributes -----------------------------------------------------------------------------------------------

    def set_attribute(self, name: str, value: StoredValue | None) -> None:
        """Sets an attribute; None removes it."""
        if value is None:
            self.attributes.pop(name, None)
        else:
            self.attributes[name] = value

    def published_attributes(self) -> dict[str, AttributeValue]:
        """The attributes as `Life` shows them."""
        return {
            name: EntryRef(value.event, int(value.kind)) if isinstance(value, Entry) else value
            for name, value in self.attributes.items()
            if self.lifecycle is None or name not in self.lifecycle.hidden_attributes
        }

    # --- symptoms -------------------------------------------------------------------------------------------------

    def symptom(self, name: str) -> int:
        """The largest unresolved value of a symptom, or 0."""
        return max([0, *(given.value for given in self.symptoms.get(name, {}).values() if not given.is_addressed)])

    def symptom_total(self) -> int:
        """The sum over all symptoms."""
        return sum(self.symptom(name) for name in self.symptoms)

    # --- vital signs ----------------------------------------------------------------------------------------------

    def vital_sign(self, name: str, time: int) -> float | None:
        """Reads a vital sign, rounded; None and a coercion if it is not set."""
        given = self.signs.get(name)
        if given is None:
            given = self._unset_sign(name, time)
        if given is None:
            self.coerce(Coercion.VITAL_SIGN_UNSET, time)
            return None
        if isinstance(given, Distribution):
            module = self.catalogue.stream_ids[self.stream]
            words = (stream_id(f"vital:{name}"), time, module, self.reads)
            self.reads += 1
            given = sample(given, keyed_uniform(self.options.seed, self.patient_id, *words))
        return rounded_sign(name, given)

    def _unset_sign(self, name: str, time: int) -> float | None:
        """A vital sign that no module has set: of the lifecycle or, in a run without, a constant of the cohort."""
        if self.lifecycle is None:
            return self.cohort.vital_signs.get(name)
        return self.lifecycle.vital_sign(name, time)

    # --- expressions ----------------------------------------------------------------------------------------------

    def expression(self, tree: Node, time: int) -> Value:
        """The value of an expression, None for null."""

        def resolve(name: str, kind: str) -> Value:
            del kind  # the letter of the kind converts nothing here: values have their kinds
            if name == "age":
                return age_decimal_years(self.birth, time)
            sign = VITAL_SIGN_NAMES.get(name.lower())
            if sign is not None:
                return self.vital_sign(sign, time)
            value = self.attributes.get(name)
            if isinstance(value, bool | str | float):
                return value
            if isinstance(value, int):
                return float(value)
            self.coerce(Coercion.COMPARISON, time)
            return None

        return evaluate(tree, resolve, lambda: self.coerce(Coercion.COMPARISON, time))

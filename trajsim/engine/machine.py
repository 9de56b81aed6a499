"""One patient record and its buffers: what a thread needs to run lives, and what it does when a life must stop.

The virtual machine stops in the middle of a life when a buffer is full; the buffer grows, and the life goes on as if
nothing had happened.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.compile_lifecycle import place_of_state
from trajsim.engine.events import EVENT_DTYPE, FIRST_MODULE_STREAM
from trajsim.engine.kernels.vm import run_chunk
from trajsim.engine.lifecycle_slots import PROFILE_NUMBERS
from trajsim.engine.opcodes import ExitStatus, Tag
from trajsim.engine.options import SimulationOptions
from trajsim.engine.program import ENCOUNTER_DTYPE, LOG_DTYPE, Program, patient_dtype
from trajsim.engine.tile import NO_TILE
from trajsim.errors import ConfigError, EngineFault
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.cohort import Cohort

PERSON_DTYPE = np.dtype(
    [
        ("birth", np.int64),
        ("death", np.int64),
        ("patient", np.uint64),
        # what the lifecycle reads of the cohort
        ("sex", np.int64),  # 0 F, 1 M
        ("black", np.int64),
        ("place", np.int64),  # row of the Medicaid table, -1 none
        ("income", np.float64),
        ("occupation", np.float64),
        ("unemployment", np.float64),
    ],
    align=True,
)
_KIND_TAGS = {"number": Tag.NUMBER, "integer": Tag.INTEGER, "boolean": Tag.BOOLEAN, "text": Tag.STRING}


class Inputs:
    """A cohort in the form that the kernels take."""

    def __init__(self, program: Program, cohort: Cohort) -> None:
        """Fills arrays for the attributes and signs that some module mentions."""
        n = len(cohort)
        self.people = np.zeros(n, dtype=PERSON_DTYPE).view(np.recarray)
        self.people.patient = cohort.patient_id
        self.people.birth = cohort.birth_ms
        self.people.death = cohort.death_ms
        self._lifecycle(cohort)
        columns = [
            (program.attribute_index[name], column)
            for name, column in cohort.attributes.items()
            if name in program.attribute_index
        ]
        self.slots = np.array([slot for slot, _ in columns], dtype=np.int64)
        self.tags = np.array([int(_KIND_TAGS[column.kind]) for _, column in columns], dtype=np.int64)
        self.values = np.zeros((n, len(columns)), dtype=np.float64)
        for position, (_, column) in enumerate(columns):
            if column.kind == "text":
                indexes = np.array([_text_index(program, text) for text in column.categories], dtype=np.float64)
                self.values[:, position] = indexes[column.values]
            else:
                self.values[:, position] = column.values
        constants = cohort.vital_signs.items() if program.lifecycle is Lifecycle.NONE else ()
        signs = [(program.signs.index(name), value) for name, value in constants if name in program.signs]
        self.sign_slots = np.array([slot for slot, _ in signs], dtype=np.int64)
        self.sign_values = np.array([value for _, value in signs], dtype=np.float64)

    def _lifecycle(self, cohort: Cohort) -> None:
        people = self.people
        people.sex = _as_text(cohort, "gender", {"M": 1}, 0)
        people.black = _as_text(cohort, "race", {"black": 1}, 0)
        places = cohort.attributes["state"].categories if "state" in cohort.attributes else ()
        people.place = _as_text(cohort, "state", {name: place_of_state(name) for name in places}, -1)
        people.income = _as_number(cohort, "income")
        people.occupation = _as_number(cohort, "occupation_level")
        people.unemployment = cohort.parameters.get("unemployment_probability", 0.0)


def _as_text(cohort: Cohort, name: str, meanings: Mapping[str, int], absent: int) -> NDArray[np.int64] | int:
    """Numbers that stand for the texts of a column."""
    column = cohort.attributes.get(name)
    if column is None or column.kind != "text":
        return absent
    table = np.array([meanings.get(text, absent) for text in column.categories], dtype=np.int64)
    numbers: NDArray[np.int64] = table[column.values]
    return numbers


def _as_number(cohort: Cohort, name: str) -> NDArray[np.float64] | float:
    column = cohort.attributes.get(name)
    if column is None or column.kind not in ("number", "integer"):
        return 0.0
    return column.values.astype(np.float64)


def _text_index(program: Program, text: str) -> int:
    if text not in program.string_index:
        msg = f"the program was compiled without the text {text!r}, which an attribute of the cohort holds"
        raise ConfigError(msg, hint="compile with texts=cohort.texts()")
    return program.string_index[text]


class Machine:
    """One patient record and its buffers: what one thread needs to run lives, one after the other.

    Attributes:
        events: The event buffer; grows when a life needs more.
    """

    def __init__(
        self,
        program: Program,
        options: SimulationOptions,
        *,
        logging: bool = False,
        rows: int = 1 << 16,
        polling: bool = False,
    ) -> None:
        """Makes the buffers. A machine that is `polling` runs every module in every step: slower, the same lives."""
        self.program = program
        self.record = new_records(program, options, 1, logging=logging, polling=polling)
        rows = max(rows, 2 * int(program.header[0].max_rows))
        self.events = np.zeros(rows, dtype=EVENT_DTYPE).view(np.recarray)
        self.encounters = np.zeros(1024, dtype=ENCOUNTER_DTYPE).view(np.recarray)
        self.log = np.zeros(1 << 16 if logging else 1, dtype=LOG_DTYPE).view(np.recarray)

    def run(self, inputs: Inputs, first: int, last: int, offsets: NDArray[np.int64]) -> int:
        """Runs patients from `first`; returns how far it came (with a visit log, one patient at a time).

        Raises:
            EngineFault: A module spun, or submodules nest too deep.
            ConfigError: An answer of the learned model is not a number.
        """
        position = first
        while position < last:
            code, reached = run_chunk(
                *self.program.arrays, self.record, self.events.reshape(1, -1), self.encounters.reshape(1, -1),
                self.log.reshape(1, -1), inputs.people, offsets, inputs.slots, inputs.tags, inputs.values,
                inputs.sign_slots, inputs.sign_values, position, last, *NO_TILE,
            )  # fmt: skip
            status, position = ExitStatus(code), int(reached)
            if status == ExitStatus.FULL:
                self._grow()
            elif status != ExitStatus.DONE:
                self._fault(status)
            elif self.record[0].logging:
                return position
        return position

    def _grow(self) -> None:
        """Doubles whatever is (nearly) full; the life goes on where it stopped."""
        x = self.record[0]
        if len(self.events) - x.e0 - x.n_events < self.program.header[0].max_rows:
            self.events = _doubled(self.events)
        if len(self.encounters) - x.n_encounters < 8:
            self.encounters = _doubled(self.encounters)
        if x.logging and len(self.log) - x.n_log < 128:
            self.log = _doubled(self.log)

    def _fault(self, status: ExitStatus) -> None:
        x = self.record[0]
        x.phase = -1
        if status == ExitStatus.NO_NUMBER:
            msg = f"{status.sentence} for patient {int(x.patient_low) | int(x.patient_high) << 32}"
            raise ConfigError(msg, hint="the checkpoint holds parameters that overflow; train it again")
        raise fault_of(self.program, x, status)


def new_records(
    program: Program, options: SimulationOptions, n: int, *, logging: bool = False, polling: bool = False
) -> np.recarray:
    """Records of n patients who are not born yet.

    Raises:
        ConfigError: The program was compiled for another lifecycle.
    """
    if options.lifecycle is not program.lifecycle:
        msg = f"the program was compiled with lifecycle {program.lifecycle}, the run asks for {options.lifecycle}"
        raise ConfigError(msg, hint="compile with lifecycle=options.lifecycle")
    records = np.zeros(n, dtype=patient_dtype(program.capacity)).view(np.recarray)
    records.seed_low = options.seed & 0xFFFFFFFF
    records.seed_high = options.seed >> 32
    records.end = options.end_ms
    records.step = options.time_step_ms
    records.budget = options.step_budget
    records.logging = int(logging)
    records.polling = int(polling)
    records.profile = PROFILE_NUMBERS[options.lifecycle]
    records.phase = -1
    return records


def fault_of(program: Program, x: np.record, status: ExitStatus) -> EngineFault:
    """The error of a life that could not go on."""
    source = program.catalogue.sources[int(x.state)]
    top = program.catalogue.streams[int(x.mi) + FIRST_MODULE_STREAM]
    return EngineFault(
        status.sentence,
        module=source.module if source.module == top else f"{top} > {source.module}",
        state=source.state,
        patient_id=int(x.patient_low) | int(x.patient_high) << 32,
        time_ms=int(x.t),
        hint="let time pass in the cycle (a Delay), or leave it by a condition that becomes true",
    )


def _doubled(array: NDArray[np.void]) -> np.recarray:
    grown = np.zeros(2 * len(array), dtype=array.dtype)
    grown[: len(array)] = array
    return grown.view(np.recarray)

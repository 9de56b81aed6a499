"""The compiled form of a set of modules: flat structured arrays that one machine-code image runs.

All layouts are constants of the package; only the contents depend on the modules. A patient is one record whose
integers lie in one nested array (`w`) and whose floats lie in another (`f`); the header says where each section
begins. Capacities are part of the machine-code type, so there are two classes of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.events import EVENT_DTYPE, Catalogue
from trajsim.errors import CompileError
from trajsim.gmf.model import ModuleSet
from trajsim.lifecycle.profile import Lifecycle
from trajsim.trajectory_model import TrajectoryModel

STACK_DEPTH = 64
COUNTERS = 8
EXPRESSION_DEPTH = 128
MOST_POINTS = 64  # of a growth trajectory
MOST_VACCINES = 64
MOST_DOSES = 512

HEADER_DTYPE = np.dtype(
    [
        (name, np.int64)
        for name in (
            "n_streams",  # reserved streams first, then top-level modules
            "n_modules",
            "n_files",
            "n_attributes",
            "n_codes",
            "n_texts",
            "n_symptoms",
            "n_symptom_slots",
            "n_signs",
            "n_watched",
            "n_words",  # used length of w
            "n_floats",  # used length of f
            "max_rows",  # most events one state can write
            # sections of w
            "w_draws",
            "w_ordinals",
            "w_done",
            "w_wake",
            "w_mask",
            "w_flag",
            "w_current",
            "w_due",
            "w_exit",
            "w_ran",
            "w_earliest",
            "w_prior_seq",
            "w_prior_exit",
            "w_pending",
            "w_attribute",
            "w_present",
            "w_present_name",
            "w_present_seq",
            "w_chronic",
            "w_chronic_name",
            "w_resolved",
            "w_sign",
            "w_sign_state",
            "w_watched",
            "w_watched_tag",
            "w_coerced",
            # sections of f
            "f_attribute",
            "f_symptom",
            "f_sign",
            "f_watched",
            # sections of the integer heap Z
            "z_module_file",
            "z_file_initial",
            "z_file_prior",
            "z_file_pending",
            "z_stream_number",
            "z_code_hash",
            "z_string_rank",
            "z_string_fold",
            "z_symptom_slot",
            "z_symptom_range",
            "z_sign_decimals",
            "z_sign_number",
            "z_code_text",
            # the lifecycle
            "core_position",  # the module before which the core turn comes
            "z_life_slot",
            "z_life_text",
            "z_sign_life",
            "d_bounds",
            "d_charts",
            "d_correlation",
            "d_toddlers_f",
            "n_toddlers_f",
            "d_toddlers_m",
            "n_toddlers_m",
            "d_lengths_f",
            "n_lengths_f",
            "d_lengths_m",
            "n_lengths_m",
            "n_drugs",
            "z_drugs",
            "d_drugs",
            "n_a1c",
            "z_a1c",
            "d_a1c",
            "lifestyle",
            "n_vaccines",
            "z_vaccines",
            "z_schedule",
            "n_covid_days",
            "d_covid",
            "d_covid_shares",
            "covid_text",
            "n_disabilities",
            "z_disabilities",
            "d_medicaid",
            "n_plans",
            "d_plans",
            # a learned model (section 11 of docs/draws.md); all 0 without one
            "model",
            "suspends",  # whether a life stops where the model is asked
            "m_events",
            "m_visit",  # position of the visit, -1 none
            "m_death",
            "m_pieces",
            "m_values",
            "m_components",
            "m_standing",  # most events that can be waited for at once
            "m_refresh",
            "m_min_age",
            "m_stream",
            "n_inputs",
            "n_offset",
            "d_offset",  # hazards of death that modules have already: F, then M; -1 none
            "d_values",
            "z_values",
            "z_inputs",
            "z_pieces",
            "z_parts",  # where the parts of its formula begin in Z, and where the last one ends
            "n_formula",
            "d_formula",
            "f_formula",
            "z_bound_events",
            "z_bound_labs",
            "z_standing",
            "z_standing_file",
            "w_kind",
            "w_since",
            "w_fire",
            "w_by",
            "w_target",
            "w_goal",
            "w_now",
            "w_fresh",
            "w_measured",
            "f_threshold",
            "f_integral",
            "f_hazard",
            "f_value",
            "f_log",
            "f_co",
            "f_panel",
            "f_weight",
            "f_mean",
            "f_scale",
        )
    ],
    align=True,
)

STATE_DTYPE = np.dtype(
    [
        ("mask", np.int64),  # guard: slots that can change its condition
        ("tu", np.int64),  # time unit in ms
        ("tf", np.float64),  # factor before truncation
        ("p0", np.float64),
        ("p1", np.float64),
        ("p2", np.float64),
        ("p3", np.float64),
        ("q", np.float64),  # second number: probability
        ("file", np.int32),
        ("name", np.int32),
        ("code", np.int32),
        ("prior", np.int32),  # slot of the PriorState memory, or -1
        ("o0", np.int32),  # first option, or direct target
        ("o1", np.int32),
        ("table", np.int32),
        ("a", np.int32),
        ("b", np.int32),
        ("c", np.int32),
        ("d", np.int32),
        ("e", np.int32),
        ("assign", np.int32),
        ("op", np.uint8),
        ("tk", np.uint8),
        ("dk", np.uint8),
        ("rounds", np.uint8),
        ("decimals", np.int8),
        ("tag", np.uint8),
        ("mode", np.uint8),
        ("timed", np.uint8),
        ("mentions", np.uint8),  # Mention flags: what the lifecycle writes when the state runs
    ],
    align=True,
)

OPTION_DTYPE = np.dtype(
    [
        ("p", np.float64),
        ("next", np.int32),
        ("condition", np.int32),  # entry node, -1 always true
        ("attribute", np.int32),  # named probability, -1 literal
        ("d0", np.int32),  # nested distributed range
        ("d1", np.int32),
    ],
    align=True,
)

NODE_DTYPE = np.dtype(
    [
        ("f", np.float64),
        ("a", np.int32),
        ("b", np.int32),
        ("jt", np.int32),  # next node if true; -1 true, -2 false
        ("jf", np.int32),
        ("op", np.uint8),
        ("cmp", np.uint8),
        ("tag", np.uint8),
    ],
    align=True,
)

TABLE_DTYPE = np.dtype(
    [
        ("n_keys", np.int32),
        ("keys", np.int32),  # Z: per key column (attribute slot, offset of its category list)
        ("groups", np.int32),  # Z: dense category index -> group offset, -1 none
        ("targets", np.int32),  # Z: states in CSV column order
        ("n_targets", np.int32),
        ("defaults", np.int32),  # first option (JSON order)
    ],
    align=True,
)

ENCOUNTER_DTYPE = np.dtype(
    [
        ("start", np.int64),
        ("event", np.int32),
        ("klass", np.uint8),
        ("open", np.uint8),
    ],
    align=True,
)

LOG_DTYPE = np.dtype(
    [("time", np.int64), ("state", np.int32), ("file", np.int32), ("module", np.int16), ("kind", np.uint8)], align=True
)


@dataclass(frozen=True)
class Capacity:
    """One capacity class of a patient record: words of integers and of floats."""

    words: int
    floats: int


CAPACITIES = (Capacity(32_768, 4_096), Capacity(262_144, 32_768))


def capacity_for(words: int, floats: int) -> Capacity:
    """The smallest class of records that holds so much.

    Raises:
        CompileError: None does.
    """
    for capacity in CAPACITIES:
        if words <= capacity.words and floats <= capacity.floats:
            return capacity
    largest = CAPACITIES[-1]
    most = f"{largest.words} and {largest.floats}"
    msg = f"these modules need {words} words and {floats} floats a patient, more than {most}"
    raise CompileError(msg, hint="run fewer modules at once (--modules)")


def sections(header: np.record, sizes: Mapping[str, int], *, start: int = 0) -> int:
    """Notes where the sections of a record begin; returns where the last one ends."""
    for name, size in sizes.items():
        header[name] = start
        start += size
    return start


# Integers of a life that are not per module, attribute or code.
_WORDS = (
    "birth",
    "birth_year",
    "birth_month",
    "birth_day",
    "end",
    "step",
    "death",
    "background",
    "t",
    "last",
    "phase",
    "mi",
    "sp",
    "resume",
    "spent",
    "budget",
    "state",
    "seq",
    "reads",
    "dirty_now",
    "dirty_prev",
    "owner",
    "renewed",
    "wellness_start",
    "next_wellness",
    "symptom_stored",
    "n_chronic",
    "present_size",
    "present_capacity",
    "e0",
    "n_events",
    "n_encounters",
    "n_open",
    "n_log",
    "logging",
    "exit",
    "via_history",
    "symptom_total",
    "block_wake",
    "block_mask",
    "poll",
    "polling",
    # the lifecycle
    "profile",
    "core_due",
    "turn",
    "life_wake",
    "last_months",
    "overridden",
    "sex",
    "black",
    "place",
    "plan",
    "insured_until",
    "habits",
    "married",
    "smoking_stop",
    "drinking_stop",
    "employment_due",
    "employment_tries",
    "jobless",
    "severe",
    "note_severity",
    "note_ckd",
    "note_flags",
    "covid_status",
    "covid_date",
    "covid_vaccine",
    "covid_last",
    "covid_tries",
    "n_points",
    "managed",
    "managed_since",
    "managed_child",
    "adherent",
    "lasting",
    "time_at_20",
    # a learned model
    "m_question",
    "m_at",
    "m_time",
    "m_step",
    "m_domain",
    "m_next",
    "m_first",
    "m_read",
    "m_visit_fire",
    "m_draws",
)

_FLOATS = (
    "income",
    "occupation",
    "unemployment",
    "height_percentile",
    "weight_percentile",
    "head_percentile",
    "height",
    "weight",
    "bmi",
    "head",
    "weight_before",
    "loss",
    "percentile_before",
    "weight_at_20",
    "note_a1c",
    "covid_chance",
    "m_visit_threshold",
    "m_visit_integral",
)


def patient_dtype(capacity: Capacity) -> np.dtype[np.void]:
    """Layout of one patient while the life runs."""
    keys: list[tuple[str, Any]] = [
        (name, np.uint64) for name in ("seed_low", "seed_high", "patient_low", "patient_high")
    ]
    words: list[tuple[str, Any]] = [(name, np.int64) for name in _WORDS]
    words += [(name, np.float64) for name in _FLOATS]
    nested = [
        ("stack_file", np.int64, (STACK_DEPTH,)),
        ("stack_time", np.int64, (STACK_DEPTH,)),
        ("counters", np.int64, (COUNTERS,)),
        ("operand_tag", np.int64, (EXPRESSION_DEPTH,)),
        ("operand", np.float64, (EXPRESSION_DEPTH,)),
        ("point_months", np.int64, (MOST_POINTS,)),
        ("point_time", np.int64, (MOST_POINTS,)),
        ("point_bmi", np.float64, (MOST_POINTS,)),
        ("dose_count", np.int64, (MOST_VACCINES,)),
        ("dose_months", np.int64, (MOST_DOSES,)),
        ("w", np.int64, (capacity.words,)),
        ("f", np.float64, (capacity.floats,)),
    ]
    return np.dtype([*keys, *words, *nested], align=True)


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """A compiled set of modules.

    The arrays are those that the kernels take, in this order: header, states, options, nodes, tables, Z (integer
    heap), D (float heap). The rest serves Python: names for messages, and the slots that cohort columns fill.
    """

    modules: ModuleSet
    catalogue: Catalogue
    header: NDArray[np.void]
    states: NDArray[np.void]
    options: NDArray[np.void]
    nodes: NDArray[np.void]
    tables: NDArray[np.void]
    integers: NDArray[np.int64]
    floats: NDArray[np.float64]
    strings: tuple[str, ...]  # the catalogue's strings first
    string_index: dict[str, int]
    attributes: tuple[str, ...]
    signs: tuple[str, ...]
    file_keys: tuple[str, ...]
    series: tuple[tuple[tuple[float, ...], float], ...]
    capacity: Capacity
    lifecycle: Lifecycle = Lifecycle.NONE
    attribute_index: dict[str, int] = field(default_factory=dict)
    bound_events: tuple[str, ...] = ()  # named by Delays, in the order of their numbers
    bound_labs: tuple[str, ...] = ()
    standing: tuple[int, ...] = ()  # by file: the most events that one of its Delays is bound to
    model: TrajectoryModel | None = None

    @property
    def suspends(self) -> bool:
        """Whether a life stops where it needs the model, so that many must be under way at once."""
        return bool(self.header[0].suspends)

    @property
    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """The kernel arguments."""
        return (self.header, self.states, self.options, self.nodes, self.tables, self.integers, self.floats)


__all__ = [
    "CAPACITIES",
    "COUNTERS",
    "ENCOUNTER_DTYPE",
    "EVENT_DTYPE",
    "EXPRESSION_DEPTH",
    "HEADER_DTYPE",
    "LOG_DTYPE",
    "NODE_DTYPE",
    "OPTION_DTYPE",
    "STACK_DEPTH",
    "STATE_DTYPE",
    "TABLE_DTYPE",
    "Capacity",
    "Program",
    "capacity_for",
    "patient_dtype",
    "sections",
]

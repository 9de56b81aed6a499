"""The passes over event logs that find out what became of every row: kept or not, when it stopped, what it refers to.

Everything that depends on other files (event kinds, sources, streams, lengths of encounters) comes in as an array, so
that machine code in the cache never goes stale when those files change.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.streams.jit import jit

ROLE_IGNORED: Final = 0
ROLE_ENCOUNTER: Final = 1
ROLE_ENCOUNTER_END: Final = 2
ROLE_ENTRY: Final = 3
ROLE_MEDICATION: Final = 4
ROLE_CAREPLAN: Final = 5
ROLE_PROCEDURE: Final = 6
ROLE_END: Final = 7
ROLE_AGAIN: Final = 8
ROLE_MEDICATION_AGAIN: Final = 9
ROLE_CAREPLAN_AGAIN: Final = 10
ROLE_OBSERVATION: Final = 11
ROLE_PARENT: Final = 12
ROLE_POINT: Final = 13
ROLE_STUDY: Final = 14
ROLE_SERIES: Final = 15
ROLE_DEATH: Final = 16
ROLE_REACTION: Final = 17

NO_TABLE: Final = 255
OPEN: Final = np.iinfo(np.int64).min  # stop of an entry that is not ended; births before 1970 make -1 a real time
NEVER: Final = np.iinfo(np.int64).max

TALLY_AFTER_DEATH: Final = 0
TALLY_BEFORE_BIRTH: Final = 1
TALLY_CLIPPED: Final = 2
TALLY_BACKWARD: Final = 3
TALLY_MOVED: Final = 4
TALLY_LATE_DEATH: Final = 5
N_TALLIES: Final = 6

# One event as the assembly sees it. The keys are row keys; `reason` is >= 0 for a source, <= -2 for a code.
DETAIL_DTYPE = np.dtype(
    [
        ("key", np.uint64),
        ("encounter_key", np.uint64),
        ("reason_key", np.uint64),
        ("parent_key", np.uint64),
        ("stop", np.int64),
        ("reason", np.int32),
        ("n_children", np.int32),
        # another source: of the latest order that has a prescription (medication), of the end that has a disposition
        # (encounter), of the study (series)
        ("other", np.int32),
        ("stop_kind", np.uint8),  # kind of the END that set the stop, or 0
        ("parent_is_report", np.uint8),
        ("tag", np.uint8),
        ("table", np.uint8),
        ("is_noted", np.uint8),  # whether an event that may extend its lists was noted
    ],
    align=True,
)


class Rules(NamedTuple):
    """What the numbers in a log mean to the assembly; the same for all logs of a run.

    Only `resolve` takes it: a tuple of arrays that is handed from function to function costs more than all the work.

    Attributes:
        roles: Role by event kind.
        tables: Number of the table by event kind, NO_TABLE for kinds that write no row.
        streams: Philox stream number by `module`.
        lists: By source; equal numbers mean equal lists of codes, activities and goals.
        prescribes: By source: whether it is an order with a prescription.
        discharges: By source: whether it is an EncounterEnd with a disposition.
        visits: By source: whether it is an Encounter (one that ends a medication renews it in the next event).
        lengths: Default length of an encounter in ms by class.
        chronic: Bit of a medication's tag.
        administered: Bit of a medication's tag.
    """

    roles: NDArray[np.uint8]
    tables: NDArray[np.uint8]
    streams: NDArray[np.uint64]
    lists: NDArray[np.int32]
    prescribes: NDArray[np.bool_]
    discharges: NDArray[np.bool_]
    visits: NDArray[np.bool_]
    lengths: NDArray[np.int64]
    chronic: int
    administered: int


@jit
def find_deaths(
    events: NDArray[np.void],
    offsets: NDArray[np.int64],
    roles: NDArray[np.uint8],
    end_ms: int,
    deaths: NDArray[np.int64],
    tallies: NDArray[np.int64],
) -> None:
    """Writes the index within the chunk of each patient's death (the last of the log), -1 where alive at the end."""
    for patient in range(len(offsets) - 1):
        deaths[patient] = -1
        for i in range(offsets[patient + 1] - 1, offsets[patient] - 1, -1):
            if roles[events[i]["kind"]] == ROLE_DEATH:
                if events[i]["time"] >= end_ms:
                    tallies[TALLY_LATE_DEATH] += 1
                else:
                    deaths[patient] = i
                break


@jit
def _latest_procedure(
    events: NDArray[np.void],
    details: NDArray[np.void],
    roles: NDArray[np.uint8],
    lo: int,
    upto: int,
    encounter: int,
) -> int:
    """Latest stop of the procedures attached to an encounter among the events lo ... upto - 1; OPEN if none."""
    latest = OPEN
    for i in range(lo + encounter, upto):
        if roles[events[i]["kind"]] == ROLE_PROCEDURE and events[i]["encounter"] == encounter:
            latest = max(latest, details[i]["stop"])
    return latest


@jit
def _end_encounter(
    events: NDArray[np.void],
    details: NDArray[np.void],
    procedures: NDArray[np.int64],
    lo: int,
    i: int,
    discharges: NDArray[np.bool_],
) -> None:
    """Sets the stop of an encounter that is ended by event i, and its discharge."""
    e = lo + events[i]["ref"]
    details[e]["stop"] = max(details[e]["stop"], events[i]["time"], procedures[e])
    if discharges[events[i]["state"]]:
        details[e]["other"] = events[i]["state"]


@jit
def _end_entry(
    events: NDArray[np.void],
    details: NDArray[np.void],
    procedures: NDArray[np.int64],
    roles: NDArray[np.uint8],
    lo: int,
    i: int,
) -> None:
    """Sets the stop of an entry that is ended by event i; the latest end counts."""
    entry = lo + events[i]["ref"]
    details[entry]["stop"] = events[i]["time"]
    details[entry]["stop_kind"] = events[i]["kind"]
    encounter = events[entry]["encounter"]
    if roles[events[entry]["kind"]] == ROLE_PROCEDURE and encounter >= 0:
        procedures[lo + encounter] = _latest_procedure(events, details, roles, lo, i, encounter)


@jit
def _begin(
    events: NDArray[np.void],
    details: NDArray[np.void],
    i: int,
    role: int,
    lengths: NDArray[np.int64],
    prescribes: NDArray[np.bool_],
    administered: int,
) -> None:
    """First stop, reason and flags of a row."""
    time = events[i]["time"]
    if role == ROLE_ENCOUNTER:
        details[i]["stop"] = time + lengths[events[i]["tag"]]
        details[i]["reason"] = events[i]["ref"]
    elif role == ROLE_PROCEDURE:
        details[i]["stop"] = time + np.int64(events[i]["value"])
        details[i]["reason"] = events[i]["ref"]
    elif role == ROLE_MEDICATION:
        if events[i]["tag"] & administered:
            details[i]["stop"] = time
        details[i]["reason"] = events[i]["ref"]
        if prescribes[events[i]["state"]]:
            details[i]["other"] = events[i]["state"]
    elif role in (ROLE_CAREPLAN, ROLE_DEATH):
        details[i]["reason"] = events[i]["ref"]


@jit
def _again(
    events: NDArray[np.void],
    details: NDArray[np.void],
    lo: int,
    i: int,
    role: int,
    prescribes: NDArray[np.bool_],
    chronic: int,
) -> None:
    """What a repeated order adds to its entry: the first reason there is, the latest prescription, chronic."""
    entry = lo + events[i]["ref"]
    if details[entry]["reason"] == -1:
        details[entry]["reason"] = np.int32(events[i]["value"])
    if role == ROLE_MEDICATION_AGAIN:
        details[entry]["tag"] |= events[i]["tag"] & chronic
        if prescribes[events[i]["state"]]:
            details[entry]["other"] = events[i]["state"]


@jit
def _renew(
    events: NDArray[np.void],
    details: NDArray[np.void],
    roles: NDArray[np.uint8],
    lo: int,
    i: int,
    visits: NDArray[np.bool_],
) -> bool:
    """Lets a renewed medication inherit from the entry that the event before it ended; whether its lists had grown."""
    if i == lo or roles[events[i - 1]["kind"]] != ROLE_END or not visits[events[i - 1]["state"]]:
        return False
    old = lo + events[i - 1]["ref"]
    details[i]["reason"] = details[old]["reason"]
    details[i]["other"] = details[old]["other"]
    return bool(details[old]["is_noted"])


@jit
def _merges(
    events: NDArray[np.void],
    lo: int,
    i: int,
    role: int,
    lists: NDArray[np.int32],
) -> bool:
    """Whether event i may extend the lists (codes, activities, goals, reactions) of an entry."""
    if role == ROLE_REACTION:
        return True
    if role == ROLE_CAREPLAN:
        return bool(events[i]["tag"] == 1 and events[i]["ref"] >= 0)
    if role == ROLE_CAREPLAN_AGAIN and events[i]["tag"] == 1 and events[i]["value"] >= 0:
        return True
    if role in (ROLE_AGAIN, ROLE_MEDICATION_AGAIN, ROLE_CAREPLAN_AGAIN):
        return bool(lists[events[i]["state"]] != lists[events[lo + events[i]["ref"]]["state"]])
    return False


@jit
def _resolve_log(
    events: NDArray[np.void],
    details: NDArray[np.void],
    lo: int,
    hi: int,
    roles: NDArray[np.uint8],
    streams: NDArray[np.uint64],
    lists: NDArray[np.int32],
    prescribes: NDArray[np.bool_],
    discharges: NDArray[np.bool_],
    visits: NDArray[np.bool_],
    lengths: NDArray[np.int64],
    chronic: int,
    administered: int,
    procedures: NDArray[np.int64],
    merges: NDArray[np.int64],
    n_merges: int,
) -> int:
    """First pass over one log, in order: what later events say about earlier ones.

    Returns how many merges are noted.
    """
    for i in range(lo, hi):
        role = roles[events[i]["kind"]]
        details[i]["key"] = (streams[events[i]["module"]] << np.uint64(32)) | np.uint64(events[i]["ordinal"])
        details[i]["encounter_key"] = np.uint64(0)
        details[i]["reason_key"] = np.uint64(0)
        details[i]["parent_key"] = np.uint64(0)
        details[i]["parent_is_report"] = 0
        details[i]["stop"] = OPEN
        details[i]["reason"] = -1
        details[i]["stop_kind"] = 0
        details[i]["n_children"] = 0
        details[i]["other"] = -1
        details[i]["tag"] = events[i]["tag"]
        details[i]["is_noted"] = 0
        _begin(events, details, i, role, lengths, prescribes, administered)
        if role == ROLE_ENCOUNTER_END:
            _end_encounter(events, details, procedures, lo, i, discharges)
        elif role == ROLE_ENCOUNTER:
            procedures[i] = OPEN
        elif role == ROLE_PROCEDURE and events[i]["encounter"] >= 0:
            e = lo + events[i]["encounter"]
            procedures[e] = max(procedures[e], details[i]["stop"])
        elif role == ROLE_END:
            _end_entry(events, details, procedures, roles, lo, i)
        elif role in (ROLE_MEDICATION_AGAIN, ROLE_CAREPLAN_AGAIN):
            _again(events, details, lo, i, role, prescribes, chronic)
        if role == ROLE_MEDICATION:
            is_noted = _renew(events, details, roles, lo, i, visits)
        else:
            is_noted = _merges(events, lo, i, role, lists)
        if is_noted:
            merges[n_merges] = i
            n_merges += 1
            entry = i if role in (ROLE_MEDICATION, ROLE_CAREPLAN) else lo + events[i]["ref"]
            details[entry]["is_noted"] = 1
    return n_merges


@jit
def _keep_log(
    events: NDArray[np.void],
    details: NDArray[np.void],
    lo: int,
    hi: int,
    roles: NDArray[np.uint8],
    tables: NDArray[np.uint8],
    birth: int,
    death: int,
    death_event: int,
    replacement: NDArray[np.int32],
    tallies: NDArray[np.int64],
) -> int:
    """Second pass: which rows lie within the life, and where rows of a dropped encounter go.

    Returns the first kept encounter.
    """
    last_encounter = -1
    first_encounter = -1
    for i in range(lo, hi):
        role = roles[events[i]["kind"]]
        table = tables[events[i]["kind"]]
        if table != NO_TABLE and role != ROLE_DEATH:
            if events[i]["time"] > death:
                tallies[TALLY_AFTER_DEATH] += 1
                table = np.uint8(NO_TABLE)
            elif events[i]["time"] < birth:
                tallies[TALLY_BEFORE_BIRTH] += 1
                table = np.uint8(NO_TABLE)
        elif role == ROLE_DEATH:
            if i == death_event:
                details[i]["stop"] = death
            else:
                table = np.uint8(NO_TABLE)
        details[i]["table"] = table
        if role == ROLE_ENCOUNTER:
            if table != NO_TABLE:
                last_encounter = i - lo
                if first_encounter < 0:
                    first_encounter = i - lo
            replacement[i] = last_encounter
        if details[i]["stop"] != OPEN:
            if details[i]["stop"] > death:
                tallies[TALLY_CLIPPED] += table != NO_TABLE
                details[i]["stop"] = death
            if details[i]["stop"] < events[i]["time"]:
                tallies[TALLY_BACKWARD] += table != NO_TABLE
                details[i]["stop"] = events[i]["time"]
    return first_encounter


@jit
def _link_log(
    events: NDArray[np.void],
    details: NDArray[np.void],
    lo: int,
    hi: int,
    roles: NDArray[np.uint8],
    first_encounter: int,
    replacement: NDArray[np.int32],
    tallies: NDArray[np.int64],
) -> None:
    """Third pass: indexes become keys of rows that are kept."""
    for i in range(lo, hi):
        if details[i]["table"] == NO_TABLE:
            continue
        role = roles[events[i]["kind"]]
        e = events[i]["encounter"]
        if role == ROLE_SERIES:
            e = events[lo + events[i]["ref"]]["encounter"]
        if e >= 0:
            kept = replacement[lo + e]
            if kept < 0:
                kept = first_encounter
            tallies[TALLY_MOVED] += kept != e
            if kept >= 0:
                details[i]["encounter_key"] = details[lo + kept]["key"]
        reason = details[i]["reason"]
        if reason >= 0:
            if details[lo + reason]["table"] != NO_TABLE:
                details[i]["reason_key"] = details[lo + reason]["key"]
            details[i]["reason"] = events[lo + reason]["state"]
        if role == ROLE_OBSERVATION and events[i]["ref"] >= 0:
            parent = lo + events[i]["ref"]
            if details[parent]["table"] != NO_TABLE:
                details[i]["parent_key"] = details[parent]["key"]
                details[i]["parent_is_report"] = details[parent]["table"] != details[i]["table"]
                details[parent]["n_children"] += 1
        elif role == ROLE_SERIES:
            details[i]["parent_key"] = details[lo + events[i]["ref"]]["key"]
            details[i]["other"] = events[lo + events[i]["ref"]]["state"]


@jit
def resolve(
    events: NDArray[np.void],
    offsets: NDArray[np.int64],
    birth_ms: NDArray[np.int64],
    deaths: NDArray[np.int64],
    rules: Rules,
    details: NDArray[np.void],
    procedures: NDArray[np.int64],
    replacement: NDArray[np.int32],
    merges: NDArray[np.int64],
    counts: NDArray[np.int64],
    tallies: NDArray[np.int64],
) -> int:
    """Fills `details` for all events of a chunk.

    Args:
        events: Logs of the chunk, one after the other.
        offsets: Patient p has events offsets[p] ... offsets[p + 1] - 1.
        birth_ms: Birth by patient.
        deaths: From `find_deaths`.
        rules: What the numbers mean.
        details: Out: what became of every event.
        procedures: Scratch, one an event: latest stop of the procedures of an encounter so far.
        replacement: Scratch, one an event: the encounter that takes the place of one that is dropped.
        merges: Out: events that may extend the lists of an entry, in order.
        counts: Out: rows by patient and table.
        tallies: Out: what was dropped or moved.

    Returns:
        How many entries of `merges` are set.
    """
    n_merges = 0
    for patient in range(len(offsets) - 1):
        lo, hi, death = offsets[patient], offsets[patient + 1], NEVER
        if deaths[patient] >= 0:
            death = max(events[deaths[patient]]["time"], birth_ms[patient])
        n_merges = _resolve_log(
            events, details, lo, hi, rules.roles, rules.streams, rules.lists, rules.prescribes, rules.discharges,
            rules.visits, rules.lengths, rules.chronic, rules.administered, procedures, merges, n_merges,
        )  # fmt: skip
        first = _keep_log(
            events, details, lo, hi, rules.roles, rules.tables, birth_ms[patient], death, deaths[patient], replacement,
            tallies,
        )  # fmt: skip
        _link_log(events, details, lo, hi, rules.roles, first, replacement, tallies)
        for i in range(lo, hi):
            if details[i]["table"] != NO_TABLE:
                counts[patient, details[i]["table"]] += 1
    return n_merges


@jit
def positions_by_table(details: NDArray[np.void], starts: NDArray[np.int64], positions: NDArray[np.int64]) -> None:
    """Writes the indexes of kept events grouped by table, in log order; `starts` is moved to the end of each group."""
    for i in range(len(details)):
        table = details[i]["table"]
        if table != NO_TABLE:
            positions[starts[table]] = i
            starts[table] += 1

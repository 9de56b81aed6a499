"""Reads a mapping: every unknown key and every other fault at once, by file and path."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from trajsim.documents import Faults, Fields, read_document
from trajsim.errors import ConfigError
from trajsim.event_sequences import DEATH, EventKind, LabKind
from trajsim.learn.ingest.mapping import (
    ACTIONS,
    ENTRY_RULES,
    FOLLOW_UP_RULES,
    FORMATS,
    JUDGED,
    Action,
    CodeSet,
    DropRule,
    EntryRule,
    EventRule,
    FollowUpRule,
    LabRule,
    SourceMapping,
    death_kind,
)
from trajsim.learn.ingest.table_rules import numbers, read_tables

MAPPINGS = Path(__file__).with_name("mappings")
"""Folder of the mappings that have a name."""

CODES = MAPPINGS / "codes"
"""Folder of the files of events and labs that have a name."""

_EPOCH = dt.date(1970, 1, 1)
_YEARS = 120.0
_RATE = 10_000.0


def mapping_names() -> tuple[str, ...]:
    """Names of the mappings that come with trajsim, sorted."""
    return tuple(sorted(path.stem for path in MAPPINGS.glob("*.yaml")))


def find_mapping(name: str) -> Path:
    """Where a mapping stands.

    Args:
        name: A name of `mapping_names`, or a path.

    Raises:
        ConfigError: There is none.
    """
    if name in mapping_names():
        return MAPPINGS / f"{name}.yaml"
    path = Path(name)
    if path.is_file():
        return path
    msg = f"expected a mapping's name ({', '.join(mapping_names())}) or a file, got {name!r}"
    raise ConfigError(msg)


def read_mapping(name: str, *, events: Path | None = None) -> SourceMapping:
    """Reads a mapping.

    Args:
        name: A name of `mapping_names`, or a path to YAML or JSON.
        events: A file with events and labs of the user's own, which take the place of the mapping's.

    Returns:
        The mapping.

    Raises:
        DataFileError: A file cannot be read or is not well-formed.
        ConfigError: There is no such mapping, or faults of content, all of them, each with file and path.

    Example:
        >>> read_mapping("nafld").vocabulary.event_names[0]
        'hypertension'
    """
    path = find_mapping(name)
    faults = Faults(path.name)
    root = Fields(read_document(path), "$", faults)
    shared = _vocabulary(root, path.parent)
    if events is None:
        events = shared
    mapping = _mapping(root, path.stem)
    if events is not None:
        own = Faults(events.name)
        mapping = _with_events(mapping, Fields(read_document(events), "$", own))
        faults.lines += own.lines
    if not faults.lines:
        try:
            _ = mapping.vocabulary
        except ConfigError as error:
            faults.add("$", error.message)
    faults.require_none("the mapping" if events is None else "the mapping and its events")
    return mapping


def _vocabulary(root: Fields, folder: Path) -> Path | None:
    """The file with events and labs that a mapping names: beside it, or one that comes with trajsim."""
    if "vocabulary" not in root:
        root.take("vocabulary")
        return None
    if "events" in root or "labs" in root or "death" in root:
        root.fault("vocabulary", "stands in place of `events`, `labs` and `death`; expected one or the other")
    name = root.text("vocabulary")
    if not name:
        return None
    if (folder / name).is_file():
        return folder / name
    # A copy of a mapping that came with trajsim may name the file as it stands beside that mapping.
    known = {stem: path for path in sorted(CODES.glob("*.yaml")) for stem in (path.stem, f"{CODES.name}/{path.name}")}
    if name not in known:
        names = ", ".join(path.stem for path in sorted(CODES.glob("*.yaml")))
        root.fault(
            "vocabulary",
            f"expected a file beside the mapping or a name that comes with trajsim ({names}), got {name!r}",
        )
    return known.get(name)


def _mapping(root: Fields, stem: str) -> SourceMapping:
    source_format = root.text("format", choices=FORMATS)
    clock = root.text("clock", "calendar", choices=("calendar", "entry"))
    mapping = SourceMapping(
        name=root.text("name", stem),
        format=source_format,
        about=root.text("about", "") if "about" in root else "",
        clock="entry" if clock == "entry" else "calendar",
        tables=read_tables(root),
        entry=_entry(root.inner("entry")),
        follow_up=_follow_up(root.inner("follow_up")),
        bmi=_bmi(root.inner("bmi")) if "bmi" in root else None,
        drop=tuple(_drop(fields) for fields in root.each("drop")),
        actions=_actions(root.inner("cleaning")),
        max_years=root.number("max_years", 20.0, low=0.1, high=_YEARS),
        last_day=_day(root, "last_day"),
    )
    mapping = _with_events(mapping, root)
    if (source_format == "csv") != bool(mapping.tables):
        root.fault("tables", "are needed for the format csv, and only there")
    if clock == "entry" and "last_day" in root:
        root.fault("last_day", "is a date, and days are counted from entry")
    if clock == "entry" and mapping.entry.rule != "column":
        root.fault("entry.rule", f"must be column where days are counted from entry, got {mapping.entry.rule!r}")
    return mapping


def _with_events(mapping: SourceMapping, root: Fields) -> SourceMapping:
    events = tuple(_event(fields) for fields in root.each("events"))
    death = None
    if "death" in root:
        fields = root.inner("death")
        death = death_kind(fields.number("prior_per_1000_years", 10.0, low=1e-4, high=_RATE))
        fields.text("prior_source", "")
        fields.done()
    labs = tuple(_lab(fields) for fields in root.each("labs"))
    for key in ("about", "death", "bmi"):
        root.take(key)
    root.done()
    return replace(mapping, events=events, death=death, labs=labs)


def _event(fields: Fields) -> EventRule:
    name = fields.text("name")
    if name == DEATH:
        fields.fault("name", f"{DEATH!r} is not an event with codes; it stands under `death` of the mapping")
    kind = EventKind(
        name=name,
        prior_share=fields.number("prior_share", 0.02, low=0.0, high=0.99),
        prior_per_1000_years=fields.number("prior_per_1000_years", 5.0, low=1e-4, high=_RATE),
    )
    fields.text("prior_source", "")
    rule = EventRule(kind=kind, codes=_codes(fields))
    fields.done()
    return rule


def _lab(fields: Fields) -> LabRule:
    form = fields.text("kind", "number", choices=("number", "flag"))
    if form == "flag":
        kind = LabKind(name=fields.text("name"), unit="1", kind="flag")
    else:
        low = fields.number("low")
        kind = LabKind(
            name=fields.text("name"),
            unit=fields.text("unit"),
            is_log=fields.text("scale", "linear", choices=("linear", "log")) == "log",
            centre=fields.number("centre"),
            spread=fields.number("spread", low=1e-9),
            low=low,
            high=fields.number("high", low=low),
            resolution=fields.number("resolution", low=1e-9),
        )
        if kind.is_log and (kind.low <= 0 or kind.centre <= 0):
            fields.fault("scale", "`log` needs `low` and `centre` above 0")
    kind = replace(kind, prior_share=fields.number("prior_share", 0.5, low=1e-4, high=1.0))
    fields.text("prior_source", "")
    return _lab_rule(fields, kind)


def _bmi(fields: Fields) -> LabRule:
    low = fields.number("low", 10.0, low=1.0)
    kind = LabKind(name="bmi", unit="kg/m2", low=low, high=fields.number("high", 100.0, low=low), resolution=0.1)
    return _lab_rule(fields, kind)


def _lab_rule(fields: Fields, kind: LabKind) -> LabRule:
    units = {kind.unit: 1.0, **numbers(fields, "units")}
    missing = fields.text("unit_if_missing") if "unit_if_missing" in fields else None
    fields.take("unit_if_missing")
    if missing is not None and missing not in units:
        fields.fault("unit_if_missing", f"expected one of {', '.join(units)}, got {missing!r}")
    constant = fields.number("value", low=kind.low, high=kind.high) if "value" in fields else None
    fields.take("value")
    answers = numbers(fields, "answers")
    for text, value in answers.items():
        if not kind.low <= value <= kind.high:
            fields.fault(f"answers.{text}", f"expected {kind.low:g} ... {kind.high:g}, got {value:g}")
    rule = LabRule(
        kind=kind,
        codes=_codes(fields),
        units=units,
        unit_if_missing=missing,
        answers=answers,
        constant=constant,
    )
    fields.done()
    return rule


def _drop(fields: Fields) -> DropRule:
    rule = DropRule(name=fields.text("name"), codes=_codes(fields), why=fields.text("why", ""))
    fields.done()
    return rule


def _codes(fields: Fields) -> CodeSet:
    """Codes of any system as a list, or lists by system."""
    value = fields.take("codes")
    if not isinstance(value, Mapping):
        found = tuple(("", code) for code in fields.texts("codes"))
    else:
        inner = fields.inner("codes")
        found = tuple((str(system), code) for system in value for code in inner.texts(str(system)))
    if value is not None and not found:
        fields.fault("codes", "expected at least one code")
    return CodeSet(codes=found)


def _day(fields: Fields, key: str) -> int | None:
    found = fields.date(key, None)
    return None if found is None else (found - _EPOCH).days


def _entry(fields: Fields) -> EntryRule:
    low = fields.number("low_years", 20.0, low=0.0, high=_YEARS)
    youngest = fields.number("youngest_years", 0.0, low=0.0, high=_YEARS)
    rule = EntryRule(
        rule=fields.text("rule", "column", choices=ENTRY_RULES),
        age_years=fields.number("age_years", 40.0, low=0.0, high=_YEARS),
        low_years=low,
        high_years=fields.number("high_years", 85.0, low=low, high=_YEARS),
        youngest_years=youngest,
        oldest_years=fields.number("oldest_years", _YEARS, low=youngest, high=_YEARS),
    )
    fields.done()
    return rule


def _follow_up(fields: Fields) -> FollowUpRule:
    low = fields.number("low_years", 1.0, low=0.01, high=_YEARS)
    rule = FollowUpRule(
        rule=fields.text("rule", "end", choices=FOLLOW_UP_RULES),
        years=fields.number("years", 5.0, low=0.01, high=_YEARS),
        low_years=low,
        high_years=fields.number("high_years", 17.0, low=low, high=_YEARS),
    )
    fields.done()
    return rule


def _actions(fields: Fields) -> dict[str, Action]:
    found = {name: fields.text(name, "error", choices=ACTIONS) for name in JUDGED}
    fields.done()
    return cast("dict[str, Action]", found)

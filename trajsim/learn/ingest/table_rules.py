"""Which columns of a table of one's own say what: the part of a mapping that sources in no standard format need."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from trajsim.documents import Fields

TimeFormat = Literal["days", "date", "decimal_year", "year", "order"]
TIME_FORMATS = ("days", "date", "decimal_year", "year", "order")


@dataclass(frozen=True, kw_only=True)
class Where:
    """Rows whose column holds one of some texts."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TimeRule:
    """How a day is read.

    Attributes:
        column: Where it stands.
        format: ``days``: whole days on the clock of the mapping. ``date``: a date or instant in ISO form.
            ``decimal_year``: 2001.5. ``year``: a year, taken at its middle. ``order``: no time at all, only an order;
            see `gaps`.
        minus_years: Column with years that are taken off, as a year minus an age gives a birth.
        plus_days: Column with days that are added, as a stay that ends in death has.
        where: Only rows that this holds for have the day.
        gap_column: For ``order``: column that says how long it was until the next row of the patient.
        gaps: For ``order``: days that stand for each of its texts. Public constants.
        is_after_gap: For ``order``: whether the day after the row's own gap is meant.
    """

    column: str
    format: TimeFormat = "days"
    minus_years: str | None = None
    plus_days: str | None = None
    where: tuple[Where, ...] = ()
    gap_column: str | None = None
    gaps: Mapping[str, int] = field(default_factory=dict)
    is_after_gap: bool = False


@dataclass(frozen=True, kw_only=True)
class PersonRule:
    """What a table of persons says; None: nothing.

    Attributes:
        sex: Column.
        male: Texts that mean male.
        female: Texts that mean female.
        age_years: Column with the age at entry, in years.
        is_whole_years: Whether ages are whole years, or middles of bands: half a year is added to whole ones.
        ages: Ages that stand for texts, as bands have them.
        birth: Day of birth.
        entry: Day of entry.
        end: Last day of observation.
        death: Day of death.
        bmi: Column.
        several: What is done with several rows of one patient: ``error``, or the ``last`` one counts.
    """

    sex: str | None = None
    male: tuple[str, ...] = ()
    female: tuple[str, ...] = ()
    age_years: str | None = None
    is_whole_years: bool = False
    ages: Mapping[str, float] = field(default_factory=dict)
    birth: TimeRule | None = None
    entry: TimeRule | None = None
    end: TimeRule | None = None
    death: TimeRule | None = None
    bmi: str | None = None
    several: str = "error"


@dataclass(frozen=True, kw_only=True)
class RowRule:
    """What becomes a row: an event or a lab.

    Attributes:
        is_lab: Lab or event.
        system: Name of the code system.
        code: The code, the same for every row of the table; then a row without the value is no row.
        code_column: Column with the code.
        value: Column with the value.
        part: Which number of a value like ``120/80`` is meant, from 0; None: the value is one number.
        text: Column with an answer that is a code or words.
        unit: Unit of all rows.
        unit_column: Column with the unit.
        time: Day; None: that of the table.
        where: Only rows that this holds for.
    """

    is_lab: bool
    system: str = ""
    code: str | None = None
    code_column: str | None = None
    value: str | None = None
    part: int | None = None
    text: str | None = None
    unit: str | None = None
    unit_column: str | None = None
    time: TimeRule | None = None
    where: tuple[Where, ...] = ()


@dataclass(frozen=True, kw_only=True)
class JoinRule:
    """Columns of another table that are added by a key."""

    file: str
    key: str
    columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TableRule:
    """A table of a source.

    Attributes:
        file: Name below the source, CSV or Parquet; ``*`` stands for any characters, for tables in several files.
        patient: Column with the id.
        time: Day of its rows, where rows do not say their own.
        persons: What it says of persons; exactly one table does.
        rows: What it holds of events and labs.
        join: Another table whose columns it needs.
        blanks: Texts that mean an empty cell, besides the empty one.
    """

    file: str
    patient: str
    time: TimeRule | None = None
    persons: PersonRule | None = None
    rows: tuple[RowRule, ...] = ()
    join: JoinRule | None = None
    blanks: tuple[str, ...] = ()


def read_tables(root: Fields) -> tuple[TableRule, ...]:
    """Reads ``tables`` of a mapping; faults are noted."""
    tables = tuple(_table(fields) for fields in root.each("tables"))
    n_persons = sum(table.persons is not None for table in tables)
    if tables and n_persons != 1:
        root.fault("tables", f"expected exactly one table with `persons`, got {n_persons}")
    return tables


def _table(fields: Fields) -> TableRule:
    time = _time(fields, "time")
    table = TableRule(
        file=fields.text("file"),
        patient=fields.text("patient"),
        time=time,
        persons=_persons(fields.inner("persons"), time) if "persons" in fields else None,
        rows=tuple(_row(row, time) for row in fields.each("rows")),
        join=_join(fields.inner("join")) if "join" in fields else None,
        blanks=fields.texts("blanks", ()),
    )
    for key in ("persons", "join"):
        fields.take(key)
    fields.done()
    if table.persons is None and not table.rows:
        fields.fault("rows", "expected `persons` or `rows`, got neither")
    return table


def _time(fields: Fields, key: str) -> TimeRule | None:
    """A day: the name of a column with whole days, or a mapping."""
    value = fields.take(key)
    if value is None:
        return None
    if isinstance(value, str):
        return TimeRule(column=value)
    inner = fields.inner(key)
    chosen = inner.text("format", "days", choices=TIME_FORMATS)
    rule = TimeRule(
        column=inner.text("column"),
        format=cast("TimeFormat", chosen),
        minus_years=_text_or_none(inner, "minus_years"),
        plus_days=_text_or_none(inner, "plus_days"),
        where=_where(inner),
        gap_column=_text_or_none(inner, "gap_column"),
        gaps={text: round(days) for text, days in numbers(inner, "gaps").items()},
        is_after_gap=inner.flag("is_after_gap", default=False),
    )
    if (rule.format == "order") != (rule.gap_column is not None and bool(rule.gaps)):
        inner.fault("format", "`order` needs `gap_column` and `gaps`, and nothing else takes them")
    inner.done()
    return rule


def _persons(fields: Fields, time: TimeRule | None) -> PersonRule:
    rule = PersonRule(
        sex=_text_or_none(fields, "sex"),
        male=_texts_of_any(fields, "male"),
        female=_texts_of_any(fields, "female"),
        age_years=_text_or_none(fields, "age_years"),
        is_whole_years=fields.flag("is_whole_years", default=False),
        ages=numbers(fields, "ages"),
        birth=_time(fields, "birth"),
        entry=_time(fields, "entry"),
        end=_time(fields, "end"),
        death=_time(fields, "death"),
        bmi=_text_or_none(fields, "bmi"),
        several=fields.text("several", "error", choices=("error", "last")),
    )
    if rule.sex is not None and not (rule.male and rule.female):
        fields.fault("sex", "needs `male` and `female`: lists of the texts that mean each")
    if rule.several == "last" and time is None:
        fields.fault("several", "`last` needs a `time` of the table")
    if (rule.age_years is None) == (rule.birth is None):
        fields.fault("birth", "expected either `birth` or `age_years`")
    fields.done()
    return rule


def _row(fields: Fields, time: TimeRule | None) -> RowRule:
    rule = RowRule(
        is_lab=fields.text("kind", choices=("event", "lab")) == "lab",
        system=str(fields.text("system", "")) if "system" in fields else "",
        code=_text_or_none(fields, "code"),
        code_column=_text_or_none(fields, "code_column"),
        value=_text_or_none(fields, "value"),
        part=fields.whole("part", high=9) if "part" in fields else None,
        text=_text_or_none(fields, "text"),
        unit=_text_or_none(fields, "unit"),
        unit_column=_text_or_none(fields, "unit_column"),
        time=_time(fields, "time") or time,
        where=_where(fields),
    )
    for key in ("system", "part"):
        fields.take(key)
    if (rule.code is None) == (rule.code_column is None):
        fields.fault("code", "expected either `code` or `code_column`")
    if rule.time is None:
        fields.fault("time", "is missing, here and in the table")
    fields.done()
    return rule


def _join(fields: Fields) -> JoinRule:
    rule = JoinRule(file=fields.text("file"), key=fields.text("key"), columns=fields.texts("columns"))
    fields.done()
    return rule


def _where(fields: Fields) -> tuple[Where, ...]:
    if "where" not in fields:
        fields.take("where")
        return ()
    value = fields.take("where")
    if not isinstance(value, Mapping):
        fields.fault("where", "expected a mapping of columns to lists of texts")
        return ()
    inner = fields.inner("where")
    found = tuple(Where(column=str(column), values=_texts_of_any(inner, str(column))) for column in value)
    inner.done()
    return found


def _text_or_none(fields: Fields, key: str) -> str | None:
    if key in fields:
        return fields.text(key)
    fields.take(key)
    return None


def _texts_of_any(fields: Fields, key: str) -> tuple[str, ...]:
    """A list of texts; numbers are taken as they are spelled, since tables hold them so."""
    value = fields.take(key)
    if value is None:
        return ()
    items = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(item, bool | Mapping | list) or item is None for item in items):
        fields.fault(key, "expected a list of texts; put quotes around words like yes, no, on, off")
        return ()
    return tuple(str(item) for item in items)


def numbers(fields: Fields, key: str) -> dict[str, float]:
    """A mapping of texts to numbers; empty where there is none."""
    value = fields.take(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        fields.fault(key, "expected a mapping of texts to numbers")
        return {}
    if any(isinstance(text, bool) for text in value):
        fields.fault(key, "expected texts; put quotes around words like yes, no, on, off")
        return {}
    inner = fields.inner(key)
    return {str(text): inner.number(str(text)) for text in value}

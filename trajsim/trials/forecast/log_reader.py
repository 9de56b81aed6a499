"""Reads accrual logs from CSV and tells every fault at once, by file and row.

Logs come from trial managers' spreadsheets: a date of next year, a subject twice, an event before randomisation. A
forecast from such a log would look like any other, so nothing is computed before all rows are right.
"""

import csv
import datetime as dt
import difflib
import io
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trajsim.errors import DataFileError
from trajsim.trials.forecast.log import NEVER, AccrualLog, LogSite

_EPOCH = dt.date(1970, 1, 1)
_SUBJECT_COLUMNS = ("subject", "site", "randomised", "event", "dropout", "last_seen", "arm", "stratum")
_COUNT_COLUMNS = ("date", "site", "count")
_SITE_COLUMNS = ("site", "opened", "closed", "cap")
_SPELLINGS = {"randomized": "randomised"}


@dataclass
class _Table:
    """The rows of a file, and the faults found so far."""

    path: Path
    columns: list[str] = field(default_factory=list)
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def fault(self, row: int, sentence: str) -> None:
        """Notes a fault of a row (1 is the header)."""
        self.faults.append(f"{self.path}: row {row}: {sentence}")

    def day(self, row: int, values: Mapping[str, str], column: str) -> int | None:
        """The day of a cell; nothing where it is empty or no date (which is noted)."""
        text = values.get(column, "")
        if not text:
            return None
        try:
            return (dt.date.fromisoformat(text) - _EPOCH).days
        except ValueError:
            self.fault(row, f"{column}: expected a date such as 2026-03-31, got {text!r}")
            return None

    def count(self, row: int, values: Mapping[str, str], column: str) -> int | None:
        """The whole number of a cell; nothing where it is empty or none (which is noted)."""
        text = values.get(column, "")
        if not text:
            return None
        if not (text.isascii() and text.isdigit()):
            self.fault(row, f"{column}: expected a whole number, got {text!r}")
            return None
        return int(text)


def read_accrual_log(
    path: Path, *, as_of: dt.date, sites: Path | None = None, names: Collection[str] | None = None
) -> AccrualLog:
    """Reads the log of a trial so far.

    Two forms are known by their header. One row a subject: ``subject,site,randomised`` and, where there is follow-up,
    ``event``, ``dropout`` and ``last_seen`` (the day of the log where empty); ``arm`` and ``stratum`` may stand there
    and are not read. Counts: ``date,site,count``. Dates are ISO 8601.

    A second file, ``site,opened[,closed,cap]``, names all sites, also those that have no patient or open later. Without
    it a site counts from the day after its first patient on.

    Args:
        path: The log.
        as_of: The last day that it covers.
        sites: The file of sites.
        names: Names that sites may have, as those of a spec, in the file of sites or else in the log; any where none
            are given.

    Returns:
        The log.

    Raises:
        DataFileError: Anything is wrong; the message lists every fault by file and row.
    """
    day = (as_of - _EPOCH).days
    log = _read_table(path)
    of_sites = _read_table(sites) if sites is not None else None
    listed = _read_sites(of_sites) if of_sites is not None else None
    by_count = {"date", "count"} <= set(log.columns)
    if log.columns:
        _check_header(log, _COUNT_COLUMNS if by_count else _SUBJECT_COLUMNS, 3)
    result = _from_counts(log, day, listed) if by_count else _from_subjects(log, day, listed)
    _check_names(of_sites if of_sites is not None else log, names)  # with a file of sites, the log is held against that
    faults = [*log.faults, *(of_sites.faults if of_sites is not None else [])]
    if faults or result is None:
        msg = "\n".join([f"{len(faults)} fault{'s' if len(faults) != 1 else ''} in the accrual log", *faults])
        raise DataFileError(msg)
    return result


def _read_table(path: Path) -> _Table:
    """The rows of a CSV file with trimmed cells; what is no table is a fault."""
    table = _Table(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except OSError as error:
        table.faults.append(f"{path}: cannot be read: {error.strerror or error}")
        return table
    except (UnicodeDecodeError, csv.Error) as error:
        table.faults.append(f"{path}: no CSV file in UTF-8: {error}")
        return table
    if not lines:
        table.faults.append(f"{path}: the file is empty, expected a header")
        return table
    header = [name.strip().lower() for name in lines[0]]
    table.columns = [_SPELLINGS.get(name, name) for name in header]
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(table.columns):
            table.fault(number, f"expected {len(table.columns)} cells, got {len(cells)}")
            continue
        table.rows.append((number, {name: cell.strip() for name, cell in zip(table.columns, cells, strict=True)}))
    return table


def _check_header(table: _Table, known: Sequence[str], n_required: int) -> None:
    """Notes columns that are missing, unknown or there twice."""
    required = known[:n_required]
    for name in required:
        if name not in table.columns:
            others = ", ".join(known[n_required:]) or "nothing else"
            table.fault(1, f"no column {name!r}; expected {', '.join(required)}, may have {others}")
    for name, times in Counter(table.columns).items():
        if name not in known:
            table.fault(1, f"unknown column {name!r}, expected some of {', '.join(known)}")
        elif times > 1:
            table.fault(1, f"column {name!r} stands there {times} times")


def _read_sites(table: _Table) -> dict[str, LogSite]:
    """The sites of a file of sites, by name."""
    if table.columns:
        _check_header(table, _SITE_COLUMNS, 2)
    sites: dict[str, LogSite] = {}
    for row, values in table.rows:
        name = values.get("site", "")
        opened = table.day(row, values, "opened")
        closed = table.day(row, values, "closed")
        cap = table.count(row, values, "cap")
        if not name:
            table.fault(row, "site: no name")
        elif name in sites:
            table.fault(row, f"site: {name!r} stands there twice")
        if opened is None:
            if not values.get("opened"):
                table.fault(row, "opened: no date")
            continue
        if closed is not None and closed < opened:
            table.fault(row, f"site {name!r} closes on {_iso(closed)}, before it opens on {_iso(opened)}")
        sites.setdefault(name, LogSite(name=name, opened=opened, closed=closed, cap=cap))
    return sites


def _iso(day: int) -> str:
    """A day as people write it."""
    return (_EPOCH + dt.timedelta(days=day)).isoformat()


def _check_site(table: _Table, row: int, name: str, day: int | None, listed: dict[str, LogSite] | None) -> None:
    """Notes a subject at a site that is unknown or not open on that day."""
    if not name:
        table.fault(row, "site: no name")
    elif listed is not None and name not in listed:
        table.fault(row, f"site: {name!r} is not in the file of sites")
    elif listed is not None and day is not None:
        site = listed[name]
        if day < site.opened:
            table.fault(row, f"randomised on {_iso(day)}, before site {name!r} opened on {_iso(site.opened)}")
        if site.closed is not None and day > site.closed:
            table.fault(row, f"randomised on {_iso(day)}, after site {name!r} closed on {_iso(site.closed)}")


def _check_names(table: _Table, names: Collection[str] | None) -> None:
    """Notes sites that the spec does not name: a misspelt one would count as a new site."""
    for row, values in table.rows:
        name = values.get("site", "")
        if names is not None and name and name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            meant = f", did you mean {close[0]!r}?" if close else ""
            table.fault(row, f"site: {name!r} is no site of the spec{meant}")


def _check_past(table: _Table, row: int, column: str, day: int | None, as_of: int) -> None:
    """Notes a date after the day of the log."""
    if day is not None and day > as_of:
        table.fault(row, f"{column}: {_iso(day)} lies after the day of the log, {_iso(as_of)}")


def _from_subjects(table: _Table, as_of: int, listed: dict[str, LogSite] | None) -> AccrualLog | None:
    """The log from one row a subject; nothing if there are faults."""
    seen: dict[str, int] = {}
    names: list[str] = []
    days: list[tuple[int, int, int, int]] = []
    for row, values in table.rows:
        subject = values.get("subject", "")
        if not subject:
            table.fault(row, "subject: no name")
        elif subject in seen:
            table.fault(row, f"subject {subject!r} stands in row {seen[subject]} already")
        seen.setdefault(subject, row)
        randomised, event, dropout, last = (
            table.day(row, values, column) for column in ("randomised", "event", "dropout", "last_seen")
        )
        if randomised is None and not values.get("randomised"):
            table.fault(row, "randomised: no date")
        for column, day in (("randomised", randomised), ("event", event), ("dropout", dropout), ("last_seen", last)):
            _check_past(table, row, column, day, as_of)
            if randomised is not None and day is not None and day < randomised:
                table.fault(row, f"{column}: {_iso(day)} lies before randomisation on {_iso(randomised)}")
        if event is not None and dropout is not None and event > dropout:
            table.fault(row, f"event: {_iso(event)} lies after dropout on {_iso(dropout)}")
        _check_site(table, row, values.get("site", ""), randomised, listed)
        if randomised is not None:
            names.append(values.get("site", ""))
            days.append((randomised, _or_never(event), _or_never(dropout), as_of if last is None else last))
    if table.faults:
        return None
    columns = np.array(days, np.int64).reshape(-1, 4).T
    sites, site = _sites_of(names, columns[0].tolist(), listed)
    has_follow_up = "event" in table.columns
    return AccrualLog(
        as_of=as_of,
        sites=sites,
        site=site,
        randomised=columns[0].copy(),
        event=columns[1].copy(),
        dropout=columns[2].copy(),
        last_seen=columns[3].copy(),
        has_follow_up=has_follow_up,
    )


def _from_counts(table: _Table, as_of: int, listed: dict[str, LogSite] | None) -> AccrualLog | None:
    """The log from counts by day and site; nothing if there are faults."""
    seen: dict[tuple[str, int], int] = {}
    names: list[str] = []
    days: list[int] = []
    for row, values in table.rows:
        name = values.get("site", "")
        day = table.day(row, values, "date")
        count = table.count(row, values, "count")
        for column in ("date", "count"):
            if not values.get(column):
                table.fault(row, f"{column}: empty")
        _check_past(table, row, "date", day, as_of)
        _check_site(table, row, name, day if count else None, listed)
        if day is None or count is None:
            continue
        if (name, day) in seen:
            table.fault(row, f"site {name!r} and date {_iso(day)} stand in row {seen[name, day]} already")
        seen.setdefault((name, day), row)
        names += [name] * count
        days += [day] * count
    if table.faults:
        return None
    sites, site = _sites_of(names, days, listed)
    return AccrualLog(as_of=as_of, sites=sites, site=site, randomised=np.array(days, np.int64), has_follow_up=False)


def _or_never(day: int | None) -> int:
    """The day, or none."""
    return NEVER if day is None else day


def _sites_of(
    names: list[str], days: list[int], listed: dict[str, LogSite] | None
) -> tuple[tuple[LogSite, ...], "np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    """The sites and the number of each subject's."""
    if listed is None:
        first: dict[str, int] = {}
        for name, day in zip(names, days, strict=True):
            first[name] = min(first.get(name, day), day)
        listed = {name: LogSite(name=name, opened=first[name], is_opening_known=False) for name in sorted(first)}
    number = {name: place for place, name in enumerate(listed)}
    return tuple(listed.values()), np.array([number[name] for name in names], np.int64)

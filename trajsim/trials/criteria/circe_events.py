"""Single criteria, groups and windows of a Circe expression."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from typing import Any

from trajsim.trials.criteria.circe_keys import (
    COLUMNS,
    COUNT_OPS,
    DOMAINS,
    EXCLUDING,
    FIELDS,
    NEEDS,
    RANGE_OPS,
    TEXT_OPS,
    UNSUPPORTED,
)
from trajsim.trials.criteria.circe_values import Values
from trajsim.trials.criteria.form import (
    CodeTest,
    CountedCriterion,
    DateTest,
    Domain,
    EventCriterion,
    Group,
    NumberTest,
    Occurrence,
    PatientCriterion,
    Period,
    Shift,
    TextTest,
    Window,
)

_COMMON = {"CodesetId", "First", "CorrelatedCriteria", "DateAdjustment", "UserDefinedPeriod", "Abnormal"}
_PATIENT: Mapping[str, tuple[str, str]] = {
    "Age": ("age", "whole"),
    "Gender": ("sex", "codes"),
    "GenderCS": ("sex", "set_test"),
    "Race": ("race", "codes"),
    "RaceCS": ("race", "set_test"),
    "Ethnicity": ("ethnicity", "codes"),
    "EthnicityCS": ("ethnicity", "set_test"),
    "OccurrenceStartDate": ("start", "date"),
    "OccurrenceEndDate": ("end", "date"),
}
_FOUR_DECIMALS = Decimal("0.0001")
_ALL_DIGITS = Context(prec=400)  # the largest number in double precision has 309 before the point
_GROUP_KEYS = {"Type", "Count", "CriteriaList", "DemographicCriteriaList", "Groups"}
_COUNTED_KEYS = {"Criteria", "StartWindow", "EndWindow", "Occurrence", "RestrictVisit", "IgnoreObservationPeriod"}


class EventReader:
    """Reads criteria; `used_sets` holds every concept set that one names, with its path."""

    def __init__(self, values: Values) -> None:
        """Takes the collector of findings."""
        self._values = values
        self.used_sets: list[tuple[str, str]] = []

    def wrapped(self, item: Mapping[str, Any], path: str) -> EventCriterion | None:
        """A criterion under the name of its kind."""
        known = [key for key in item if key in DOMAINS]
        for key in item:
            if key not in DOMAINS:
                self._values.error("CRT106", f"{path}.{key}", f"no kind of criterion {key!r}")
        if len(known) != 1:
            if not item or known:
                self._values.error("CRT104", path, f"expected one kind of criterion, got {len(known)}")
            return None
        key = known[0]
        return self._event(DOMAINS[key], self._values.mapping(item, key, path), f"{path}.{key}")

    def _event(self, domain: Domain, item: Mapping[str, Any], path: str) -> EventCriterion:
        values, fields = self._values, FIELDS[domain]
        known = _COMMON | set(fields) | (set(EXCLUDING) & {f"{key}Exclude" for key in fields})
        self._refuse_unsupported(item, path)
        values.ignore_unknown(item, known | UNSUPPORTED, path)
        tests = self._tests(fields, item, path)
        inner = item.get("CorrelatedCriteria")
        if "CodesetId" in item and item["CodesetId"] is not None:
            tests["codes"] = self._set_name(item, "CodesetId", path)
        if domain == "measurement":
            tests["abnormal"] = values.flag(item, "Abnormal", path)
        return EventCriterion(
            domain=domain,
            first=values.flag(item, "First", path),
            shift=self._shift(item, path),
            user_period=self._user_period(item, path),
            where=None if inner is None else self.group(inner, f"{path}.CorrelatedCriteria"),
            path=path,
            **tests,
        )

    def _refuse_unsupported(self, item: Mapping[str, Any], path: str) -> None:
        for key in item:
            if key in UNSUPPORTED and item[key] is not None:
                self._values.error("CRT106", f"{path}.{key}", f"{key} is not supported")

    def _tests(self, fields: Mapping[str, tuple[str, str]], item: Mapping[str, Any], path: str) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, (name, kind) in fields.items():
            if item.get(key) is None:
                continue
            where = f"{path}.{key}"
            if kind == "set_name":
                out[name] = self._set_name(item, key, path)
            elif kind == "codes":
                turned = self._values.flag(item, f"{key}Exclude", path)
                codes = tuple(self._values.coding(each, at) for at, each in self._values.mappings(item, key, path))
                if not isinstance(item[key], list):
                    continue  # a fault already
                out[name] = (*out.get(name, ()), CodeTest(any_of=codes, exclude=turned, path=where))
            elif kind == "set_test":
                test = self._set_test(self._values.mapping(item, key, path), where)
                out[name] = (*out.get(name, ()), *test)
            else:
                out[name] = self._range(kind, self._values.mapping(item, key, path), where)
        return {name: value for name, value in out.items() if value is not None}

    def _set_name(self, item: Mapping[str, Any], key: str, path: str) -> str | None:
        number = item[key]
        if isinstance(number, bool) or not isinstance(number, int):
            self._values.error("CRT103", f"{path}.{key}", f"expected the number of a concept set, got {number!r}")
            return None
        self.used_sets.append((f"{path}.{key}", str(number)))
        return str(number)

    def _set_test(self, item: Mapping[str, Any], path: str) -> tuple[CodeTest, ...]:
        if item.get("CodesetId") is None:
            return (CodeTest(path=path),)
        name = self._set_name(item, "CodesetId", path)
        return (CodeTest(code_set=name, exclude=self._values.flag(item, "IsExclusion", path), path=path),)

    def _range(self, kind: str, item: Mapping[str, Any], path: str) -> NumberTest | DateTest | TextTest | None:
        values = self._values
        op = item.get("Op")
        known: Mapping[str, str] = TEXT_OPS if kind == "text" else RANGE_OPS
        if not isinstance(op, str) or op not in known:
            values.error("CRT102", f"{path}.Op", f"no operator {op!r}, expected one of {', '.join(known)}")
            return None
        if kind == "text":
            text = item.get("Text")
            return TextTest(op=TEXT_OPS[op], text=None if text is None else str(text), path=path)
        if kind == "date":
            return DateTest(
                op=RANGE_OPS[op],
                value=values.day(item, "Value", path),
                upper=values.day(item, "Extent", path),
                path=path,
            )
        return NumberTest(
            op=RANGE_OPS[op],
            value=self._threshold(kind, item, "Value", path),
            upper=self._threshold(kind, item, "Extent", path),
            path=path,
        )

    def _threshold(self, kind: str, item: Mapping[str, Any], key: str, path: str) -> float | None:
        """A whole-number threshold loses its fraction, a decimal one is written with four decimals."""
        value = self._values.number(item, key, path)
        if value is None:
            return None
        exact = Decimal(repr(value))
        if kind == "whole":
            kept = exact.to_integral_value(ROUND_DOWN)
        else:
            kept = exact.quantize(_FOUR_DECIMALS, ROUND_HALF_UP, _ALL_DIGITS)
        if kept != exact:
            self._values.warn("CRT109", f"{path}.{key}", f"Circe compares with {kept}, not with {value!r}")
        return float(kept)

    def _shift(self, item: Mapping[str, Any], path: str) -> Shift | None:
        if item.get("DateAdjustment") is None:
            return None
        adjust = self._values.mapping(item, "DateAdjustment", path)
        path = f"{path}.DateAdjustment"
        ends = {"START_DATE": "start", "END_DATE": "end"}
        start = self._values.one_of(adjust, "StartWith", path, ends, default="START_DATE")
        end = self._values.one_of(adjust, "EndWith", path, ends, default="END_DATE")
        return Shift(
            start_from="start" if start == "start" else "end",
            start_days=self._values.whole(adjust, "StartOffset", path, default=0),
            end_from="start" if end == "start" else "end",
            end_days=self._values.whole(adjust, "EndOffset", path, default=0),
        )

    def _user_period(self, item: Mapping[str, Any], path: str) -> Period | None:
        if item.get("UserDefinedPeriod") is None:
            return None
        period = self._values.mapping(item, "UserDefinedPeriod", path)
        path = f"{path}.UserDefinedPeriod"
        return Period(start=self._values.day(period, "StartDate", path), end=self._values.day(period, "EndDate", path))

    def group(self, item: object, path: str) -> Group:
        """A group of criteria."""
        values = self._values
        if not isinstance(item, dict):
            values.error("CRT103", path, f"expected a group of criteria, got {item!r}")
            return Group(path=path)
        values.ignore_unknown(item, _GROUP_KEYS, path)
        kind = item.get("Type")
        need = NEEDS.get(kind.upper()) if isinstance(kind, str) else None
        groups = tuple(self.group(each, at) for at, each in values.mappings(item, "Groups", path))
        counted = [self._counted(each, at) for at, each in values.mappings(item, "CriteriaList", path)]
        patients = tuple(self._patient(each, at) for at, each in values.mappings(item, "DemographicCriteriaList", path))
        group = Group(
            need=need or "all",
            n=None if item.get("Count") is None else values.whole(item, "Count", path, default=0),
            events=tuple(each for each in counted if each is not None),
            patients=patients,
            groups=groups,
            path=path,
        )
        if need is None and (group.size or kind is not None):
            values.error("CRT102", f"{path}.Type", f"no group type {kind!r}, expected one of {', '.join(NEEDS)}")
        return group

    def _patient(self, item: Mapping[str, Any], path: str) -> PatientCriterion:
        self._values.ignore_unknown(item, set(_PATIENT), path)
        return PatientCriterion(path=path, **self._tests(_PATIENT, item, path))

    def _counted(self, item: Mapping[str, Any], path: str) -> CountedCriterion | None:
        values = self._values
        values.ignore_unknown(item, _COUNTED_KEYS, path)
        event = self.wrapped(values.mapping(item, "Criteria", path), f"{path}.Criteria")
        occurrence = self._occurrence(item, path)
        window = self._window(item, "StartWindow", path, of_event_end=False)
        if window is None:
            values.error("CRT104", f"{path}.StartWindow", "no window")
        if event is None or occurrence is None:
            return None
        return CountedCriterion(
            event=event,
            occurrence=occurrence,
            window=window,
            end_window=self._window(item, "EndWindow", path, of_event_end=True),
            same_visit=values.flag(item, "RestrictVisit", path),
            any_period=values.flag(item, "IgnoreObservationPeriod", path),
            path=path,
        )

    def _occurrence(self, item: Mapping[str, Any], path: str) -> Occurrence | None:
        values, path = self._values, f"{path}.Occurrence"
        found = item.get("Occurrence")
        if not isinstance(found, dict):
            values.error("CRT104", path, "no number of occurrences")
            return None
        kind = found.get("Type", 0)
        if not isinstance(kind, int) or kind not in COUNT_OPS:
            values.error("CRT102", f"{path}.Type", f"no type of occurrence {kind!r}, expected 0, 1 or 2")
            return None
        column = found.get("CountColumn")
        if column is not None and (not isinstance(column, str) or column not in COLUMNS):
            values.error("CRT102", f"{path}.CountColumn", f"no column {column!r}, expected one of {', '.join(COLUMNS)}")
            return None
        distinct = COLUMNS[column or "DOMAIN_CONCEPT"] if values.flag(found, "IsDistinct", path) else None
        return Occurrence(op=COUNT_OPS[kind], n=values.whole(found, "Count", path, default=0), distinct=distinct)

    def _window(self, item: Mapping[str, Any], key: str, path: str, *, of_event_end: bool) -> Window | None:
        values, found = self._values, item.get(key)
        if found is None:
            return None
        path = f"{path}.{key}"
        if not isinstance(found, dict):
            values.error("CRT103", path, f"expected a window, got {found!r}")
            return None
        first, first_sign = self._edge(found, "Start", path)
        last, last_sign = self._edge(found, "End", path)
        use_end = found.get("UseEventEnd")
        return Window(
            first_day=first,
            last_day=last,
            from_index_end=values.flag(found, "UseIndexEnd", path),
            of_event_end=of_event_end if use_end is None else values.flag(found, "UseEventEnd", path),
            first_is_period_end=first is None and first_sign != -1,
            last_is_period_start=last is None and last_sign == -1,
            path=path,
        )

    def _edge(self, window: Mapping[str, Any], key: str, path: str) -> tuple[int | None, int]:
        """Days from the index, None for an open edge; and the sign of the edge."""
        values, edge = self._values, window.get(key)
        if not isinstance(edge, dict):
            values.error("CRT104", f"{path}.{key}", "a window needs both edges")
            return None, 1
        path = f"{path}.{key}"
        sign = values.whole(edge, "Coeff", path, default=0)
        if edge.get("Days") is None:
            return None, sign
        days = values.whole(edge, "Days", path, default=0)
        if days < 0:
            values.warn("CRT402", f"{path}.Days", f"{days} days: a window counts days without sign")
        return sign * days, sign

"""Checks criteria without data: what cannot hold, what says nothing, what was probably meant otherwise."""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from trajsim.trials.criteria.circe import in_expression, parse_circe
from trajsim.trials.criteria.findings import Finding, Severity, sort_findings
from trajsim.trials.criteria.form import (
    CodeSet,
    CodeTest,
    CountedCriterion,
    DateTest,
    Definition,
    Domain,
    EventCriterion,
    Group,
    NumberTest,
    PatientCriterion,
    TextTest,
    Window,
)
from trajsim.trials.criteria.hierarchy import plain_system
from trajsim.trials.criteria.lint_logic import contradictions
from trajsim.trials.criteria.truth import Reading
from trajsim.trials.criteria.usable import usability_findings
from trajsim.trials.criteria.walk import Place, places, sets_used_by, tests_of

_NO_SET_NEEDED = frozenset({"observation_period", "payer_period", "death", "visit", "visit_detail", "location"})
_NEVER_NEGATIVE = frozenset(
    {"age", "age_at_end", "length", "count", "days_supply", "refills", "quantity", "gap_days", "value_to_low", "dose"}
)
_OMOP_DOMAINS: dict[str, frozenset[Domain]] = {
    "condition": frozenset({"condition", "condition_era", "death", "observation"}),
    "drug": frozenset({"drug", "drug_era", "dose_era"}),
    "measurement": frozenset({"measurement", "observation"}),
    "observation": frozenset({"observation", "measurement", "condition"}),
    "procedure": frozenset({"procedure"}),
    "device": frozenset({"device"}),
    "visit": frozenset({"visit", "visit_detail"}),
    "specimen": frozenset({"specimen"}),
}
_SYSTEM_DOMAINS: dict[str, frozenset[Domain]] = {
    plain_system("RxNorm"): _OMOP_DOMAINS["drug"],
    plain_system("CVX"): _OMOP_DOMAINS["drug"],
    plain_system("NDC"): _OMOP_DOMAINS["drug"],
    plain_system("LOINC"): frozenset({"measurement", "observation", "procedure"}),
    plain_system("ICD10PCS"): frozenset({"procedure"}),
}


def lint(definition: Definition) -> list[Finding]:
    """Everything that can be said against a definition without looking at data.

    Args:
        definition: The criteria.

    Returns:
        Findings, errors first. An *error* means that nobody can pass or that a part says nothing that could be meant.
    """
    found: list[Finding] = [*usability_findings(definition, None, Reading.SCREENING)]
    for check in _CHECKS:
        found += check(definition)
    return sort_findings(found)


def lint_circe(data: bytes, *, file: str = "") -> list[Finding]:
    """Everything that can be said against a Circe expression: what the reader finds and what the linter finds.

    Args:
        data: JSON text.
        file: What to call it in messages.

    Returns:
        Findings, errors first.
    """
    definition, findings = parse_circe(data, file=file)
    more = [] if definition is None else lint(definition)
    return sort_findings([*findings, *(in_expression(each, file) for each in more)])


def _note(rule: str, severity: Severity, path: str, message: str, hint: str | None = None) -> Finding:
    return Finding(rule=rule, severity=severity, path=path, message=message, hint=hint)


# --- code sets --------------------------------------------------------------------------------------------------------


def _code_sets(definition: Definition) -> Iterator[Finding]:
    used = {name for place in places(definition) for name in _sets_of(place)}
    if definition.exposure_exit is not None:
        used.add(definition.exposure_exit.codes)
    names = [each.name for each in definition.code_sets]
    for number, each in enumerate(definition.code_sets):
        path = each.path or f"$.code_sets[{number}]"
        if not each.codes:
            yield _note("CRT202", "error", path, f"code set {each.wording!r} has no codes: nothing matches")
        if each.name not in used:
            yield _note("CRT203", "warning", path, f"nothing uses code set {each.wording!r}")
        if names.index(each.name) != number:
            yield _note("CRT204", "error", path, f"code set {each.name!r} is defined twice")
        yield from _double_codes(each, path)
        for other in definition.code_sets[:number]:
            if each.codes and _identity(other) == _identity(each):
                yield _note("CRT205", "warning", path, f"code sets {other.wording!r} and {each.wording!r} are the same")
    if definition.exposure_exit is not None and definition.exposure_exit.codes not in names:
        yield _undefined("$.exposure_exit.codes", definition.exposure_exit.codes)
    for place in places(definition):
        for name in _sets_of(place):
            if name not in names:
                yield _undefined(place.path, name)


def _undefined(path: str, name: str) -> Finding:
    return _note("CRT204", "error", path, f"no code set {name!r}: nothing matches")


def _sets_of(place: Place) -> list[str]:
    if isinstance(place.part, EventCriterion | PatientCriterion):
        return [name for _, name in sets_used_by(place.part)]
    return []


def _identity(code_set: CodeSet) -> frozenset[tuple[str, str, int | None, bool, bool, bool]]:
    return frozenset(
        (plain_system(each.system), each.code, each.concept_id, each.descendants, each.mapped, each.excluded)
        for each in code_set.codes
    )


def _double_codes(code_set: CodeSet, path: str) -> Iterator[Finding]:
    seen: set[tuple[str, str, int | None]] = set()
    for number, each in enumerate(code_set.codes):
        code = (plain_system(each.system), each.code, each.concept_id)
        if code in seen:
            what = f"{each.system} {each.code or each.concept_id}"
            yield _note("CRT206", "warning", f"{path}.codes[{number}]", f"{what} stands twice in {code_set.wording!r}")
        seen.add(code)


def _domains(definition: Definition) -> Iterator[Finding]:
    for place in places(definition):
        part = place.part
        if not isinstance(part, EventCriterion):
            continue
        if part.codes is None and part.source_codes is None:
            if part.domain not in _NO_SET_NEEDED:
                yield _note("CRT207", "warning", place.path, f"any {part.domain} counts: there is no code set")
            continue
        code_set = definition.code_set(part.codes) if part.codes is not None else None
        wrong = [] if code_set is None else _codes_of_other_domains(code_set, part.domain)
        if code_set is not None and wrong:
            count = "no" if len(wrong) == len(code_set.codes) else "not every"
            yield _note(
                "CRT208",
                "warning",
                place.path,
                f"{count} code of {code_set.wording!r} is one of domain {part.domain!r}: {', '.join(wrong[:3])}",
            )


def _codes_of_other_domains(code_set: CodeSet, domain: Domain) -> list[str]:
    out = []
    for each in code_set.codes:
        by_system = _SYSTEM_DOMAINS.get(plain_system(each.system))
        fits = _OMOP_DOMAINS.get(each.domain.lower(), by_system)
        if fits is not None and domain not in fits and domain not in _NO_SET_NEEDED:
            out.append(f"{each.system} {each.code}")
    return out


# --- single tests -----------------------------------------------------------------------------------------------------


def _tests(definition: Definition) -> Iterator[Finding]:
    for place in places(definition):
        part = place.part
        if not isinstance(part, EventCriterion | PatientCriterion):
            continue
        found = list(tests_of(part))
        if isinstance(part, PatientCriterion) and not found:
            yield _note("CRT306", "warning", place.path, "the patient criterion asks nothing")
        for name, own, test in found:
            yield from _one_test(name, own or f"{place.path}.{name}", place.where, test)


def _one_test(name: str, path: str, where: str, test: NumberTest | DateTest | TextTest | CodeTest) -> Iterator[Finding]:
    if isinstance(test, CodeTest):
        if test.code_set is None and not test.any_of:
            yield _note("CRT305", "error", path, f"the test of {name} in {where} lists no codes: it asks nothing")
    elif isinstance(test, TextTest):
        if not test.text:
            yield _note("CRT305", "warning", path, f"the test of {name} in {where} has no text: it asks nothing")
    else:
        if _is_reversed(test):
            yield _note("CRT303", "error", path, f"{test.value} is above {test.upper}: the range is empty")
        if isinstance(test, NumberTest) and name in _NEVER_NEGATIVE and (test.value or 0) < 0:
            yield _note("CRT304", "warning", path, f"{name} is never negative, got {test.value}")


def _is_reversed(test: NumberTest | DateTest) -> bool:
    if test.value is None or test.upper is None or test.op not in {"between", "outside"}:
        return False
    return test.value > test.upper  # type: ignore[operator]


# --- windows, exits, limits -------------------------------------------------------------------------------------------


def _windows(definition: Definition) -> Iterator[Finding]:
    for place in places(definition):
        part = place.part
        if not isinstance(part, CountedCriterion):
            continue
        for name in ("window", "end_window"):
            window = getattr(part, name)
            if window is not None:
                path = window.path or f"{place.path}.{name}"
                yield from _one_window(window, path, part, definition, is_outer=place.depth == 0)


def _one_window(
    window: Window, path: str, part: CountedCriterion, definition: Definition, *, is_outer: bool
) -> Iterator[Finding]:
    first, last = window.first_day, window.last_day
    if first is not None and last is not None and first > last:
        yield _note("CRT401", "error", path, f"the window ends on day {last}, before it begins on day {first}")
    if window.first_is_period_end:
        yield _note("CRT401", "warning", path, "the window begins at the end of the observation period")
    if window.last_is_period_start:
        yield _note("CRT401", "warning", path, "the window ends at the beginning of the observation period")
    prior = definition.entry.days_before
    if is_outer and first is not None and not part.any_period and -first > prior:
        yield _note(
            "CRT403",
            "info",
            path,
            f"looks {-first} days back, but only {prior} days of observation are asked for before entry",
        )
    if part.event.domain == "death" and (window.last_is_period_start or (last is not None and last < 0)):
        yield _note("CRT404", "warning", path, "a death before the index event")


def _exits(definition: Definition) -> Iterator[Finding]:
    calendar, fixed = definition.calendar, definition.fixed_exit
    if calendar.start is not None and calendar.end is not None and calendar.end < calendar.start:
        yield _note("CRT405", "error", "$.calendar", f"ends on {calendar.end}, before it begins on {calendar.start}")
    if fixed is not None and fixed.counted_from == "start" and fixed.days < 0:
        yield _note("CRT405", "error", "$.fixed_exit", f"the exit lies {-fixed.days} days before the entry")
    if fixed is not None and fixed.counted_from == "start" and fixed.days == 0:
        yield _note("CRT405", "warning", "$.fixed_exit", "members leave on the day on which they enter")
    limits = (definition.entry.keep, definition.keep_additional, definition.keep)
    if limits[0] != "all" and any(each not in {"all", limits[0]} for each in limits[1:]):
        yield _note("CRT505", "warning", "$.keep", f"the entry keeps the {limits[0]} event: later limits do nothing")
    has_exit = fixed is not None or definition.exposure_exit is not None or bool(definition.censoring)
    if definition.keep == "all" and not has_exit and definition.entry.keep == "all":
        yield _note("CRT506", "info", "$", "all events are kept and no exit is set")
    exposure = definition.exposure_exit
    if exposure is not None:
        for number, each in enumerate(definition.entry.any_of):
            if each.domain in {"drug", "drug_era"} and each.codes != exposure.codes and _may_match(each, definition):
                path = each.path or f"$.entry.any_of[{number}]"
                yield _note("CRT507", "info", path, "entry by a drug that the exit does not follow")


def _may_match(part: EventCriterion, definition: Definition) -> bool:
    """Whether the code set has a code of the criterion's domain, as far as its codes tell."""
    code_set = None if part.codes is None else definition.code_set(part.codes)
    return code_set is None or len(_codes_of_other_domains(code_set, part.domain)) < len(code_set.codes)


def _rules(definition: Definition) -> Iterator[Finding]:
    for number, rule in enumerate(definition.rules):
        if rule.group.size == 0:
            path = rule.path or f"$.rules[{number}]"
            yield _note("CRT504", "warning", path, f"rule {rule.name!r} asks nothing: everybody passes")
    for place in places(definition):
        if isinstance(place.part, Group):
            yield from _group_counts(place.part, place.path)
        elif isinstance(place.part, CountedCriterion):
            yield from _occurrences(place.part, place.path)


def _group_counts(group: Group, path: str) -> Iterator[Finding]:
    if group.n is None or not group.size:
        return
    kind = group.need if group.need in {"at_least", "at_most"} else None
    if kind == "at_least" and group.n > group.size:
        yield _note("CRT503", "error", path, f"at least {group.n} of {group.size} criteria: nobody passes")
    if (kind == "at_least" and group.n <= 0) or (kind == "at_most" and group.n >= group.size):
        yield _note("CRT503", "warning", path, f"{kind} {group.n} of {group.size} criteria: everybody passes")
    if group.n < 0:
        yield _note("CRT503", "error", path, f"a number of criteria is never {group.n}")


def _occurrences(part: CountedCriterion, path: str) -> Iterator[Finding]:
    occurrence = part.occurrence
    if occurrence.op == "at_least" and occurrence.n <= 0:
        yield _note("CRT503", "warning", path, f"at least {occurrence.n} events: always true")
    if occurrence.n < 0 and occurrence.op != "at_least":
        yield _note("CRT503", "error", path, f"a number of events is never {occurrence.n}")
    if part.event.first and occurrence.op != "at_most" and occurrence.n > 1:
        yield _note("CRT503", "error", path, f"{occurrence.n} first events: a patient has one")


def _double_criteria(definition: Definition) -> Iterator[Finding]:
    counted = [(place.path, place.part) for place in places(definition) if isinstance(place.part, CountedCriterion)]
    entries = [(each.path or f"$.entry.any_of[{n}]", each) for n, each in enumerate(definition.entry.any_of)]
    yield from _equal_pairs(counted)
    yield from _equal_pairs(entries)


def _equal_pairs(items: Sequence[tuple[str, object]]) -> Iterator[Finding]:
    for (first, one), (second, other) in combinations(items, 2):
        if one == other:
            yield _note("CRT502", "warning", second, f"the same criterion as at {first}")


_CHECKS: tuple[Callable[[Definition], Iterator[Finding]], ...] = (
    _code_sets,
    _domains,
    _tests,
    _windows,
    _exits,
    _rules,
    _double_criteria,
    contradictions,
)

"""Codes of criteria that no record holds: a slip of the pen that would otherwise let everybody in, or nobody."""

from collections.abc import Iterator

from trajsim.trials.criteria.findings import Finding, Severity
from trajsim.trials.criteria.form import CodeSet, Coding, Definition, Domain, EventCriterion, Group
from trajsim.trials.criteria.source import Source
from trajsim.trials.criteria.walk import places

_LISTED = 5


def code_findings(definition: Definition, source: Source, *, has_hierarchy: bool) -> list[Finding]:
    """What is to be said of the codes of criteria, given records.

    A code set none of whose codes any record holds is an error, whatever it is used for: an exclusion by it would
    exclude nobody, in silence. Single codes of a set that matches are warnings: lists are often longer than the data.

    Args:
        definition: The criteria.
        source: The data.
        has_hierarchy: Whether codes below others are known.
    """
    found: list[Finding] = []
    alternatives = {name for place in places(definition) for name in _alternatives_of(place.part)}
    for number, code_set in enumerate(definition.code_sets):
        path = code_set.path or f"$.code_sets[{number}]"
        domains = [each for each in dict.fromkeys(_domains_of(code_set, definition)) if not source.lacks(each, "")]
        missing = [domain for domain in domains if not _is_held(code_set, domain, source)]
        if code_set.name in alternatives and len(missing) < len(domains):
            domains, missing = [each for each in domains if each not in missing], []
        for domain in domains:
            found += _set_findings(code_set, domain, source, path, is_missing=domain in missing)
        if not has_hierarchy and domains and any(each.descendants for each in code_set.codes):
            sentence = f"asks for codes below those of {code_set.wording!r}, and no hierarchy says which they are"
            found.append(_finding("CRT603", "warning", path, sentence))
    return found


def _domains_of(code_set: CodeSet, definition: Definition) -> Iterator[Domain]:
    for place in places(definition):
        if isinstance(place.part, EventCriterion) and place.part.codes == code_set.name:
            yield place.part.domain


def _alternatives_of(part: object) -> Iterator[str]:
    """Code sets that one group looks for in several domains: it is enough that one of them has the codes."""
    if isinstance(part, Group):
        names = [event.event.codes for event in part.events if event.event.codes is not None]
        yield from {name for name in names if names.count(name) > 1}


def _is_held(code_set: CodeSet, domain: Domain, source: Source) -> bool:
    return len(source.events(domain, source.keys_of_set(code_set)).person) > 0


def _set_findings(
    code_set: CodeSet, domain: Domain, source: Source, path: str, *, is_missing: bool
) -> Iterator[Finding]:
    wanted = [coding for coding in code_set.codes if not coding.excluded]
    kind = domain.replace("_", " ")
    if is_missing:
        listed = ", ".join(_named(coding) for coding in wanted[:_LISTED])
        more = f" and {len(wanted) - _LISTED} more" if len(wanted) > _LISTED else ""
        sentence = f"no {kind} of any record holds a code of {code_set.wording!r}: {listed}{more}"
        yield _finding("CRT601", "error", path, sentence)
        return
    for coding in wanted if len(wanted) > 1 else ():
        if not _is_held(CodeSet(name="", codes=(coding,)), domain, source):
            sentence = f"no {kind} of any record holds {_named(coding)} of {code_set.wording!r}"
            yield _finding("CRT601", "warning", path, sentence)


def _named(coding: Coding) -> str:
    return f"{coding.system} {coding.code}"


def _finding(rule: str, severity: Severity, path: str, message: str) -> Finding:
    return Finding(rule=rule, severity=severity, path=path, message=message)

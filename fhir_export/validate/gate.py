"""The gate: files in, a report out."""

import random
import resource as process
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fhir_export.validate.codes import LOINC, codings_of
from fhir_export.validate.dates import DateCheck
from fhir_export.validate.definitions import Definitions, Profile, find_packages
from fhir_export.validate.findings import Finding, Ledger
from fhir_export.validate.must_support import coverage
from fhir_export.validate.packages import Value
from fhir_export.validate.primitives import CHECKS
from fhir_export.validate.profiles import CompiledProfile, ProfileCheck
from fhir_export.validate.reading import find_files, is_ndjson, parse, read_bytes, read_lines
from fhir_export.validate.references import Closure, Scope, references_of, scope_of_bundle
from fhir_export.validate.structure import StructureCheck
from trajsim.errors import ConfigError

_R4 = "http://hl7.org/fhir/StructureDefinition/"
_HL7 = "http://hl7.org/fhir/"
# Vital signs whose R4 profile holds for every Observation with their LOINC code, claimed or not; so do the Java judges.
_VITAL_SIGNS: Mapping[str, str] = {
    "85353-1": "vitalspanel",
    "9279-1": "resprate",
    "8867-4": "heartrate",
    "2708-6": "oxygensat",
    "59408-5": "oxygensat",
    "8310-5": "bodytemp",
    "8302-2": "bodyheight",
    "9843-4": "headcircum",
    "29463-7": "bodyweight",
    "39156-5": "bmi",
    "85354-9": "bp",
}
# What LOINC calls a document (SCALE_TYP = DOC) the tables do not know; an Observation of these profiles is none.
_NO_DOCUMENTS = frozenset(_VITAL_SIGNS) | {
    "8480-6",
    "8462-4",
    "59576-9",
    "77606-2",
    "8289-1",
    "72166-2",
    "82810-3",
}


@dataclass(frozen=True, kw_only=True)
class GateOptions:
    """What is checked.

    Attributes:
        us_core: Version of US Core whose profiles count, or ``none``.
        types: Only these resource types are checked; none: all.
        sample: At most so many resources of each type; 0: all. All are read in any case.
        seed: Of the sample.
        each: Whether the report has the findings of every resource.
        entries: Whether bundles are taken as envelopes only, their entries checked one by one.
        packages: Folder of packages with licensed value sets; None: they are not checked.
    """

    us_core: str = "6.1.0"
    types: frozenset[str] = frozenset()
    sample: int = 0
    seed: int = 1
    each: bool = False
    entries: bool = False
    packages: Path | None = field(default_factory=find_packages)

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if self.sample < 0:
            msg = f"--sample must not be negative, got {self.sample}"
            raise ConfigError(msg)


class Gate:
    """Checks FHIR R4 resources and keeps what it found.

    Args:
        options: What is checked.

    Example:
        >>> gate = Gate(GateOptions(packages=None))
        >>> gate.validate({"resourceType": "Patient", "gender": "boy"})[0].rule
        'binding-required'
    """

    def __init__(self, options: GateOptions) -> None:
        started = time.perf_counter_ns()
        self.options = options
        self.definitions = Definitions(us_core=options.us_core, packages=options.packages)
        self.ledger = Ledger(each=options.each)
        self.closure = Closure()
        self._dates = DateCheck()
        self._set = Scope()
        self._profiles: dict[str, CompiledProfile] = {}
        self._claimed: set[str] = set()
        self._extensions: dict[str, CompiledProfile | None] = {}
        self._findings: list[Finding] = []
        self._scope = self._set
        self._contained: dict[str, str] = {}
        self._used: set[str] = set()
        self._owner = ("", "")
        self._n = 0
        self._read_ns = 0
        self._check_ns = 0
        self._profile_check: ProfileCheck | None = None
        self._start_ns = time.perf_counter_ns() - started

    # --- one resource ---

    def validate(self, resource: Mapping[str, Any], scope: Scope | None = None) -> list[Finding]:
        """Checks one resource by itself, its references looked up in a scope."""
        self._scope = self._set if scope is None else scope
        self._findings = []
        kind = resource.get("resourceType")
        if not isinstance(kind, str) or kind not in self.definitions.resources:
            return [Finding("error", "resource-type", "", f"unknown resource type {kind!r}")]
        path = str(kind)
        self._owner = (path, str(resource.get("id", "?")))
        self._contained = _contained(resource)
        self._used = set()
        self._profile_check = ProfileCheck(resource, self._target_type, self._findings)
        check = StructureCheck(self.definitions, self._findings, self._reference, self._extension)
        if "id" in resource and not CHECKS["id"](resource["id"]):
            self._findings.append(Finding("error", "primitive", f"{path}.id", f"no id: {resource['id']!r}"))
        check.run(resource, path)
        self._unused(resource, path)
        self._claims(resource, path)
        self._dates.check(resource, path, self._findings)
        if kind == "DocumentReference":
            self._document_type(resource, path)
        return _once(self._findings)

    def _target_type(self, value: Value) -> str | None:
        return Closure.target_type(value, self._scope, self._contained, self._owner[0])

    def _reference(self, value: Mapping[str, Any], path: str, targets: frozenset[str]) -> None:
        text = value.get("reference")
        if not isinstance(text, str):
            return
        found = self._target_type(value)
        if found is not None and found not in self.definitions.resources and not text.startswith("#"):
            self._findings.append(
                Finding("error", "reference-malformed", path, f"{found!r} is no resource type: {text!r}")
            )
        elif targets and found is not None and found not in targets:
            wanted = " or ".join(sorted(targets))
            self._findings.append(Finding("error", "reference-target", path, f"points to {found}, expected {wanted}"))
        if text.startswith("#"):
            self._used.add(text[1:])
        finding = self.closure.see(text, f"{path}.reference", self._owner, self._scope, self._contained)
        if finding is not None:
            self._findings.append(finding)

    def _unused(self, resource: Mapping[str, Any], path: str) -> None:
        """dom-3: what is contained is referred to, by a Reference or by an address, or refers to what contains it."""
        unused = self._contained.keys() - self._used
        if not unused or "" in self._used:
            return
        texts = _texts(resource)
        for name in sorted(unused):
            if f"#{name}" not in texts:
                text = f"nothing refers to the contained resource {name!r}"
                self._findings.append(Finding("error", "dom-3", path, text))

    def _extension(self, value: Mapping[str, Any], path: str) -> None:
        url = value.get("url")
        if not isinstance(url, str):
            return
        if url not in self._extensions:
            profile = self.definitions.profiles.get(url)
            self._extensions[url] = CompiledProfile(profile, self.definitions) if profile else None
        compiled = self._extensions[url]
        if compiled is not None and self._profile_check is not None:
            self._profile_check.run(compiled, value, path)

    def _claims(self, resource: Mapping[str, Any], path: str) -> None:
        meta = resource.get("meta")
        claims = meta.get("profile") if isinstance(meta, dict) else None
        claims = claims if isinstance(claims, list) else []
        for i, claim in enumerate(claims):
            url = str(claim).partition("|")[0]
            profile = self.definitions.profiles.get(url)
            if profile is None:
                self._unknown_profile(url, f"{path}.meta.profile[{i}]")
            elif profile.type_name != resource["resourceType"]:
                text = f"{url} is a profile of {profile.type_name}"
                self._findings.append(Finding("error", "profile-type", f"{path}.meta.profile[{i}]", text))
            else:
                self._claimed.add(url)
                self._run_profile(profile, resource, path)
        if resource["resourceType"] == "Observation":
            for name in self._vital_signs(resource):
                if _R4 + name not in claims:
                    self._run_profile(self.definitions.profiles[_R4 + name], resource, path)

    def _run_profile(self, profile: Profile, resource: Mapping[str, Any], path: str) -> None:
        compiled = self._profiles.get(profile.url)
        if compiled is None:
            compiled = self._profiles[profile.url] = CompiledProfile(profile, self.definitions)
        if self._profile_check is not None:
            self._profile_check.run(compiled, resource, path)

    def _unknown_profile(self, url: str, path: str) -> None:
        ours = url.startswith(_HL7)
        if ours and self.options.us_core == "none" and "/us/core/" in url:
            return
        text = f"the profile {url} is not known"
        self._findings.append(Finding("error" if ours else "warning", "profile-unknown", path, text))

    @staticmethod
    def _vital_signs(resource: Mapping[str, Any]) -> set[str]:
        found = set()
        for coding in codings_of(resource.get("code")):
            code = coding.get("code")
            if coding.get("system") == LOINC and isinstance(code, str) and code in _VITAL_SIGNS:
                found.add(_VITAL_SIGNS[code])
        return found

    def _document_type(self, resource: Mapping[str, Any], path: str) -> None:
        for i, coding in enumerate(codings_of(resource.get("type"))):
            code = coding.get("code")
            if coding.get("system") == LOINC and isinstance(code, str) and code in _NO_DOCUMENTS:
                text = f"LOINC {code!r} is an observation, no kind of document"
                self._findings.append(Finding("error", "document-type", f"{path}.type.coding[{i}]", text))

    # --- files ---

    def run(self, places: Sequence[Path]) -> dict[str, Any]:
        """Checks folders and files.

        Returns:
            The report.

        Raises:
            ConfigError: A place does not exist.
            DataFileError: A file cannot be read.
        """
        kept: dict[str, list[tuple[Any, Scope]]] = {}
        seen: dict[str, int] = {}
        chance = random.Random(self.options.seed)
        for path in find_files(places):
            self.closure.n_files += 1
            for resource, scope in self._resources(path):
                kind = str(resource.get("resourceType"))
                if self.options.types and kind not in self.options.types:
                    self._look(resource, scope)
                elif not self.options.sample:
                    self._judge(resource, scope)
                else:
                    seen[kind] = seen.get(kind, 0) + 1
                    mine = kept.setdefault(kind, [])
                    out: tuple[Any, Scope] | None = (resource, scope)
                    if len(mine) < self.options.sample:
                        mine.append((resource, scope))
                        out = None
                    elif (place := chance.randrange(seen[kind])) < self.options.sample:
                        out, mine[place] = mine[place], (resource, scope)
                    if out is not None:
                        self._look(*out)
        for kind in sorted(kept):
            for resource, scope in kept[kind]:
                self._judge(resource, scope)
        for kind, own, finding in self.closure.close():
            self.ledger.add(kind, own, [finding])
        return self.report()

    def _resources(self, path: Path) -> Value:
        """The resources of a file with their scopes; what cannot be parsed is reported and left out."""
        if not is_ndjson(path):
            began = time.perf_counter_ns()
            content, wrong = parse(read_bytes(path), path.name)
            self._read_ns += time.perf_counter_ns() - began
            if wrong or not isinstance(content, dict) or "resourceType" not in content:
                self._unread(path.name, wrong)
            elif content["resourceType"] == "Bundle":
                yield from self._bundle(content)
            else:
                self._note(content, self._set)
                yield content, self._set
            return
        for number, line in read_lines(path):
            began = time.perf_counter_ns()
            content, wrong = parse(line, f"{path.name}, line {number}")
            self._read_ns += time.perf_counter_ns() - began
            if wrong or not isinstance(content, dict) or "resourceType" not in content:
                self._unread(f"{path.name}:{number}", wrong)
            elif content["resourceType"] == "Bundle":
                yield from self._bundle(content)
            else:
                self._note(content, self._set)
                yield content, self._set

    def _unread(self, where: str, wrong: str) -> None:
        """Notes what is no FHIR: broken JSON is an error, another kind of JSON (a manifest, a report) is left out."""
        severity, rule, text = ("error", "no-json", wrong) if wrong else ("information", "no-fhir", "no FHIR resource")
        self.ledger.add("?", where, [Finding(severity, rule, where, text)])

    def _bundle(self, bundle: Mapping[str, Any]) -> Value:
        entries = bundle.get("entry")
        entries = [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
        scope = scope_of_bundle(entries)
        inside = [e["resource"] for e in entries if isinstance(e.get("resource"), dict)]
        for entry in entries:
            if isinstance(entry.get("resource"), dict):
                self._note(entry["resource"], scope, entry.get("fullUrl"))
        if not self.options.entries:
            yield bundle, scope
        for resource in inside:
            yield resource, scope

    def _note(self, resource: Mapping[str, Any], scope: Scope, *names: Value) -> None:
        self.closure.add_resource(resource, scope)
        if resource.get("resourceType") == "Patient":
            texts = [name for name in (*names, f"Patient/{resource.get('id')}") if isinstance(name, str)]
            self._dates.add_patient(resource, *texts)

    def _look(self, resource: Mapping[str, Any], scope: Scope) -> None:
        """Follows the references of a resource that is not checked."""
        if resource.get("resourceType") == "Bundle":
            return
        kind = str(resource.get("resourceType"))
        contained = _contained(resource)
        for text, path in references_of(resource, kind):
            self.closure.see(text, f"{path}.reference", (kind, str(resource.get("id"))), scope, contained)

    def _judge(self, resource: Mapping[str, Any], scope: Scope) -> None:
        began = time.perf_counter_ns()
        findings = self.validate(resource, scope)
        kind = str(resource.get("resourceType"))
        used = time.perf_counter_ns() - began
        tally = self.ledger.tally(kind)
        tally.validated += 1
        tally.nanoseconds += used
        self._check_ns += used
        self._n += 1
        if findings:
            self.ledger.add(kind, str(resource.get("id", "?")), findings)

    # --- the report ---

    def report(self) -> dict[str, Any]:
        """What was found so far, in the form of the Java judges, with must-supports and what was not checked."""
        claimed = [self._profiles[url] for url in self._claimed if url in self._profiles]
        ours = [u for u in self.definitions.us_core_profiles if self.definitions.profiles[u].type_name != "Extension"]
        report: dict[str, Any] = {
            "engine": "trajsim",
            "usCore": self.options.us_core,
            "terminologyServer": False,
            "startMs": self._start_ns // 1_000_000,
            "startCpuMs": self._start_ns // 1_000_000,
            "readMs": self._read_ns // 1_000_000,
            "validateMs": self._check_ns // 1_000_000,
            "resources": self._n,
            "msPerResource": round(self._check_ns / 1e6 / max(1, self._n), 3),
            "rssPeakMiB": _peak_mib(),
            "total": self.ledger.total(),
            "types": {kind: tally.to_json() for kind, tally in sorted(self.ledger.tallies.items())},
            "messages": list(self.ledger.groups()),
        }
        if self.ledger.each is not None:
            report["each"] = self.ledger.each
        report["references"] = self.closure.report()
        report["mustSupport"] = coverage(claimed, ours)
        report["notChecked"] = {
            "constraints": sorted(self.definitions.not_checked),
            "valueSets": sorted(self.definitions.open_sets),
            "slices": sorted(s for c in self._profiles.values() for s in c.slices_not_checked),
        }
        return report

    @property
    def is_clean(self) -> bool:
        """Whether there is no error and nothing open."""
        return self.ledger.total()["error"] == 0 and not self.closure.is_open


def _contained(resource: Mapping[str, Any]) -> dict[str, str]:
    """The types of contained resources by id."""
    inside = resource.get("contained")
    if not isinstance(inside, list):
        return {}
    return {c["id"]: str(c.get("resourceType")) for c in inside if isinstance(c, dict) and isinstance(c.get("id"), str)}


def _texts(value: Value) -> set[str]:
    """Every text below a value."""
    if isinstance(value, str):
        return {value}
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*map(_texts, below))


def _once(findings: list[Finding]) -> list[Finding]:
    """Findings without those that two profiles have in common."""
    if len(findings) < 2:
        return findings
    found: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = (finding.rule + finding.text.partition(" (us-core")[0], finding.path)
        found.setdefault(key, finding)
    return list(found.values())


def _peak_mib() -> int:
    peak = process.getrusage(process.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform != "darwin" else peak // 1024**2

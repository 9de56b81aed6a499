"""Brings a simulated trial to `fhir_export`: what it is, in the words of FHIR's study, and who was in it."""

import datetime as dt
import shutil
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from fhir_export.ndjson import line_file
from fhir_export.output import ExportReport
from fhir_export.study import TRIAL, Criterion, Study, SubjectStatus, write_study
from trajsim.cli.os_faults import error_from_os
from trajsim.errors import ConfigError
from trajsim.records import Records
from trajsim.trials.criteria.form import Definition
from trajsim.trials.recruitment import reasons
from trajsim.trials.recruitment.reasons import Reasons
from trajsim.trials.recruitment.wording import words_of
from trajsim.trials.recruitment.world import World

_BEFORE_CONSENT = (reasons.NOT_REVIEWED, reasons.NOT_REACHED, reasons.IN_ANOTHER_TRIAL, reasons.DECLINED)
_ENDINGS: Mapping[int, SubjectStatus] = {
    reasons.RANDOMIZED: SubjectStatus.OFF_STUDY,
    reasons.WAITED: SubjectStatus.NOT_REGISTERED,
    reasons.DIED: SubjectStatus.NOT_REGISTERED,
    reasons.OTHERWISE: SubjectStatus.INELIGIBLE,
    reasons.WITHDREW: SubjectStatus.WITHDRAWN,
    reasons.SITE_FULL: SubjectStatus.NOT_REGISTERED,
    reasons.TRIAL_FULL: SubjectStatus.NOT_REGISTERED,
    reasons.UNFINISHED: SubjectStatus.NOT_REGISTERED,
}


def require_replaceable(folder: Path) -> None:
    """Refuses a folder that holds something else than a trial that was written there before.

    Args:
        folder: Where a trial is to be written.

    Raises:
        ConfigError: It is a file, or holds something else.
    """
    if not folder.exists():
        return
    try:
        held = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    except OSError as error:
        raise error_from_os(error) from error
    if held and line_file("ResearchStudy", TRIAL) not in held:
        msg = f"--fhir writes {str(folder)!r}, which holds something else"
        raise ConfigError(msg, hint="name another folder with --out, or remove it")


def write_trial(
    folder: Path,
    world: World,
    definition: Definition,
    candidates: pa.Table,
    records: Records,
    *,
    spec_digest: str,
    seed: int,
    ids_seed: int,
) -> ExportReport:
    """Writes the first replicate of a trial as FHIR, in the place of the trial that an earlier run wrote there.

    Args:
        folder: Where.
        world: The trial.
        definition: Its criteria.
        candidates: Its candidates.
        records: The people.
        spec_digest: sha256 of the spec.
        seed: Seed of the trial.
        ids_seed: Seed of the run that made the people, from which the export of that run makes their ids.

    Returns:
        What was written.
    """
    require_replaceable(folder)
    if folder.is_dir():
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise error_from_os(error) from error
    study = study_of(world, definition, candidates, spec_digest=spec_digest, seed=seed)
    return write_study(folder, study, candidates, records, seed=ids_seed)


def study_of(
    world: World, definition: Definition, candidates: pa.Table, *, spec_digest: str, seed: int, replicate: int = 0
) -> Study:
    """The study that one replicate of a simulated trial is.

    Args:
        world: The trial.
        definition: Its criteria; those that are waived are left out.
        candidates: The candidates of the replicate.
        spec_digest: sha256 of the spec.
        seed: Seed of the run.
        replicate: Which replicate.
    """
    spec = world.spec
    arms = tuple(
        (arm.name, f"{arm.ratio} in the allocation, hazard ratio {arm.hazard_ratio:g} against no treatment")
        for arm in spec.arms
    )
    said = f"Simulated, no real person takes part: replicate {replicate} of the run with seed {seed}."
    return Study(
        key=f"{spec_digest}/{seed}/{replicate}",
        title=spec.title,
        description=f"{said} Target {spec.target} randomized by {spec.planned_end.isoformat()}.",
        start=spec.start,
        end=max(_last_day(candidates) or spec.start, spec.planned_end),
        sites=tuple(site.name for site in spec.sites),
        arms=arms,
        criteria=tuple(each for each in _in_words(definition) if each.name not in spec.waived),
        endings=endings_of(world.reasons),
    )


def endings_of(every: Reasons) -> dict[str, SubjectStatus | None]:
    """Where each reason to leave leaves those who agreed to take part; None: they had not agreed."""
    endings: dict[str, SubjectStatus | None] = dict.fromkeys(every.names[place] for place in _BEFORE_CONSENT)
    endings |= {every.names[place]: ending for place, ending in _ENDINGS.items()}
    endings |= dict.fromkeys(every.names[every.chart])
    return endings | dict.fromkeys(every.names[every.screening], SubjectStatus.INELIGIBLE)


def _last_day(candidates: pa.Table) -> dt.date | None:
    days = [pc.max(candidates[name]).as_py() for name in ("screening_date", "end_date")]
    return max((day for day in days if day is not None), default=None)


def _in_words(definition: Definition) -> tuple[Criterion, ...]:
    """Criteria by the names under which people leave, and what each asks, whoever named it."""
    said = words_of(definition)
    described = dict(zip(list(said)[len(said) - len(definition.rules) :], definition.rules, strict=True))
    return tuple(
        Criterion(name=name, text=(described[name].description if name in described else "") or text or name)
        for name, text in said.items()
    )

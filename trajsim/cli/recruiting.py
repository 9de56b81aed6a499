"""Works off ``trajsim recruit``: reads everything, finds every fault, gets the people, simulates, writes."""

import datetime as dt
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import orjson
import pyarrow as pa
from pyarrow import csv as arrow_csv

from trajsim.cli import life_options as life
from trajsim.cli.console import count, say
from trajsim.cli.recruit import CANDIDATES, FHIR, PAGE, RECORDS, TWIN
from trajsim.cli.recruit_inputs import Inputs, TrialInputs, read_inputs
from trajsim.cli.recruit_tables import show_feasibility, show_recruitment
from trajsim.cli.request import RunRequest
from trajsim.cli.run import run
from trajsim.cli.run_folder import MANIFEST
from trajsim.cli.shards import default_shard_size
from trajsim.errors import ConfigError
from trajsim.provenance import digest_value, installed_versions, read_manifest
from trajsim.records import Records
from trajsim.records.files import whole_file
from trajsim.records.parquet import read_parquet_shards
from trajsim.records.table import concat
from trajsim.trials import page
from trajsim.trials.draws import Performance
from trajsim.trials.feasibility import Assessment, Relaxation, assess, judge, search_relaxations
from trajsim.trials.forecast import ReforecastOptions, reforecast
from trajsim.trials.page.contents import digest_of
from trajsim.trials.recruitment import Bridge, RecruitmentResult, bridge, candidates, simulate_recruitment
from trajsim.trials.recruitment.scenarios import compare_worlds
from trajsim.trials.recruitment.wording import words_of

_BLOCK = 16


@dataclass(frozen=True, kw_only=True)
class RecruitRequest:
    """What `trajsim recruit` was asked for, as resolved values.

    Attributes:
        spec: File of the trial.
        records: Folder of Records, or None to simulate people.
        modules_dir: Modules that simulate them; None for the bundled ones.
        n_patients: How many.
        replicates: How many times the trial is simulated.
        seed: Seed of people and trials.
        scenario: File of scenarios.
        accrual_log: File of the trial so far.
        as_of: Last day that it covers.
        sites: File of when its sites opened and closed.
        hierarchy: File of codes below codes.
        is_feasibility: Whether to stop before recruitment.
        out: Folder to write.
        fhir: Whether the first replicate is written as FHIR too.
        json_file: File to write.
        threads: Threads that may compute at once.
        quiet: Whether only errors are shown.
    """

    spec: Path
    records: Path | None
    modules_dir: Path | None
    n_patients: int
    replicates: int
    seed: int
    scenario: Path | None
    accrual_log: Path | None
    as_of: dt.date | None
    sites: Path | None
    hierarchy: Path | None
    is_feasibility: bool
    out: Path | None
    fhir: bool
    json_file: Path | None
    threads: int
    quiet: bool


@dataclass(frozen=True)
class _People:
    """Whom the trial meets.

    Attributes:
        records: Their records.
        digest: What tells these apart: the record of the run that made them, if there is one.
        seed: Seed of that run, else of this one: ids of FHIR are made of it.
    """

    records: Records
    digest: str | None
    seed: int


def work(request: RecruitRequest) -> None:
    """Does what was asked for.

    Args:
        request: What was asked for.

    Raises:
        TrajsimError: With every fault of every input, before anything is simulated that depends on it.
    """
    inputs = read_inputs(
        request.spec,
        scenario=request.scenario,
        accrual_log=request.accrual_log,
        as_of=request.as_of,
        sites=request.sites,
        hierarchy=request.hierarchy,
    )
    if request.fhir and request.out is not None:
        from trajsim.cli.recruit_fhir import require_replaceable  # loads the room of FHIR

        require_replaceable(request.out / FHIR)
    with _people(request) as folder:
        people = _read(folder, request)
    _note_time(inputs, people.records, quiet=request.quiet)
    trial = inputs.on(people.records, seed=request.seed)
    for finding in trial.remarks:
        say(f"note: {finding}", quiet=request.quiet)
    judged = judge(trial.world, trial.review)
    assessment = assess(trial.world, judged, asks=words_of(inputs.definition))
    moves = search_relaxations(trial.world, judged, inputs.definition, trial.review.inner)
    if request.is_feasibility:
        found = {"title": inputs.spec.title, "feasibility": _paper_json(assessment, moves)}
        _write_json(request, found)
        if not request.quiet:
            show_feasibility(inputs.spec, assessment, moves)
        return
    _recruit(request, inputs, trial, people, assessment, moves)


def _recruit(
    request: RecruitRequest,
    inputs: Inputs,
    trial: TrialInputs,
    people: _People,
    assessment: Assessment,
    moves: tuple[Relaxation, ...],
) -> None:
    performance = Performance(threads=request.threads, block=_BLOCK)
    say(f"simulating the trial {count(request.replicates, 'time')}", quiet=request.quiet)
    result = simulate_recruitment(
        trial.world, replicates=request.replicates, seed=request.seed, performance=performance
    )
    scenarios = None
    if inputs.scenarios:
        say(f"simulating {count(len(inputs.scenarios), 'scenario')} of it", quiet=request.quiet)
        scenarios = compare_worlds(result, inputs.scenarios, trial.scenario_worlds, performance=performance)
    ahead = None
    if inputs.log is not None and request.as_of is not None:
        options = ReforecastOptions(seed=request.seed)
        ahead = reforecast(inputs.log, inputs.spec, as_of=request.as_of, options=options, performance=performance)
    contents = page.PageContents(
        result=result,
        provenance=_provenance(request, inputs, people.digest),
        scenarios=scenarios,
        bridge=_bridge(result),
        feasibility=_paper(assessment, moves),
        forecast=ahead,
    )
    twin = page.page_json(contents)
    _write_json(request, twin)
    if request.out is not None:
        page.write_page(request.out / PAGE, contents)
        table = candidates(trial.world, seed=request.seed)
        _write_candidates(request.out / CANDIDATES, table)
        if request.fhir:
            _write_fhir(request.out / FHIR, request, inputs, trial, people, table)
    if not request.quiet:
        show_recruitment(inputs.spec, twin, scenarios, ahead)
        if request.out is not None:
            say(f"the whole answer: {request.out / PAGE}; every candidate: {request.out / CANDIDATES}")
            if request.fhir:
                say(f"the first replicate as FHIR: {request.out / FHIR}")


@contextmanager
def _people(request: RecruitRequest) -> Iterator[Path]:
    """The folder of Records: the one named, or one that is simulated, kept if there is a folder to keep it in."""
    if request.records is not None:
        yield request.records
        return
    with tempfile.TemporaryDirectory(prefix="trajsim-recruit-") as temporary:
        place = Path(temporary) / RECORDS if request.out is None else request.out / RECORDS
        say(f"simulating {count(request.n_patients, 'patient')}", quiet=request.quiet)
        run(
            RunRequest(
                life=_life(request),
                n_patients=request.n_patients,
                out=place,
                formats=("parquet",),
                with_states=False,
                shard_size=default_shard_size(request.n_patients),
                threads=request.threads,
                quiet=True,
            )
        )
        yield place


def _life(request: RecruitRequest) -> life.LifeOptions:
    return life.resolve_life_options(
        seed=request.seed,
        modules_dir=request.modules_dir,
        modules=None,
        override=None,
        start=None,
        end=life.DEFAULT_END,
        age=None,
        sex=None,
        state=None,
        city=None,
        mortality=None,
        mortality_offset=None,
    )


def _read(folder: Path, request: RecruitRequest) -> _People:
    parquet = folder / "parquet"
    records = concat(list(read_parquet_shards(parquet if parquet.is_dir() else folder)))
    for place in (folder, folder.absolute().parent):
        if (place / MANIFEST).is_file():
            made = read_manifest(place / MANIFEST).run
            return _People(records, digest_value(msgspec.to_builtins(made)), made.seed)
    return _People(records, None, request.seed)


def _note_time(inputs: Inputs, records: Records, *, quiet: bool) -> None:
    """Says so if the Records end before the trial does."""
    last = records["patients"].column("last_time").cast("int64").to_numpy()
    if not len(last):
        return
    day = dt.date(1970, 1, 1) + dt.timedelta(microseconds=int(last.max()))
    if day < inputs.spec.horizon:
        sentence = f"the records end on {day}, before the horizon {inputs.spec.horizon}: nobody comes after that"
        say(f"note: {sentence}", quiet=quiet)


def _bridge(result: RecruitmentResult) -> Bridge | None:
    """The model of rates beside the simulation; None where no site was ever open."""
    try:
        return bridge(result)
    except ConfigError:
        return None


def _paper(assessment: Assessment, moves: tuple[Relaxation, ...]) -> page.Feasibility:
    """The feasibility in the form of the page."""
    return page.Feasibility(
        n_people=assessment.n_people,
        n_eligible=assessment.n_eligible,
        n_certain=assessment.n_certain,
        criteria=assessment.criteria,
        relaxations=moves,
    )


def _paper_json(assessment: Assessment, moves: tuple[Relaxation, ...]) -> dict[str, object]:
    return assessment.to_json() | {"relaxations": [each.to_json() for each in moves]}


def _provenance(request: RecruitRequest, inputs: Inputs, digest: str | None) -> page.Provenance:
    if request.records is not None:
        records = f"the records in {request.records.name}"
    else:
        modules = "the bundled modules" if request.modules_dir is None else f"the modules in {request.modules_dir.name}"
        records = f"{count(request.n_patients, 'patient')} simulated by {modules}, seed {request.seed}"
    words = [f"trajsim recruit {request.spec.name}", f"--replicates {request.replicates}", f"--seed {request.seed}"]
    if request.records is None:
        words.insert(1, f"-n {request.n_patients}")
    named = {
        "--records": request.records, "--modules-dir": request.modules_dir, "--scenario": request.scenario,
        "--accrual-log": request.accrual_log, "--sites": request.sites, "--hierarchy": request.hierarchy,
    }  # fmt: skip
    words += [f"{option} {path.name}" for option, path in named.items() if path is not None]
    words += [] if request.as_of is None else [f"--as-of {request.as_of}"]
    return page.Provenance(
        version=installed_versions()["trajsim"],
        spec_digest=digest_of(inputs.document),
        spec_file=request.spec.name,
        records=records,
        records_digest=digest,
        command=" ".join(words),
    )


def _write_json(request: RecruitRequest, found: Mapping[str, object]) -> None:
    content = orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY)
    places = [] if request.out is None else [request.out / TWIN]
    places += [] if request.json_file is None else [request.json_file]
    for place in places:
        with whole_file(place) as temporary:
            temporary.write_bytes(content)


def _write_candidates(path: Path, table: pa.Table) -> None:
    """The answer key as CSV."""
    texts = {field.name: pa.string() for field in table.schema if pa.types.is_dictionary(field.type)}
    schema = pa.schema([pa.field(field.name, texts.get(field.name, field.type)) for field in table.schema])
    with whole_file(path) as temporary:
        arrow_csv.write_csv(table.cast(schema), temporary, arrow_csv.WriteOptions(quoting_style="needed"))


def _write_fhir(
    folder: Path, request: RecruitRequest, inputs: Inputs, trial: TrialInputs, people: _People, table: pa.Table
) -> None:
    """The answer key as FHIR."""
    from trajsim.cli.recruit_fhir import write_trial

    write_trial(
        folder,
        trial.world,
        inputs.definition,
        table,
        people.records,
        spec_digest=digest_of(inputs.document),
        seed=request.seed,
        ids_seed=people.seed,
    )

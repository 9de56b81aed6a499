"""Works off a request: loads and compiles, claims the folder, makes the missing shards, closes with a manifest."""

import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import orjson
import typer

from trajsim.cli.console import complain, count, duration, say, show, size
from trajsim.cli.disk import free_bytes, is_surely_enough, require_space
from trajsim.cli.formats import distinct_files, growing_files, shard_writers, write_set_files
from trajsim.cli.learned import Learned
from trajsim.cli.progress import PatientProgress
from trajsim.cli.request import RunRequest
from trajsim.cli.run_folder import (
    Claim,
    RunFolder,
    StagedShard,
    finished_run,
    missing_files,
    require_same_run,
    write_whole,
)
from trajsim.cli.shard_maker import ShardMaker
from trajsim.cli.shards import FIRST_PATIENT, Shard, Workers, plan_shards
from trajsim.cli.warmup import announce_compiling
from trajsim.engine.compile import compile_modules
from trajsim.engine.learned import with_model
from trajsim.engine.metrics import StateMetrics
from trajsim.engine.options import PerformanceOptions
from trajsim.errors import ConfigError, TrajsimError
from trajsim.gmf.model import ModuleSet
from trajsim.population.build import build_cohort
from trajsim.provenance import Manifest, RunRecord, digest_value, installed_versions
from trajsim.units import ms_from_iso

EXIT_INTERRUPTED = 130
_PILOT_PATIENTS = 20
_MARGIN = 1.2


def run(request: RunRequest) -> None:
    """Does what was asked for, or goes on with it where an earlier call was stopped.

    Args:
        request: What was asked for.

    Raises:
        TrajsimError: With nothing half-written left and all finished shards kept.
        Exit: 130 after Ctrl-C.
    """
    start = time.perf_counter()
    plan = plan_shards(request.n_patients, request.shard_size)
    modules, learned = request.life.bind(request.life.load_modules())
    claim = Claim(run=_record(request, modules), shard_size=request.shard_size)
    manifest = finished_run(request.out)
    if manifest is not None:
        _require_finished(request, claim, manifest)
        say(f"{request.out}: this run is finished already, nothing to do", quiet=request.quiet)
        return
    notes = request.life.notes(learned)
    for note in notes:
        say(f"note: {note}", quiet=request.quiet)
    maker = _maker(request, modules, learned)
    headers = growing_files(request.formats, claims=request.output.claims)
    distinct = distinct_files(request.formats)
    with RunFolder.claim(request.out, claim, headers=headers, distinct=distinct) as folder:
        announce_compiling(quiet=request.quiet)
        try:
            _require_space(request, folder, maker, plan)
            metrics = _make_missing(request, folder, maker, plan)
            write_last = partial(_write_last, request, metrics)
            manifest = folder.finish(write_last=write_last, timings=_timings(start), notes=notes)
        except KeyboardInterrupt:
            complain(f"interrupted; {_kept(folder, plan)}")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except TrajsimError:
            say(_kept(folder, plan), quiet=request.quiet)
            raise
    if not request.quiet:
        _summarize(request, manifest, seconds=time.perf_counter() - start)


def _record(request: RunRequest, modules: ModuleSet) -> RunRecord:
    tables: dict[str, str] = {}
    for (name, _), table in sorted(modules.tables.items()):
        tables[name] = digest_value([tables.get(name, ""), table])
    return RunRecord(
        versions=installed_versions(),
        seed=request.life.seed,
        modules={key: module.digest for key, module in modules.modules.items()},
        tables=tables,
        options=request.recorded(),
    )


def _require_finished(request: RunRequest, claim: Claim, manifest: Manifest) -> None:
    """Refuses a folder with a finished run that is another one, or is no longer whole."""
    require_same_run(request.out, claim, found=Claim(run=manifest.run, shard_size=manifest.shard_size))
    missing = missing_files(request.out, manifest)
    if missing:
        changed = f"{count(len(missing), 'file')} changed or gone, {missing[0]!r} first"
        msg = f"--out {str(request.out)!r} holds this run, but no longer whole: {changed}"
        raise ConfigError(msg, hint="choose another folder, or empty this one")


def _maker(request: RunRequest, modules: ModuleSet, learned: Learned | None) -> ShardMaker:
    population = request.life.population(learned)
    first = build_cohort(population, first_patient=FIRST_PATIENT, n_patients=1, seed=request.life.seed)
    program = compile_modules(modules, texts=first.texts(), lifecycle=request.life.simulation().lifecycle)
    return ShardMaker(
        program=program if learned is None else with_model(program, learned.model, learned.death_offset),
        population=population,
        options=request.life.simulation(),
        performance=PerformanceOptions(),
        writers=shard_writers(request.formats, request.output, seed=request.life.seed),
        years=request.output.years,
        with_claims=request.output.claims,
        growing=growing_files(request.formats, claims=request.output.claims).keys(),
        with_states=request.with_states,
        on_progress=lambda _n: None,
    )


def _require_space(request: RunRequest, folder: RunFolder, maker: ShardMaker, plan: Sequence[Shard]) -> None:
    """Compares the expected size with the free disk; where that is not obvious, writes a few patients to measure it."""
    missing = plan[folder.n_finished :]
    n_patients = sum(shard.n_patients for shard in missing)
    free = free_bytes(request.out)
    if not missing or is_surely_enough(n_patients, len(request.formats), free):
        return
    pilot = replace(missing[0], n_patients=min(_PILOT_PATIENTS, missing[0].n_patients))
    with folder.staging(pilot.number) as place:
        maker.write(place, pilot, threading.Event())
        written = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    expected = written / pilot.n_patients * n_patients * _MARGIN
    require_space(request.out, expected=expected, n_patients=n_patients, free=free)


def _make_missing(
    request: RunRequest, folder: RunFolder, maker: ShardMaker, plan: Sequence[Shard]
) -> StateMetrics | None:
    """Makes the shards that are missing, in threads, and enters them in order; returns the metrics of all shards."""
    total = StateMetrics(maker.program) if request.with_states else None
    if total is not None and folder.total is not None:
        total.add_bytes(folder.total)
    missing = plan[folder.n_finished :]
    n_done = sum(shard.n_patients for shard in plan[: folder.n_finished])
    if n_done:
        say(f"{request.out}: {count(n_done, 'patient')} are there already, going on", quiet=request.quiet)
    n_workers = max(1, min(request.threads, len(missing)))
    inner = PerformanceOptions(threads=request.threads // n_workers)
    with PatientProgress(n_patients=request.n_patients, n_done=n_done, quiet=request.quiet) as progress:
        maker = replace(maker, performance=inner, on_progress=progress.advance)
        workers: Workers[tuple[StagedShard, StateMetrics | None]] = Workers(
            partial(maker.stage, folder), n_threads=n_workers
        )
        with closing(workers.results(missing)) as results:
            for staged, metrics in results:
                if total is not None and metrics is not None:
                    total.add_bytes(metrics.to_bytes())
                folder.commit(staged, total=None if total is None else total.to_bytes())
    return total


def _write_last(request: RunRequest, metrics: StateMetrics | None, root: Path) -> list[Path]:
    """What belongs to the run as a whole: the manifest of a Bulk Data set, and state metrics."""
    end_ms = ms_from_iso(request.life.end)
    written = write_set_files(request.formats, request.output, root, end_ms=end_ms, seed=request.life.seed)
    if metrics is not None:
        path = root / "states.json"
        write_whole(path, orjson.dumps(metrics.to_json(), option=orjson.OPT_INDENT_2) + b"\n")
        written.append(path)
    return written


def _timings(start: float) -> dict[str, float]:
    return {"wall_s": round(time.perf_counter() - start, 3), "cpu_s": round(time.process_time(), 3)}


def _kept(folder: RunFolder, plan: Sequence[Shard]) -> str:
    """What of a stopped run is there, and how to go on."""
    n_patients = sum(shard.n_patients for shard in plan[: folder.n_finished])
    if not n_patients:
        return "nothing was finished yet, and nothing is left behind"
    return (
        f"{folder.n_finished} of {count(len(plan), 'shard')} ({count(n_patients, 'patient')}) are finished and kept in "
        f"{folder.root}; the same command goes on from there"
    )


def _summarize(request: RunRequest, manifest: Manifest, *, seconds: float) -> None:
    counts = manifest.counts
    n_bytes = sum(record.n_bytes for record in manifest.files)
    what = ", ".join(request.formats) or "the manifest only"
    show(
        f"{count(counts.n_patients, 'patient')} ({counts.n_deaths:,} died), {count(sum(counts.rows.values()), 'row')}, "
        f"{duration(seconds)}; {size(n_bytes)} in {request.out}: {what}"
    )
    n_coerced = sum(case.n_patients for case in counts.coerced)
    if n_coerced:
        say(f"note: {count(n_coerced, 'coerced case')} in {count(len(counts.coerced), 'state')}: see manifest.json")

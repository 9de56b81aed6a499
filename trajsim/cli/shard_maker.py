"""Makes one shard: draws its patients, simulates them, stages their files, counts what they hold."""

import dataclasses
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from trajsim.cli.formats import WriteShard
from trajsim.cli.run_folder import RunFolder, StagedShard, staged_files
from trajsim.cli.shards import Shard, Stopped
from trajsim.costs import with_claims
from trajsim.engine.assemble import AssemblyReport
from trajsim.engine.metrics import StateMetrics
from trajsim.engine.options import PerformanceOptions, SimulationOptions
from trajsim.engine.program import Program
from trajsim.engine.simulate import simulate
from trajsim.population.build import build_cohort
from trajsim.population.options import PopulationOptions
from trajsim.provenance import CoercedCount, Counts
from trajsim.records.table import Records
from trajsim.records.window import keep_years
from trajsim.units import us_from_ms


@dataclass(frozen=True, kw_only=True, eq=False)
class ShardMaker:
    """What all shards of a run have in common.

    Attributes:
        program: The compiled modules.
        population: Who is drawn.
        options: What their lives depend on.
        performance: Threads inside one shard, and chunk size.
        writers: One a format.
        years: Years of history that they get; 0: all.
        with_claims: Whether they get claims.
        growing: Paths of files that all shards write together.
        with_states: Whether state metrics are counted.
        on_progress: Called with the number of patients that were simulated since the last call, from any thread.
    """

    program: Program
    population: PopulationOptions
    options: SimulationOptions
    performance: PerformanceOptions
    writers: Sequence[WriteShard]
    years: int
    with_claims: bool
    growing: Collection[str]
    with_states: bool
    on_progress: Callable[[int], None]

    def stage(self, folder: RunFolder, shard: Shard, stop: threading.Event) -> tuple[StagedShard, StateMetrics | None]:
        """Makes a shard and leaves its files in the staging area of a run's folder.

        Raises:
            Stopped: Another shard failed, or the user pressed Ctrl-C.
            EngineFault: A life cannot go on.
            ExportError: The disk is full, or not to be written.
        """
        with folder.staging(shard.number) as place:
            counts, metrics = self.write(place, shard, stop)
            files = staged_files(place, growing=self.growing)
            return StagedShard(shard=shard.number, folder=place, files=files, counts=counts), metrics

    def write(self, place: Path, shard: Shard, stop: threading.Event) -> tuple[Counts, StateMetrics | None]:
        """Simulates a shard and writes its files below a folder."""
        metrics = StateMetrics(self.program) if self.with_states else None
        cohort = build_cohort(
            self.population, first_patient=shard.first_patient, n_patients=shard.n_patients, seed=self.options.seed
        )

        def progress(n_patients: int) -> None:
            if stop.is_set():
                raise Stopped
            self.on_progress(n_patients)

        run = simulate(
            self.program, cohort, self.options, performance=self.performance, metrics=metrics, on_progress=progress
        )
        (made,) = run.shards(shard.n_patients)
        whole = with_claims(made.records, seed=self.options.seed) if self.with_claims else made.records
        records = keep_years(whole, self.years, end_us=us_from_ms(self.options.end_ms))
        for write in self.writers:
            if stop.is_set():
                raise Stopped
            write(records, place, shard.number)
        return _counts(records, made.report), metrics


def _counts(records: Records, report: AssemblyReport) -> Counts:
    coerced = [
        CoercedCount(kind=kind, module=module, state=state, n_patients=n)
        for (kind, module, state), n in sorted(report.coerced.items())
    ]
    adjusted = {
        field.name: getattr(report, field.name)
        for field in dataclasses.fields(report)
        if field.name != "coerced" and getattr(report, field.name)
    }
    rows = {name: table.num_rows for name, table in records.tables.items()}
    return Counts(n_patients=rows["patients"], n_deaths=rows["deaths"], rows=rows, coerced=coerced, adjusted=adjusted)

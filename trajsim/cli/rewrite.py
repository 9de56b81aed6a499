"""Writes Records that lie on disk in other formats, shard by shard, so that memory does not grow with their number."""

import shutil
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow.compute as pc

from trajsim.cli.formats import WriteShard, distinct_files, growing_files, shard_writers, write_set_files
from trajsim.cli.growing import append_lines
from trajsim.cli.os_faults import error_from_os
from trajsim.cli.output_options import OutputOptions
from trajsim.cli.progress import PatientProgress
from trajsim.cli.shards import Stopped
from trajsim.costs import with_claims, without_claims
from trajsim.records.table import Records
from trajsim.records.window import keep_years
from trajsim.units import us_from_ms

HIDDEN = ".trajsim-export"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Records on disk.

    Attributes:
        n_patients: How many patients, of all shards.
        end_ms: The instant up to which they are complete, milliseconds since 1970-01-01 UTC.
        shards: Reads them one after the other.
    """

    n_patients: int
    end_ms: int
    shards: Iterator[Records]


def open_parquet(directory: Path) -> Source:
    """Records in Parquet.

    Raises:
        DataFileError: They cannot be read.
    """
    from trajsim.records.parquet import read_parquet_column, read_parquet_shards

    last = read_parquet_column(directory, "patients", "last_time")
    return Source(n_patients=len(last), end_ms=_last_ms(last), shards=read_parquet_shards(directory))


def open_synthea_csv(directory: Path) -> Source:
    """Records in Synthea's CSV layout; one shard, because its files are not cut by patients.

    Raises:
        DataFileError: They cannot be read.
    """
    from trajsim.records.csv_read import read_synthea_csv

    records = read_synthea_csv(directory)
    last = records["patients"]["last_time"]
    return Source(n_patients=records.n_patients, end_ms=_last_ms(last), shards=iter([records]))


def _last_ms(times: object) -> int:
    """The last of some times; 0 if there are none."""
    last = pc.max(times).cast("int64").as_py()
    return (last or 0) // 1000


class Rewrite:
    """Writes the shards of a source below a folder; what stands there under its name is whole at any time.

    Args:
        out: The folder, new or empty.
        formats: Names as `parse_formats` returns them.
        output: What is written and how.
        seed: Seed of ids.
        end_ms: The instant up to which the records are complete.
    """

    def __init__(self, out: Path, formats: Sequence[str], output: OutputOptions, *, seed: int, end_ms: int) -> None:
        self._out = out
        self._formats = formats
        self._output = output
        self._seed = seed
        self._end_ms = end_ms
        self._hidden = out / HIDDEN
        self._headers, self._distinct = growing_files(formats, claims=output.claims), distinct_files(formats)
        self._lengths = dict.fromkeys(self._headers, 0)
        self._stop = threading.Event()

    def run(self, source: Source, *, n_threads: int, quiet: bool) -> None:
        """Writes all shards, some at a time.

        Raises:
            ExportError: The disk is full, or not to be written. Whole shards stay; files of all shards together do not.
        """
        writers = shard_writers(self._formats, self._output, seed=self._seed)
        try:
            with PatientProgress(n_patients=source.n_patients, n_done=0, quiet=quiet) as progress:
                for folder, n_patients in self._staged(source.shards, writers, n_threads):
                    self._place(folder)
                    progress.advance(n_patients)
            for path in self._headers:
                (self._out / path).parent.mkdir(parents=True, exist_ok=True)
                (self._hidden / path).replace(self._out / path)
            write_set_files(self._formats, self._output, self._out, seed=self._seed, end_ms=self._end_ms)
        except OSError as error:
            raise error_from_os(error) from error
        finally:
            shutil.rmtree(self._hidden, ignore_errors=True)

    def _staged(
        self, shards: Iterator[Records], writers: Sequence[WriteShard], n_threads: int
    ) -> Iterator[tuple[Path, int]]:
        """Folders with the files of the shards, in order; no more shards are in memory than threads, and one."""
        waiting: deque[Future[tuple[Path, int]]] = deque()
        with ThreadPoolExecutor(max_workers=n_threads, thread_name_prefix="trajsim-export") as pool:
            try:
                for number, records in enumerate(shards):
                    waiting.append(pool.submit(partial(self._stage, writers, records, number)))
                    if len(waiting) > n_threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except BaseException:
                self._stop.set()
                for future in waiting:
                    future.cancel()
                raise

    def _stage(self, writers: Sequence[WriteShard], records: Records, number: int) -> tuple[Path, int]:
        folder = self._hidden / f"{number:05d}"
        folder.mkdir(parents=True)
        claimed = with_claims(records, seed=self._seed) if self._output.claims else without_claims(records)
        kept = keep_years(claimed, self._output.years, end_us=us_from_ms(self._end_ms))
        for write in writers:
            if self._stop.is_set():
                raise Stopped
            write(kept, folder, number)
        return folder, kept.n_patients

    def _place(self, folder: Path) -> None:
        """Moves the files of a shard to their places, and its lines into the files of all shards."""
        for source in sorted(path for path in folder.rglob("*") if path.is_file()):
            path = source.relative_to(folder).as_posix()
            if path in self._headers:
                self._lengths[path] = append_lines(
                    source,
                    self._hidden / path,
                    header=self._headers[path],
                    length=self._lengths[path],
                    is_distinct=path in self._distinct,
                )
            else:
                (self._out / path).parent.mkdir(parents=True, exist_ok=True)
                source.replace(self._out / path)
        shutil.rmtree(folder)

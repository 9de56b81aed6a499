"""Uploads FHIR to a server: in parallel, with patience, and so that an interrupted load can go on."""

import errno
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import orjson

from fhir_export.sender import Outcome, Sender
from fhir_export.upload import Upload
from trajsim.errors import DataFileError, ServerError

_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass
class LoadReport:
    """What became of all requests; those that an earlier load had done are only counted.

    Attributes:
        n_requests: Requests that were sent.
        n_done_before: Requests that an earlier load had done.
        n_loaded: Entries that the server took.
        statuses: How many entries have which HTTP status; 0: there was no answer.
        refused: Requests of which the server did not take everything.
        stopped: Why the load ended early, if it did.
    """

    n_requests: int = 0
    n_done_before: int = 0
    n_loaded: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    refused: list[Outcome] = field(default_factory=list)
    stopped: ServerError | None = None

    def add(self, outcome: Outcome) -> None:
        """Takes in one request."""
        self.n_requests += 1
        self.n_loaded += outcome.n_loaded
        self.statuses.update(outcome.statuses)
        if outcome.problem:
            self.refused.append(outcome)

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return {
            "requests": self.n_requests,
            "doneBefore": self.n_done_before,
            "loaded": self.n_loaded,
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
            "refused": [
                {"name": each.name, "loaded": each.n_loaded, "refused": each.n_refused, "problem": each.problem}
                for each in self.refused
            ],
            "stopped": None if self.stopped is None else self.stopped.message,
        }


class LoadJournal:
    """Remembers, beside the files, which requests a server has taken, so that a load can go on.

    Args:
        directory: The folder that is loaded.
        url: The server; each has a journal of its own.
        again: Forgets what was taken before.

    Attributes:
        path: The file.
        is_kept: False where the folder cannot be written to: nothing is remembered then.

    Raises:
        DataFileError: It holds something else.
    """

    def __init__(self, directory: Path, url: str, *, again: bool = False) -> None:
        self.path = directory / f".trajsim-load-{sha256(url.rstrip('/').encode()).hexdigest()[:12]}.jsonl"
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        try:
            self._file = self.path.open("w+b" if again or not self.path.exists() else "r+b")
        except OSError as error:
            if error.errno not in _NOT_WRITABLE:
                raise
        self._done = set() if self._file is None else self._read(self._file)

    @property
    def is_kept(self) -> bool:
        """Whether anything is remembered."""
        return self._file is not None

    def _read(self, file: IO[bytes]) -> set[str]:
        done = set()
        whole = 0
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break  # torn by a kill
            whole += len(line)
            try:
                key = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                file.close()
                msg = f"{self.path}: line {number} is damaged: {error}"
                raise DataFileError(msg, hint="--again forgets what was loaded before, and loads everything") from error
            done.add(str(key))
        file.truncate(whole)
        file.seek(whole)
        return done

    def holds(self, upload: Upload) -> bool:
        """Whether this very request was taken before."""
        return upload.key in self._done

    def add(self, upload: Upload) -> None:
        """The server has taken it; may be called from any thread."""
        if self._file is not None:
            with self._lock:
                self._file.write(orjson.dumps(upload.key) + b"\n")
                self._file.flush()

    def close(self) -> None:
        """Nothing more is written; a file in which nothing stands goes."""
        if self._file is not None:
            is_empty = self._file.tell() == 0
            self._file.close()
            if is_empty:
                self.path.unlink(missing_ok=True)


def load(
    uploads: Iterable[Upload],
    sender: Sender,
    *,
    n_parallel: int,
    journal: LoadJournal,
    on_progress: Callable[[Upload], None] = lambda _: None,
) -> LoadReport:
    """Sends requests to a server.

    Args:
        uploads: The requests, as an `UploadFolder` yields them.
        sender: The server.
        n_parallel: Requests at once.
        journal: Which requests need not be sent again.
        on_progress: Called after each request, also after one that need not be sent.

    Returns:
        What became of them. Nothing is raised for what a server refuses; the report says so if all had to stop.

    Raises:
        DataFileError: A file is not FHIR; requests under way are waited for.
    """
    return _Load(sender, journal, on_progress).run(uploads, n_parallel)


class _Load:
    def __init__(self, sender: Sender, journal: LoadJournal, on_progress: Callable[[Upload], None]) -> None:
        self._sender = sender
        self._journal = journal
        self._on_progress = on_progress
        self._report = LoadReport()
        self._running: set[Future[list[tuple[Upload, Outcome]]]] = set()

    def run(self, uploads: Iterable[Upload], n_parallel: int) -> LoadReport:
        with ThreadPoolExecutor(max_workers=n_parallel, thread_name_prefix="trajsim-load") as pool:
            try:
                stage = None
                for lane in self._lanes(uploads):
                    if lane[0].stage != stage:
                        self._settle(0)
                        stage = lane[0].stage
                    self._settle(n_parallel - 1)
                    if self._report.stopped is not None:
                        break
                    self._running.add(pool.submit(self._send, lane))
                self._settle(0)
            except BaseException:
                self._sender.stop.set()
                try:
                    wait(self._running)  # the journal must know what became of them
                except KeyboardInterrupt:
                    self._sender.close()
                raise
        return self._report

    def _lanes(self, uploads: Iterable[Upload]) -> Iterator[list[Upload]]:
        """What is left to send, in groups that go one after another."""
        for _, group in groupby(uploads, key=lambda upload: (upload.stage, upload.lane)):
            left = []
            for upload in group:
                if self._journal.holds(upload):
                    self._report.n_done_before += 1
                    self._on_progress(upload)
                else:
                    left.append(upload)
            if left:
                yield left

    def _send(self, lane: list[Upload]) -> list[tuple[Upload, Outcome]]:
        """In a thread: sends a group; what was taken is written down at once, so that a kill forgets nothing."""
        done = []
        for upload in lane:
            if self._sender.stop.is_set():
                break
            try:
                outcome = self._sender.send(upload)
            except ServerError as error:
                self._sender.stop.set()
                self._report.stopped = self._report.stopped or error
                break
            if not outcome.problem:
                self._journal.add(upload)
            done.append((upload, outcome))
        return done

    def _settle(self, n_left: int) -> None:
        """Waits until no more than some groups are under way, and takes in those that are done."""
        while len(self._running) > n_left:
            finished, self._running = wait(self._running, return_when=FIRST_COMPLETED)
            for future in finished:
                for upload, outcome in future.result():
                    self._report.add(outcome)
                    self._on_progress(upload)

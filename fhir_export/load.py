"""Uploads FHIR to a server: in parallel, with patience, and so that an interrupted load can go on.

A request is sent again when the server was busy or away, but one that would add its resources twice (POST) only when it
surely never arrived: where nobody can know, the report says so.
"""

import email.utils
import http.client
import random
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from fhir_export.uploads import Upload
from trajsim.errors import ConfigError

_MEDIA_TYPE = "application/fhir+json"
_BUSY = frozenset({408, 409, 429, 500, 502, 503, 504})
_REFUSED_UNSEEN = frozenset({429, 503})  # the server says that it did nothing
_LONGEST_WAIT_S = 60.0
_SHOWN = 300


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """How to load.

    Attributes:
        url: Base address of the FHIR server.
        token: Bearer token; None: none.
        n_parallel: Requests at once.
        n_tries: How often a request is sent at most.
        timeout_s: How long to wait for an answer.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    n_parallel: int = 4
    n_tries: int = 5
    timeout_s: float = 300.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            msg = f"--server must be an http or https address, got {self.url!r}"
            raise ConfigError(msg)
        for name, number in (("--parallel", self.n_parallel), ("--tries", self.n_tries), ("--timeout", self.timeout_s)):
            if number <= 0:
                msg = f"{name} must be positive, got {number}"
                raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a request.

    Attributes:
        name: The upload's.
        n_loaded: Entries that the server took.
        n_refused: Entries that it did not take.
        statuses: How many entries have which HTTP status; 0: there was no answer.
        problem: Why something was refused; empty if nothing was.
    """

    name: str
    n_loaded: int
    n_refused: int
    statuses: Mapping[int, int]
    problem: str = ""


@dataclass
class LoadReport:
    """What became of all requests; those that an earlier load had done are only counted."""

    n_requests: int = 0
    n_done_before: int = 0
    n_loaded: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    refused: list[Outcome] = field(default_factory=list)

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
        }


class LoadJournal:
    """Remembers, beside the files, which requests a server has taken, so that a load can go on.

    Args:
        directory: The folder that is loaded.
        url: The server; each has a journal of its own.
    """

    def __init__(self, directory: Path, url: str) -> None:
        self._path = directory / f".trajsim-load-{sha256(url.rstrip('/').encode()).hexdigest()[:12]}.jsonl"
        self._done: set[str] = set()
        if self._path.exists():
            whole = self._path.read_bytes().split(b"\n")[:-1]  # a last line without an end was torn by a kill
            self._done = {orjson.loads(line) for line in whole}

    def holds(self, upload: Upload) -> bool:
        """Whether this very request was taken before."""
        return self._key(upload) in self._done

    def add(self, upload: Upload) -> None:
        """The server has taken it."""
        with self._path.open("ab") as file:
            file.write(orjson.dumps(self._key(upload)) + b"\n")

    @staticmethod
    def _key(upload: Upload) -> str:
        return f"{upload.name} {sha256(upload.body).hexdigest()[:16]}"


def load(
    uploads: Iterable[Upload], options: LoadOptions, *, journal: LoadJournal, on_progress: Callable[[Outcome], None]
) -> LoadReport:
    """Sends requests to a server.

    Args:
        uploads: The requests, as `find_uploads` yields them.
        options: How to load.
        journal: Which requests need not be sent again.
        on_progress: Called after each request.

    Returns:
        What became of them. Nothing is raised for what a server refuses.
    """
    report = LoadReport()
    sender = _Sender(options)
    with ThreadPoolExecutor(max_workers=options.n_parallel, thread_name_prefix="trajsim-load") as pool:
        try:
            for upload, outcome in _in_order(pool, sender, _new(uploads, journal, report), options.n_parallel):
                if not outcome.problem:
                    journal.add(upload)
                report.add(outcome)
                on_progress(outcome)
        except BaseException:
            sender.stop.set()
            raise
        finally:
            pool.shutdown()
            sender.close()
    return report


def _new(uploads: Iterable[Upload], journal: LoadJournal, report: LoadReport) -> Iterator[Upload]:
    for upload in uploads:
        if journal.holds(upload):
            report.n_done_before += 1
        else:
            yield upload


def _in_order(
    pool: ThreadPoolExecutor, sender: "_Sender", uploads: Iterator[Upload], most: int
) -> Iterator[tuple[Upload, Outcome]]:
    """Sends some at a time; only so many are in memory."""
    waiting: deque[tuple[Upload, Future[Outcome]]] = deque()
    stage = None
    for upload in uploads:
        while waiting and (len(waiting) > most or upload.stage != stage):
            sent, future = waiting.popleft()
            yield sent, future.result()
        stage = upload.stage
        waiting.append((upload, pool.submit(sender.send, upload)))
    for sent, future in waiting:
        yield sent, future.result()


class _Sender:
    """Sends one request, again where that is safe and may help."""

    def __init__(self, options: LoadOptions) -> None:
        self._options = options
        self._parts = urlsplit(options.url.rstrip("/") or "/")
        self._threads = threading.local()
        self._open: list[http.client.HTTPConnection] = []
        self.stop = threading.Event()

    def close(self) -> None:
        """Closes the connections of all threads."""
        for connection in self._open:
            connection.close()

    def send(self, upload: Upload) -> Outcome:
        """Sends it and says what became of it."""
        for attempt in range(1, self._options.n_tries + 1):
            wait_s = min(_LONGEST_WAIT_S, 0.5 * 2**attempt) * random.uniform(0.5, 1.0)
            may_repeat = upload.is_repeatable
            try:
                status, headers, body = self._post(upload)
                if status not in _BUSY:
                    return _outcome(upload, status, body)
                may_repeat = may_repeat or status in _REFUSED_UNSEEN
                wait_s = _retry_after_s(headers.get("Retry-After")) or wait_s
                problem = f"{status} {_diagnostics(body)}"
            except ConnectionRefusedError as error:
                status, may_repeat, problem = 0, True, f"{self._options.url}: {error.strerror or error}"
            except (OSError, http.client.HTTPException) as error:
                status, problem = 0, f"{self._options.url}: {str(error) or type(error).__name__}"
                if not may_repeat:
                    problem += "; nobody can know whether it was loaded, and sending it again might add it twice"
            if not may_repeat or attempt == self._options.n_tries or self.stop.wait(wait_s):
                break
        return _failed(upload, status, problem)

    def _post(self, upload: Upload) -> tuple[int, Mapping[str, str], bytes]:
        connection = self._connection()
        headers = {"Content-Type": _MEDIA_TYPE, "Accept": _MEDIA_TYPE, "Prefer": "return=minimal"}
        if self._options.token:
            headers["Authorization"] = f"Bearer {self._options.token}"
        try:
            connection.request("POST", self._parts.path or "/", body=upload.body, headers=headers)
            response = connection.getresponse()
            return response.status, dict(response.headers.items()), response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise

    def _connection(self) -> http.client.HTTPConnection:
        """One connection a thread; it opens itself again after it was closed."""
        if not hasattr(self._threads, "connection"):
            host, port, timeout = self._parts.hostname or "", self._parts.port, self._options.timeout_s
            if self._parts.scheme == "https":
                context = ssl.create_default_context()
                self._threads.connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
            else:
                self._threads.connection = http.client.HTTPConnection(host, port, timeout=timeout)
            self._open.append(self._threads.connection)
        connection: http.client.HTTPConnection = self._threads.connection
        return connection


def _outcome(upload: Upload, status: int, body: bytes) -> Outcome:
    """Reads an answer: of a batch some entries may have been taken."""
    if status not in (200, 201):
        return _failed(upload, status, f"{status} {_diagnostics(body)}")
    answers = _entries(body)
    if len(answers) != upload.n_entries:
        return _failed(upload, status, f"{status}, but {len(answers)} answers to {upload.n_entries} entries")
    statuses = Counter(_status(answer) for answer in answers)
    bad = [answer for answer in answers if not 200 <= _status(answer) < 300]
    problem = ""
    if bad:
        response = bad[0].get("response", {})
        problem = f"{response.get('status')} {_text_of(response.get('outcome'))}"
    return Outcome(
        name=upload.name,
        n_loaded=len(answers) - len(bad),
        n_refused=len(bad),
        statuses=statuses,
        problem=problem,
    )


def _failed(upload: Upload, status: int, problem: str) -> Outcome:
    n = upload.n_entries
    return Outcome(name=upload.name, n_loaded=0, n_refused=n, statuses={status: n}, problem=problem)


def _entries(body: bytes) -> list[dict[str, Any]]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    entries = found.get("entry", []) if isinstance(found, dict) else []
    return [entry for entry in entries if isinstance(entry, dict)]


def _status(answer: Mapping[str, Any]) -> int:
    text = str(answer.get("response", {}).get("status", ""))[:3]
    return int(text) if text.isdigit() else 0


def _diagnostics(body: bytes) -> str:
    """What an answer says of itself."""
    try:
        return _text_of(orjson.loads(body))
    except orjson.JSONDecodeError:
        return body[:_SHOWN].decode(errors="replace").strip()


def _text_of(outcome: Any) -> str:  # noqa: ANN401 - whatever a server sent
    """The first words of an OperationOutcome."""
    for issue in outcome.get("issue", []) if isinstance(outcome, dict) else []:
        text = issue.get("diagnostics") or issue.get("details", {}).get("text")
        if text:
            return str(text)[:_SHOWN]
    return ""


def _retry_after_s(text: str | None) -> float | None:
    """Seconds until a server wants to be asked again: it gives a number, or a date."""
    if text is None:
        return None
    if text.isdigit():
        return min(float(text), _LONGEST_WAIT_S)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return min(max(moment.timestamp() - time.time(), 0.0), _LONGEST_WAIT_S)

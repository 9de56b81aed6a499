"""Sends requests to a FHIR server, again where that is safe and may help, and reads what it answers.

A request that would add its resources twice (POST) is sent again only when it surely was not taken: where nobody can
know, the outcome says so.
"""

import contextlib
import email.utils
import http.client
import random
import select
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import orjson

from fhir_export.upload import Upload
from trajsim.errors import ConfigError, ServerError

TOKEN = "TRAJSIM_FHIR_TOKEN"
"""The environment variable from which the command line takes the token."""

_MEDIA_TYPE = "application/fhir+json"
_UNAUTHORIZED = frozenset({401, 403})
_BUSY = frozenset({408, 409, 429, 500, 502, 503, 504})
_REFUSED_UNSEEN = frozenset({429, 503})  # the server says that it did nothing
_LONGEST_WAIT_S = 60.0
_ASK_AGAIN_S = 1.0
_CONNECT_S = 30.0
_MOST_UNANSWERED = 5
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
        wait_s: How long to wait for a server that is not there, at the start or in between.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    n_parallel: int = 4
    n_tries: int = 5
    timeout_s: float = 300.0
    wait_s: float = 120.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        try:
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # no such port
            is_address = False
        if not is_address or parts.query or parts.fragment:
            msg = f"--server must be the http or https address of a FHIR server, got {self.url!r}"
            raise ConfigError(msg, hint="for example http://localhost:8080/fhir")
        if parts.username is not None:
            msg = "--server must be an address without user and password"
            raise ConfigError(msg, hint=f"a bearer token is taken from the environment variable {TOKEN}")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and " " not in self.token):
            msg = f"{TOKEN} must hold a bearer token: printable ASCII without spaces"
            raise ConfigError(msg)
        for name, number in (("--parallel", self.n_parallel), ("--tries", self.n_tries), ("--timeout", self.timeout_s)):
            if number <= 0:
                msg = f"{name} must be positive, got {number}"
                raise ConfigError(msg)
        if self.wait_s < 0:
            msg = f"--wait must not be negative, got {self.wait_s}"
            raise ConfigError(msg)

    @property
    def base(self) -> str:
        """The address without a slash at its end."""
        return self.url.rstrip("/")

    @property
    def is_token_seen(self) -> bool:
        """Whether the token goes through a network as it is."""
        parts = urlsplit(self.url)
        return bool(self.token) and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")


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


class Sender:
    """Connections to a server, one a thread; use as a context.

    Args:
        options: How to load.
        on_wait: Called once with words whenever a server that is not there is waited for.
    """

    def __init__(self, options: LoadOptions, *, on_wait: Callable[[str], None] = lambda _: None) -> None:
        self._options = options
        self._on_wait = on_wait
        self._parts = urlsplit(options.base)
        self._threads = threading.local()
        self._open: list[http.client.HTTPConnection] = []
        self._n_unanswered = 0
        self.stop = threading.Event()

    def __enter__(self) -> "Sender":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections of all threads, also under requests that wait for their answer."""
        for connection in self._open:
            if connection.sock is not None:
                with contextlib.suppress(OSError):  # the server was faster
                    connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()

    def require_server(self) -> str:
        """Asks the server what it is, and waits for it if it is not there yet.

        Returns:
            Its name and version, as far as it tells them.

        Raises:
            ServerError: It is not there, wants a token, or is no FHIR R4 server.
        """
        status, headers, body = self._asked("GET", "/metadata", b"", is_patient=True)
        self._require_welcome(status, body)
        if 300 <= status < 400:
            msg = f"{self._options.url} has moved to {headers.get('Location')}"
            raise ServerError(msg, hint="name the new address, without /metadata")
        statement = _json(body)
        if status != 200 or not isinstance(statement, dict) or statement.get("resourceType") != "CapabilityStatement":
            msg = f"{self._options.url} is no FHIR server: {status} for {self._options.base}/metadata"
            raise ServerError(msg, hint="the base address often ends in /fhir, /fhir/R4 or /baseR4")
        version = str(statement.get("fhirVersion", "4"))
        if not version.startswith("4"):
            msg = f"{self._options.url} speaks FHIR {version}, and what is loaded is FHIR R4"
            raise ServerError(msg)
        software = statement.get("software")
        told = [software.get("name"), software.get("version")] if isinstance(software, dict) else []
        return " ".join(str(word) for word in told if word)

    def send(self, upload: Upload) -> Outcome:
        """Sends a request and says what became of it.

        Raises:
            ServerError: The server is gone, or no longer takes the token: all others would fail as well.
        """
        for attempt in range(1, self._options.n_tries + 1):
            wait_s = min(_LONGEST_WAIT_S, 0.5 * 2**attempt) * random.uniform(0.5, 1.0)
            may_repeat = upload.is_repeatable
            try:
                status, headers, body = self._asked("POST", "", upload.body, is_patient=False)
            except (OSError, http.client.HTTPException) as error:
                status, problem = 0, f"{self._options.url}: {str(error) or type(error).__name__}"
                if not may_repeat:
                    problem += "; nobody can know whether it was loaded, and sending it again might add it twice"
            else:
                self._n_unanswered = 0
                self._require_welcome(status, body)
                if status not in _BUSY:
                    return _outcome(upload, status, headers, body)
                is_undone = upload.is_atomic and _is_outcome(body)  # the FHIR server itself, no gateway before it
                may_repeat = may_repeat or is_undone or status in _REFUSED_UNSEEN
                wait_s = _retry_after_s(headers.get("Retry-After")) or wait_s
                problem = f"{status} {_diagnostics(body)}"
            if not may_repeat or attempt == self._options.n_tries or self.stop.wait(wait_s):
                break
        self._n_unanswered += status == 0
        if self._n_unanswered >= _MOST_UNANSWERED:
            msg = f"no answer to {self._n_unanswered} requests, the last: {problem}"
            raise ServerError(msg, hint="the same command goes on from here; --timeout gives a slow server more time")
        return _failed(upload, status, problem)

    def _require_welcome(self, status: int, body: bytes) -> None:
        if status in _UNAUTHORIZED:
            had = "does not take the token" if self._options.token else "wants a token"
            msg = f"{self._options.url} {had}: {status} {_diagnostics(body)}".rstrip()
            raise ServerError(
                msg, hint=f"put a fresh token into the environment variable {TOKEN} and give the same command again"
            )

    def _asked(
        self, method: str, path: str, content: bytes, *, is_patient: bool
    ) -> tuple[int, Mapping[str, str], bytes]:
        """The answer to a request; a server that is not there is waited for.

        With `is_patient` one that hangs up, as one behind a port that is opened before it does, counts as not there.
        """
        end = time.monotonic() + self._options.wait_s
        is_told = False
        while True:
            try:
                connection = self._connected()
            except OSError as error:
                fault: Exception = error
                is_hopeless = isinstance(error, ssl.SSLError) or (
                    isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN
                )
            else:
                try:
                    return self._answer(connection, method, path, content)
                except (OSError, http.client.HTTPException) as error:
                    connection.close()
                    if not is_patient:
                        raise
                    fault, is_hopeless = error, False
            words = f"{self._options.url}: {getattr(fault, 'strerror', None) or str(fault) or type(fault).__name__}"
            left_s = end - time.monotonic()
            if is_hopeless or left_s <= 0 or self.stop.is_set():
                raise ServerError(words, hint=_cure(fault)) from fault
            if not is_told:
                self._on_wait(f"{words}; waiting up to {self._options.wait_s:g} s for it")
                is_told = True
            self.stop.wait(min(_ASK_AGAIN_S, left_s))

    def _answer(
        self, connection: http.client.HTTPConnection, method: str, path: str, content: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"Accept": _MEDIA_TYPE}
        if content:
            headers |= {"Content-Type": _MEDIA_TYPE, "Prefer": "return=minimal"}
        if self._options.token:
            headers["Authorization"] = f"Bearer {self._options.token}"
        connection.request(method, self._parts.path + path or "/", body=content or None, headers=headers)
        response = connection.getresponse()
        return response.status, dict(response.headers.items()), response.read()

    def _connected(self) -> http.client.HTTPConnection:
        """The thread's connection, opened anew if the server has closed it meanwhile."""
        if not hasattr(self._threads, "connection"):
            host, port = self._parts.hostname or "", self._parts.port
            timeout = min(_CONNECT_S, self._options.timeout_s)
            if self._parts.scheme == "https":
                context = ssl.create_default_context()
                self._threads.connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
            else:
                self._threads.connection = http.client.HTTPConnection(host, port, timeout=timeout)
            self._open.append(self._threads.connection)
        connection: http.client.HTTPConnection = self._threads.connection
        if connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
            connection.close()  # nothing was asked, so what can be read is the end
        if connection.sock is None:
            self._connect(connection)
        return connection

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        connection.connect()
        connection.sock.settimeout(self._options.timeout_s)


def _cure(fault: Exception) -> str:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return "SSL_CERT_FILE names a file of certificates to trust"
    return "is the server running, and is the address right? The same command goes on from here"


def _outcome(upload: Upload, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    """Reads an answer: of a batch some entries may have been taken."""
    if 300 <= status < 400:
        return _failed(upload, status, f"{status} moved to {headers.get('Location')}")
    if status not in (200, 201):
        return _failed(upload, status, f"{status} {_diagnostics(body)}".rstrip())
    answers = _entries(body)
    if len(answers) != upload.n_entries:
        if upload.is_atomic:  # a server that says little; all or nothing was taken
            return Outcome(
                name=upload.name, n_loaded=upload.n_entries, n_refused=0, statuses={status: upload.n_entries}
            )
        return _failed(upload, status, f"{status}, but {len(answers)} answers to {upload.n_entries} entries")
    statuses = Counter(_status(answer) for answer in answers)
    bad = [answer for answer in answers if not 200 <= _status(answer) < 300]
    problem = ""
    if bad:
        response = bad[0].get("response", {})
        problem = f"{response.get('status')} {_text_of(response.get('outcome'))}".rstrip()
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


def _json(body: bytes) -> Any:  # noqa: ANN401 - whatever a server sent
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _is_outcome(body: bytes) -> bool:
    found = _json(body)
    return isinstance(found, dict) and found.get("resourceType") == "OperationOutcome"


def _entries(body: bytes) -> list[dict[str, Any]]:
    found = _json(body)
    entries = found.get("entry") if isinstance(found, dict) else None
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _status(answer: Mapping[str, Any]) -> int:
    response = answer.get("response")
    text = str(response.get("status", ""))[:3] if isinstance(response, dict) else ""
    return int(text) if text.isdigit() else 0


def _diagnostics(body: bytes) -> str:
    """What an answer says of itself."""
    found = _json(body)
    return body[:_SHOWN].decode(errors="replace").strip() if found is None else _text_of(found)


def _text_of(outcome: Any) -> str:  # noqa: ANN401 - whatever a server sent
    """The first words of an OperationOutcome."""
    issues = outcome.get("issue") if isinstance(outcome, dict) else None
    for issue in issues if isinstance(issues, list) else []:
        details = issue.get("details") if isinstance(issue, dict) else None
        text = issue.get("diagnostics") or (details.get("text") if isinstance(details, dict) else None)
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

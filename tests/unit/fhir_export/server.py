"""A FHIR server of a few lines, on loopback, that fails when it is told to."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

Json = dict[str, Any]


class Server:
    """A FHIR server of a few lines: keeps what it is sent, checks references, and fails when it is told to."""

    def __init__(self, port: int = 0) -> None:
        self.resources: dict[str, Json] = {}
        self.faults: list[tuple[int, Json, dict[str, str]] | None] = []  # one a request; None: hangs up
        self.metadata: tuple[int, Json] = (200, {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})
        self.tokens: list[str | None] = []
        self.sizes: list[int] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                bundle = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.tokens.append(self.headers["Authorization"])
                with outer._lock:
                    fault = outer.faults.pop(0) if outer.faults else (0, {}, {})
                    if fault is None:
                        self.close_connection = True
                        return
                    status, body, headers = fault if fault[0] else (*outer.take(bundle), {})
                self.answer(status, body, headers)

            def do_GET(self) -> None:
                outer.tokens.append(self.headers["Authorization"])
                self.answer(*outer.metadata, {})

            def answer(self, status: int, body: Json, headers: dict[str, str]) -> None:
                content = orjson.dumps(body)
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(content))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/fhir"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, bundle: Json) -> tuple[int, Json]:
        """Takes a transaction if all that it refers to is in it or here."""
        self.sizes.append(len(bundle["entry"]))
        known = set(self.resources)
        for entry in bundle["entry"]:
            known |= {entry["fullUrl"], f"{entry['resource']['resourceType']}/{entry['resource']['id']}"}
        answers = []
        for entry in bundle["entry"]:
            lost = [name for name in references(entry["resource"]) if name not in known]
            if lost:
                return 400, {"resourceType": "OperationOutcome", "issue": [{"diagnostics": f"no {lost[0]}"}]}
            url = entry["request"]["url"]
            answers.append({"response": {"status": "200 OK" if url in self.resources else "201 Created"}})
            if entry["request"]["method"] == "POST":
                url = f"{url}/{len(self.resources)}"
            self.resources[url] = entry["resource"]
        return 200, {"resourceType": "Bundle", "type": "transaction-response", "entry": answers}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def references(node: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(node, dict):
        for key, value in node.items():
            yield from [value] if key == "reference" else references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)

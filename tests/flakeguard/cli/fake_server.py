"""The ingest API's network edge, played from a script: real sockets, no FlakeGuard behind them."""

import json
import socket
import struct
import threading
import zlib
from collections import deque
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RESET = "reset"


@dataclass
class Recorded:
    method: str
    path: str
    headers: dict[str, str]
    meta: dict = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class FakeServer:
    """`answers` are taken in order; when there are none left, uploads are accepted."""

    url: str = ""
    answers: deque = field(default_factory=deque)
    states: deque = field(default_factory=deque)
    requests: list[Recorded] = field(default_factory=list)

    @property
    def uploads(self) -> list[Recorded]:
        return [request for request in self.requests if request.method == "POST"]

    def refuse(self, status, code, message="no", headers=None):
        body = {"error": {"code": code, "message": message, "request_id": "req-1"}}
        self.answers.append((status, headers or {}, body))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeServer

    def log_message(self, *_):
        pass

    def do_POST(self):
        recorded = self._record(self._body())
        answer = self.fake.answers.popleft() if self.fake.answers else None
        if answer == RESET:
            self._reset()
            return
        number = len(self.fake.uploads)
        data = {
            "ingestion_id": f"00000000-0000-0000-0000-{number:012}",
            "stored": {"junit_files": len(recorded.files), "test_results": None},
            "flake_events_created": None,
        }
        self._answer(*(answer or (202, {}, {"request_id": "req-1", "data": data})))

    def do_GET(self):
        self._record(b"")
        data = self.fake.states.popleft() if self.fake.states else {"state": "accepted"}
        self._answer(200, {}, {"request_id": "req-2", "data": data})

    def _record(self, body):
        recorded = Recorded(self.command, self.path, dict(self.headers))
        if body:
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
                content = part.get_payload(decode=True)
                if part.get_param("name", header="content-disposition") == "meta":
                    recorded.meta = json.loads(content)
                else:
                    recorded.files[part.get_filename()] = content
        self.fake.requests.append(recorded)
        return recorded

    def _body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _reset(self):
        # Linger 0 makes close() send RST.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _answer(self, status, headers, document):
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a connection that we reset ourselves


def serve():
    """Yield a running fake; a generator for a fixture."""
    fake = FakeServer()
    handler = type("BoundHandler", (Handler,), {"fake": fake})
    server = QuietServer(("127.0.0.1", 0), handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


def gunzip(content: bytes) -> bytes:
    return zlib.decompress(content, 16 + zlib.MAX_WBITS)

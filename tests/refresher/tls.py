"""An Offers service over TLS on loopback that knows no offers, and can leave connections hanging."""

import ssl
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HTTP1, HTTP2 = "http/1.1", "h2"

_HOST = "127.0.0.1"
_PREFACE_LENGTH, _HEAD_LENGTH = 24, 9
# Types and flags of HTTP/2's frames.
_DATA, _HEADERS, _SETTINGS, _GOAWAY = 0, 1, 4, 7
_ACK, _END_STREAM, _END_HEADERS = 1, 1, 4
# ":status: 200" in HPACK's static table.
_STATUS_200 = b"\x88"


class TlsService(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, certificate: Path, protocol: str, hanging: Collection[int], brief: Collection[int]
    ) -> None:
        super().__init__((_HOST, 0), _TlsHandler)
        self.address = f"https://{_HOST}:{self.server_port}/api/v1"
        self.ca_file = str(certificate)
        self.connections: list[ssl.SSLSocket] = []
        self._hanging = hanging
        self._brief = brief
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._context.set_alpn_protocols([protocol])

    def get_request(self) -> tuple[ssl.SSLSocket, Any]:
        request, address = super().get_request()
        return self._context.wrap_socket(request, server_side=True, do_handshake_on_connect=False), address

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.append(request)
        if len(self.connections) not in self._hanging:
            super().process_request(request, client_address)

    def is_brief(self, connection: ssl.SSLSocket) -> bool:
        return self.connections.index(connection) + 1 in self._brief

    def server_close(self) -> None:
        super().server_close()
        for connection in self.connections:
            connection.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients close connections without notice."""


class _TlsHandler(BaseHTTPRequestHandler):
    server: TlsService
    request: ssl.SSLSocket
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.request.do_handshake()
        if self.request.selected_alpn_protocol() == HTTP2:
            self._handle_http2()
        else:
            super().handle()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Tests print nothing."""

    def _handle_http2(self) -> None:
        """As much of HTTP/2 as calls without a body need."""
        self.rfile.read(_PREFACE_LENGTH)
        self._send_frame(_SETTINGS)
        while head := self.rfile.read(_HEAD_LENGTH):
            self.rfile.read(int.from_bytes(head[:3]))
            frame_type, flags, stream = head[3], head[4], int.from_bytes(head[5:])
            if frame_type == _SETTINGS and not flags & _ACK:
                self._send_frame(_SETTINGS, _ACK)
            if frame_type == _HEADERS:
                self._answer(stream)

    def _answer(self, stream: int) -> None:
        if self.server.is_brief(self.request):
            # Up to this stream, and for no error.
            self._send_frame(_GOAWAY, payload=stream.to_bytes(4) + bytes(4))
        self._send_frame(_HEADERS, _END_HEADERS, stream, _STATUS_200)
        self._send_frame(_DATA, _END_STREAM, stream, b"[]")

    def _send_frame(self, frame_type: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> None:
        head = len(payload).to_bytes(3) + bytes([frame_type, flags]) + stream.to_bytes(4)
        self.wfile.write(head + payload)


@contextmanager
def tls_service(
    folder: Path, protocol: str = HTTP1, *, hanging: Collection[int] = (), brief: Collection[int] = ()
) -> Iterator[TlsService]:
    """Connections are counted from 1; `hanging`: those that never get an answer to their handshake.

    `brief`: those that are for one call each (HTTP/2 only).
    """
    with TlsService(certificate(folder), protocol, hanging, brief) as service:
        threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True).start()
        yield service
        service.shutdown()


def certificate(folder: Path) -> Path:
    """A file with a self-signed certificate for this machine and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _HOST)])
    now, day = datetime.now(UTC), timedelta(days=1)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(_HOST))]), critical=False)
        .sign(key, SHA256())
    )
    file = folder / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(signed.public_bytes(Encoding.PEM) + private)
    return file

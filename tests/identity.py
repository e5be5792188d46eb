"""An identity provider on loopback: it serves its keys over HTTP and signs tokens with them."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

ISSUER = "https://id.example/realm"
AUDIENCE = "productator"
_MAKERS = {
    "RS": lambda: rsa.generate_private_key(65537, 2048),
    "PS": lambda: rsa.generate_private_key(65537, 2048),
    "ES": lambda: ec.generate_private_key(ec.SECP256R1()),
    "Ed": ed25519.Ed25519PrivateKey.generate,
}


@dataclass(frozen=True)
class SigningKey:
    """A private key and what is published of it."""

    id: str
    algorithm: str = "ES256"
    private: Any = field(default=None, repr=False)

    @classmethod
    def new(cls, key_id: str, algorithm: str = "ES256") -> "SigningKey":
        return cls(key_id, algorithm, _MAKERS[algorithm[:2]]())

    def published(self, **over: Any) -> dict[str, Any]:
        """As a JSON Web Key."""
        public: dict[str, Any] = get_default_algorithms()[self.algorithm].to_jwk(
            self.private.public_key(), as_dict=True
        )
        return public | {"kid": self.id, "use": "sig", "alg": self.algorithm} | over

    def token(self, *, headers: dict[str, Any] | None = None, **over: Any) -> str:
        """A valid token, except for the given claims and headers; None omits one."""
        named = {"kid": self.id} | (headers or {})
        kept = {name: value for name, value in named.items() if value is not None}
        # Not `jwt.encode`, which refuses to write some of what we have to refuse to read.
        return jwt.PyJWS().encode(json.dumps(claims(**over)).encode(), self.private, self.algorithm, kept)


def claims(**over: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "shop", "iat": now, "exp": now + 300, "scope": "read"}
    return {name: value for name, value in (good | over).items() if value is not None}


class Jwks(ThreadingHTTPServer):
    """The provider's JWKS address."""

    def __init__(self, *keys: SigningKey) -> None:
        super().__init__(("127.0.0.1", 0), _KeysHandler)
        self.asked = 0
        self.status = 200
        self.body = b""
        self.publish(*keys)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/keys"

    def publish(self, *keys: SigningKey) -> None:
        self.body = json.dumps({"keys": [key.published() for key in keys]}).encode()

    def stop(self) -> None:
        """May be called again."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
            self.server_close()


class _KeysHandler(BaseHTTPRequestHandler):
    server: Jwks

    def do_GET(self) -> None:
        self.server.asked += 1
        # Where a redirect leads, there are keys.
        self.send_response(200 if self.path == "/elsewhere" else self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Nothing: tests look at what was answered."""

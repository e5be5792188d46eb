"""The command that the documents show for checking a signature."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

DOCUMENT = Path(__file__).parents[3] / "docs" / "alerts.md"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"type":"price.threshold","data":{"product":{"name":"Mlýnek “Kono”"},"price":4990}}'


@pytest.fixture
def command() -> str:
    """The block that checks a signature."""
    blocks = re.findall("```sh\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [str(block) for block in blocks if "openssl" in block]
    return found.replace("whsec_...", SECRET)


def checked(command: str, folder: Path, *, body: str) -> list[str]:
    """What it prints about the message that the receiver of the document has kept."""
    now = datetime.now(UTC)
    signature = Webhook(SECRET).sign("msg_1", now, BODY)
    headers = {"ID": "msg_1", "TIMESTAMP": int(now.timestamp()), "SIGNATURE": signature}
    lines = [f"WEBHOOK_{name}='{value}'\n" for name, value in headers.items()]
    (folder / "headers.sh").write_text("".join(lines), encoding="utf-8")
    (folder / "body.json").write_text(body, encoding="utf-8")
    ran = subprocess.run(["sh", "-ec", command], cwd=folder, capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()


def test_it_prints_the_signature_that_the_message_has(command: str, tmp_path: Path) -> None:
    computed, sent = checked(command, tmp_path, body=BODY)

    assert sent == f"v1,{computed}"


def test_it_prints_another_one_for_a_changed_message(command: str, tmp_path: Path) -> None:
    computed, sent = checked(command, tmp_path, body=BODY.replace("4990", "4991"))

    assert sent != f"v1,{computed}"

"""Imports that are killed, and exports whose reader ends early."""

import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from lab.catalogue import Catalogue
from lab.processes.system import System
from lab.waiting import eventually
from productator.models import Product

COUNT = 20_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "products.csv"
    file.write_text("name,description\n" + "".join(f'Product {number},"a\nb"\n' for number in range(COUNT)))
    return file


def stored(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(Product)) or 0


def kill_an_import(system: System, engine: Engine, file: Path) -> None:
    """Kills it at a random moment, after it has stored some products."""
    some_more = stored(engine) + random.randint(1, COUNT // 5)
    killed = system.productator("products", "import", str(file))
    eventually(lambda: stored(engine) >= some_more)
    killed.process.kill()
    assert killed.end() < 0


def test_an_import_that_is_killed_again_and_again_imports_each_record_once(
    system: System, engine: Engine, file: Path
) -> None:
    for _ in range(3):
        kill_an_import(system, engine, file)

    before = stored(engine)
    last = system.productator("products", "import", str(file))

    assert last.end() == 0
    imported, already_there = map(int, re.findall(r"(\d+) (?:imported|already there)", last.printed))
    assert imported + already_there == COUNT
    # Not equal: the server may still commit rows that the last import had sent before it was killed.
    assert already_there >= before
    with engine.connect() as connection:
        names = Counter(connection.scalars(select(Product.name)))
    assert names == Counter(f"Product {number}" for number in range(COUNT))


def test_every_imported_product_can_be_refreshed(system: System, catalogue: Catalogue, file: Path) -> None:
    """A killed import leaves no product without a schedule."""
    killed = system.productator("products", "import", str(file))
    eventually(lambda: len(catalogue.remote_ids()) >= 1)
    killed.process.kill()
    killed.end()

    assert len(catalogue.stale_since(catalogue.latest_due())) == len(catalogue.remote_ids())


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_an_export_whose_reader_ends_early_prints_no_error(system: System, catalogue: Catalogue) -> None:
    catalogue.add_products(5_000)
    errors = system.folder / "errors.txt"
    program = Path(sys.executable).parent / "productator"

    head = subprocess.run(
        ["sh", "-c", f"{program} products export 2> {errors} | head -n 2"],
        env=system.environment(),
        capture_output=True,
        check=True,
    )

    assert len(head.stdout.splitlines()) == 2
    assert errors.read_text() == ""

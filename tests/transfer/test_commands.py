"""`productator products import` and `export`, on every database."""

import gzip
import json
import multiprocessing
import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session, sessionmaker

from productator.catalogue import products
from productator.cli import main
from productator.database.engine import snapshot
from productator.models import Product, Refresh
from tests import factories
from tests.marks import SENDS_NO_SQL

ROOT = Path(__file__).parents[2]
ADVICE = "Fix the file and run it again, or import the valid records with --skip-invalid."
Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `productator products ...` on the test's database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("PRODUCTATOR_CONFIG", str(ROOT / "config.cfg"))
    return lambda *arguments, **options: CliRunner().invoke(main, ["products", *arguments], **options)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "products.csv"


def names(sessions: sessionmaker[Session]) -> list[str]:
    with sessions() as session:
        return list(session.scalars(select(Product.name).order_by(Product.id)))


def rows(count: int) -> str:
    return "name\n" + "".join(f"Product {number}\n" for number in range(count))


def test_every_record_becomes_a_product(run: Run, file: Path, sessions: sessionmaker[Session]) -> None:
    file.write_text("name,description\nKettle,1.7 l\nTeapot,\n")

    result = run("import", str(file))

    assert (result.exit_code, result.output) == (0, f"{file}: 2 imported, 0 already there, 0 invalid.\n")
    assert names(sessions) == ["Kettle", "Teapot"]


def test_imported_products_are_pending_and_due(run: Run, file: Path, sessions: sessionmaker[Session]) -> None:
    file.write_text(rows(3))
    run("import", str(file))

    with sessions() as session:
        due = select(Product.created_at, Product.registered_at, Refresh.due_at).join(Refresh)
        found = session.execute(due).all()
    assert len(found) == 3
    assert all(row.due_at == row.created_at and row.registered_at is None for row in found)


def test_a_file_is_imported_once_however_often_it_is_given(
    run: Run, file: Path, sessions: sessionmaker[Session]
) -> None:
    file.write_text(rows(1_200))
    run("import", str(file))

    again = run("import", str(file))

    assert "0 imported, 1200 already there" in again.output
    assert len(names(sessions)) == 1_200


def test_equal_records_of_a_file_are_products_of_their_own(
    run: Run, file: Path, sessions: sessionmaker[Session]
) -> None:
    file.write_text("name\nKettle\nKettle\n")
    run("import", str(file))

    assert names(sessions) == ["Kettle", "Kettle"]


def test_another_file_may_hold_the_same_records(
    run: Run, file: Path, tmp_path: Path, sessions: sessionmaker[Session]
) -> None:
    other = tmp_path / "other.csv"
    file.write_text("name\nKettle\n")
    other.write_text("name\nKettle\nTeapot\n")
    run("import", str(file))
    run("import", str(other))

    assert names(sessions) == ["Kettle", "Kettle", "Teapot"]


def test_an_import_that_was_interrupted_continues(
    run: Run, file: Path, sessions: sessionmaker[Session]
) -> None:
    file.write_text(rows(1_200))
    run("import", str(file))
    with sessions.begin() as session:
        session.execute(delete(Product).where(Product.name.in_([f"Product {n}" for n in range(700, 1_200)])))

    again = run("import", str(file))

    assert "500 imported, 700 already there" in again.output
    assert Counter(names(sessions)) == Counter(f"Product {number}" for number in range(1_200))


def test_a_file_with_invalid_records_is_not_imported(
    run: Run, file: Path, sessions: sessionmaker[Session]
) -> None:
    file.write_text("name\nKettle\n \nTeapot\n \n")

    result = run("import", str(file))

    assert result.exit_code == 1
    assert result.stderr == "".join(f"{file}:{line}: name: Must not be blank.\n" for line in (3, 5))
    assert result.stdout == f"{file}: 2 valid, 2 invalid; none imported. {ADVICE}\n"
    assert names(sessions) == []


def test_the_valid_records_are_imported_on_demand(
    run: Run, file: Path, sessions: sessionmaker[Session]
) -> None:
    file.write_text("name\nKettle\n \nTeapot\n")

    result = run("import", str(file), "--skip-invalid")

    assert result.exit_code == 1
    assert result.stdout == f"{file}: 2 imported, 0 already there, 1 invalid.\n"
    assert names(sessions) == ["Kettle", "Teapot"]


def test_a_dry_run_writes_nothing(run: Run, file: Path, sessions: sessionmaker[Session]) -> None:
    file.write_text(rows(3))

    result = run("import", str(file), "--dry-run")

    assert (result.exit_code, result.output) == (0, f"{file}: 3 valid, 0 invalid; none imported.\n")
    assert names(sessions) == []


def test_the_summary_names_what_was_ignored(run: Run, file: Path, sessions: sessionmaker[Session]) -> None:
    file.write_text("name;Price;\x1b[2J;\nKettle;7;x;\n")

    result = run("import", str(file), "--ignore-unknown")

    said = f"{file}: 1 imported, 0 already there, 0 invalid. Ignored: '\\x1b[2J', Price.\n"
    assert (result.exit_code, result.output) == (0, said)
    assert names(sessions) == ["Kettle"]


@SENDS_NO_SQL
def test_an_unknown_column_is_named_with_what_to_do(run: Run, file: Path) -> None:
    file.write_text("name;Price\nKettle;7\n")

    assert run("import", str(file)).stderr == (
        f"{file}:1: The column 'Price' is unknown: rename or remove it, or ignore it with --ignore-unknown.\n"
    )


@pytest.mark.parametrize(
    "name", ["a.csv", "a.CSV.gz", "a.tsv", "a.json", "a.json.gz", "a.jsonl", "a.ndjson.gz"]
)
def test_the_name_of_a_file_gives_its_format(run: Run, tmp_path: Path, name: str) -> None:
    text = b"name\nKettle\n" if "a.json" not in name and "nd" not in name else b'{"name": "Kettle"}'
    tmp_path.joinpath(name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)

    assert "1 imported" in run("import", str(tmp_path / name)).output


def test_a_packed_file_and_its_contents_are_the_same_file(run: Run, file: Path) -> None:
    file.write_text("name\nKettle\n")
    packed = file.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(file.read_bytes()))
    run("import", str(file))

    assert "0 imported, 1 already there" in run("import", str(packed)).output
    assert (
        "0 imported, 1 already there"
        in run("import", "-", "--format", "csv", input=packed.read_bytes()).output
    )


@pytest.mark.parametrize("damage", [lambda packed: packed[:-9], lambda packed: packed[:12] + b"x" * 20])
@SENDS_NO_SQL
def test_a_damaged_packed_file_is_one_sentence(
    run: Run, file: Path, damage: Callable[[bytes], bytes]
) -> None:
    file.write_bytes(damage(gzip.compress(rows(100).encode())))

    result = run("import", str(file))

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {file}: the gzip file is damaged or incomplete")


def test_every_item_of_an_array_is_a_product_of_its_own(
    run: Run, tmp_path: Path, sessions: sessionmaker[Session]
) -> None:
    file = tmp_path / "products.json"
    file.write_text('[{"name": "Kettle"}, {"name": "Kettle"}]')

    first, second = (run("import", str(file)) for _ in range(2))

    assert "2 imported, 0 already there" in first.output
    assert "0 imported, 2 already there" in second.output
    assert names(sessions) == ["Kettle", "Kettle"]


@SENDS_NO_SQL
def test_a_mistake_in_an_array_is_reported_with_line_and_item(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "products.json"
    file.write_text('[{"name": "Kettle"},\n {"name": ""}]')

    said = run("import", str(file)).stderr

    assert said == f"{file}:2: item 2: name: String should have at least 1 character.\n"


@SENDS_NO_SQL
def test_only_the_first_hundred_mistakes_are_shown(run: Run, file: Path) -> None:
    file.write_text("name\n" + " \n" * 5_000)

    result = run("import", str(file))

    assert len(result.stderr.splitlines()) == 101
    assert result.stderr.endswith("4900 more invalid records.\n")


@SENDS_NO_SQL
def test_the_name_of_a_field_does_not_control_the_terminal(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(json.dumps({"name": "Kettle", "\x1b[2J": 1}))

    assert "\x1b" not in run("import", str(file)).stderr


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
def test_products_come_through_the_standard_input(
    run: Run, sessions: sessionmaker[Session], format_: str
) -> None:
    given = {"csv": "name\nKettle\n", "jsonl": '{"name": "Kettle"}\n'}[format_]

    first, second = (run("import", "-", "--format", format_, input=given) for _ in range(2))

    assert "standard input: 1 imported" in first.output
    assert "0 imported, 1 already there" in second.output
    assert names(sessions) == ["Kettle"]


@pytest.mark.parametrize("file", ["-", "products.txt"])
@SENDS_NO_SQL
def test_a_format_that_does_not_follow_from_the_name_is_asked_for(
    run: Run, tmp_path: Path, file: str
) -> None:
    tmp_path.joinpath("products.txt").write_text("name\n")

    result = run("import", file if file == "-" else str(tmp_path / file))

    assert result.exit_code == 2
    assert "--format" in result.stderr


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_a_database_without_its_schema_is_one_sentence(run: Run, file: Path, empty_database_url: str) -> None:
    file.write_text(rows(1))

    result = run("import", str(file), env={"DATABASE_URL": empty_database_url})

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The database cannot be used")


def imported_in_a_process(file: str) -> None:
    main(["products", "import", file])


def test_runs_at_the_same_time_import_each_record_once(
    run: Run, file: Path, sessions: sessionmaker[Session]
) -> None:
    file.write_text(rows(3_000))
    processes = [
        multiprocessing.get_context("spawn").Process(target=imported_in_a_process, args=[str(file)])
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert Counter(names(sessions)) == Counter(f"Product {number}" for number in range(3_000))


@pytest.mark.parametrize("name", ["out.csv", "out.json", "out.jsonl", "out.csv.gz", "out.json.gz"])
def test_what_is_exported_can_be_imported(
    run: Run, tmp_path: Path, sessions: sessionmaker[Session], name: str
) -> None:
    factories.stored_product(sessions, name='Čaj, "zelený"', description="one\r\ntwo")
    factories.stored_product(sessions, name="=1+1")
    run("export", "--output", str(tmp_path / name))

    result = run("import", str(tmp_path / name))

    assert "2 imported" in result.output
    assert names(sessions) == ['Čaj, "zelený"', "=1+1"] * 2


def test_an_export_has_the_fields_of_the_api(run: Run, client: FlaskClient) -> None:
    product = factories.posted_product(client, name="Kettle")

    assert [json.loads(line) for line in run("export", "--format", "jsonl").stdout.splitlines()] == [product]


def test_an_export_of_many_has_them_all_in_order(
    run: Run, file: Path, sessions: sessionmaker[Session]
) -> None:
    file.write_text(rows(2_500))
    run("import", str(file))

    lines = run("export").stdout.splitlines()

    assert lines[0] == "id,name,description,registration,created_at,updated_at"
    assert [line.split(",")[1] for line in lines[1:]] == [f'"Product {number}"' for number in range(2_500)]


@pytest.mark.parametrize("format_", ["csv", "json", "jsonl"])
def test_an_export_of_nothing_can_be_imported(run: Run, tmp_path: Path, format_: str) -> None:
    file = tmp_path / f"out.{format_}"
    run("export", "--output", str(file))

    assert "0 imported" in run("import", str(file)).output


def test_an_export_for_spreadsheets_is_harmless(run: Run, sessions: sessionmaker[Session]) -> None:
    factories.stored_product(sessions, name="=1+1", description="Čaj")

    result = run("export", "--excel")

    assert result.stdout.startswith("\ufeffid,name,description,")
    assert f"""{chr(34)}'=1+1","Čaj",""" in result.stdout


@SENDS_NO_SQL
def test_only_csv_is_for_spreadsheets(run: Run) -> None:
    result = run("export", "--excel", "--format", "jsonl")

    assert result.exit_code == 2
    assert "--excel writes CSV" in result.stderr


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_a_file_that_is_replaced_keeps_its_mode(run: Run, file: Path, mode: int) -> None:
    file.touch()
    file.chmod(mode)

    run("export", "--output", str(file))

    assert file.read_text() != ""
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_an_export_of_nothing_has_a_header(run: Run) -> None:
    assert run("export").stdout == "id,name,description,registration,created_at,updated_at\n"


def test_a_file_is_replaced_whole_or_not_at_all(run: Run, file: Path, tmp_path: Path) -> None:
    file.write_text("as it was")
    empty = tmp_path / "empty.db"
    empty.touch()

    result = run("export", "--output", str(file), env={"DATABASE_URL": f"sqlite:///{empty}"})

    assert result.exit_code == 1
    assert file.read_text() == "as it was"
    assert [each.name for each in tmp_path.glob("*products*")] == ["products.csv"]


def test_a_missing_folder_is_an_error(run: Run, tmp_path: Path) -> None:
    result = run("export", "--output", str(tmp_path / "nowhere" / "out.csv"))

    assert result.exit_code == 1
    assert "No such file or directory" in result.stderr


def test_an_export_sees_one_moment_and_blocks_no_write(
    engine: Engine, sessions: sessionmaker[Session]
) -> None:
    factories.stored_product(sessions, name="Kettle")
    with snapshot(engine.url.render_as_string(hide_password=False)) as connection:
        before = [row.name for row in products.every(connection)]
        factories.stored_product(sessions, name="Teapot")
        after = [row.name for row in products.every(connection)]

    assert before == after == ["Kettle"]
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Product)) == 2

"""Products for spreadsheets."""

from io import BytesIO

import pytest

from productator.transfer.csv_reading import csv_records
from productator.transfer.records import Record
from productator.transfer.writing import write_csv, write_excel

DANGEROUS = ["=1+1", "+1", "-1", "@SUM(1)", "\tx", "\rx", "\nx", " =1", "\uff1d1+1"]


def written(name: str, *, price: int = -1) -> bytes:
    stream = BytesIO()
    write_excel(stream, [{"name": name, "price": price}], columns=("name", "price"))
    return stream.getvalue()


@pytest.mark.parametrize("name", DANGEROUS)
def test_a_spreadsheet_takes_no_name_for_a_formula(name: str) -> None:
    assert written(name).decode() == f'\ufeffname,price\n"\'{name}",-1\n'


@pytest.mark.parametrize("name", ["Kettle", "1-2", "a=b", "", "'", "Čaj"])
def test_other_names_are_written_as_they_are(name: str) -> None:
    assert written(name).decode() == f'\ufeffname,price\n"{name}",-1\n'


@pytest.mark.parametrize("name", [f"{name}x" for name in DANGEROUS])
def test_a_plain_export_is_exact(name: str) -> None:
    stream = BytesIO()
    write_csv(stream, [{"name": name}], columns=("name",))

    (record,) = csv_records(stream)
    assert isinstance(record, Record)
    assert record.product.name == name

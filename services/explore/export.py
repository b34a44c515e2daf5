"""An answer as a file: exactly its rows, with units in the headings. Unknown is an empty cell, money is exact."""

import csv
import io
from collections.abc import Iterable
from decimal import Decimal, localcontext
from numbers import Integral, Real
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from services.errors import BadInput
from services.metrics import Answer
from services.metrics.columns import WHOLE, Column, columns

FORMATS = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
# A spreadsheet takes a cell that begins so for a formula and would run it.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
PRECISION, PLACES = 38, 18


def write(answer: Answer, form: str) -> bytes:
    """The file in one of FORMATS; raises BadInput for another."""
    if form not in FORMATS:
        raise BadInput(f"Unknown format '{form[:100]}': choose one of {', '.join(FORMATS)}.")
    return _csv(answer) if form == "csv" else _parquet(answer)


def file_name(measure: str, by: Iterable[str], start: object, end: object, form: str) -> str:
    """Such as binnacle-cost-by-model-2026-01-01-2026-02-01.csv; only letters, digits and dashes."""
    words = "-".join(["binnacle", measure, *(["by", *by] if by else []), str(start)[:10], str(end)[:10]])
    return "".join(letter if letter.isalnum() else "-" for letter in words) + f".{form}"


def safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _csv(answer: Answer) -> bytes:
    told = columns(answer.frame.columns)
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet)
    writer.writerow([safe(column.header(answer.zone)) for column in told])
    writer.writerows(zip(*([_written(value, column) for value in _values(answer, column)] for column in told), strict=True))
    return sheet.getvalue().encode("utf-8", "backslashreplace")


def _written(value: Any, column: Column) -> str:  # noqa: ANN401 - frames hold many kinds of numbers
    match value:
        case None:
            return ""
        case str():
            return safe(value)
        case pd.Timestamp():
            return str(value.isoformat())
        case Decimal():
            return format(value, "f")
        case Integral():
            return str(int(value))
        case _:
            return str(int(value)) if column.unit in WHOLE and float(value).is_integer() else repr(float(value))


def _parquet(answer: Answer) -> bytes:
    told = columns(answer.frame.columns)
    arrays = [_array(_values(answer, column), column, answer.zone) for column in told]
    fields = [
        pa.field(column.header(answer.zone), array.type, metadata={"name": column.name, "unit": column.unit})
        for column, array in zip(told, arrays, strict=True)
    ]
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), sink, compression="zstd")
    return bytes(sink.getvalue())


def _array(values: list[Any], column: Column, zone: str) -> pa.Array:
    if column.unit == "time":
        return pa.array(values, pa.timestamp("us", zone))
    if column.unit == "text":
        return pa.array(values, pa.string())
    if column.unit == "usd":
        return pa.array([None if value is None else _money(value) for value in values], pa.decimal128(PRECISION, PLACES))
    whole = column.unit in WHOLE and all(value is None or float(value).is_integer() for value in values)
    kind, number = (pa.int64(), int) if whole else (pa.float64(), float)
    return pa.array([None if value is None else number(value) for value in values], kind)


def _money(value: object) -> Decimal:
    with localcontext(prec=PRECISION):
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-PLACES))


def _values(answer: Answer, column: Column) -> list[Any]:
    """The column as plain values, None for what is unknown."""
    return [None if _unknown(value) else value for value in answer.frame[column.name].astype(object)]


def _unknown(value: object) -> bool:
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return isinstance(value, Real) and not isinstance(value, Integral) and not float("-inf") < float(value) < float("inf")

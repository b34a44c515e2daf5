"""Frames as JSON rows: money exact to its last digit, unknown as null, instants with their offset."""

import json
import math
from decimal import Decimal
from numbers import Integral, Real

import pandas as pd


def rows(frame: pd.DataFrame, whole: frozenset[str]) -> str:
    """A JSON array with an object a row; the columns of `whole` are counts and written without a fraction."""
    names = [json.dumps(str(name)) for name in frame.columns]
    columns = [[cell(value, name in whole) for value in frame[name].astype(object)] for name in frame.columns]
    return "[" + ",".join("{" + ",".join(map(":".join, zip(names, row, strict=True))) + "}" for row in zip(*columns, strict=True)) + "]"


def cell(value: object, whole: bool = False) -> str:
    """One value; TypeError for what has no place in a metrics answer."""
    if value is None or value is pd.NaT or value is pd.NA:
        return "null"
    match value:
        case str():
            written = json.dumps(value)
        case pd.Timestamp():
            written = json.dumps(value.isoformat())
        case Decimal():
            written = format(value, "f") if value.is_finite() else "null"
        case Integral():
            written = str(int(value))
        case Real():
            written = _number(float(value), whole)
        case _:
            raise TypeError(f"{type(value).__name__} cannot be written as a metric")
    return written


def _number(value: float, whole: bool) -> str:
    if not math.isfinite(value):
        return "null"
    return str(int(value)) if whole and value.is_integer() else repr(value)

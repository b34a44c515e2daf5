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
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, pd.Timestamp):
        return json.dumps(value.isoformat())
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        number = float(value)
        if not math.isfinite(number):
            return "null"
        return str(int(number)) if whole and number.is_integer() else repr(number)
    raise TypeError(f"{type(value).__name__} cannot be written as a metric")

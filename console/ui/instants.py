"""Instants and how long things took, as tables and sentences of the console show them: in the reporting zone."""

from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from console.ui import formats
from services import clock
from services.settings import settings


def at(instant: datetime | None, none: str = "") -> str:
    """To the second; `none` where there is none."""
    return none if instant is None else f"{instant.astimezone(settings().zone):%Y-%m-%d %H:%M:%S}"


def since(instant: datetime | None, none: str = "") -> str:
    """How long ago."""
    return none if instant is None else formats.duration(max((clock.utc_now() - instant).total_seconds(), 0.0))


def between(start: datetime | None, end: datetime | None, none: str = "") -> str:
    """How long from one to the other; never less than nothing, whatever two clocks say."""
    return none if start is None or end is None else formats.duration(max((end - start).total_seconds(), 0.0))


def column(instants: list[datetime | None]) -> pd.Series:
    """A column of clock times of the reporting zone: Streamlit would show another zone to each person."""
    return pd.to_datetime(pd.Series(instants, dtype="object"), utc=True).dt.tz_convert(settings().zone).dt.tz_localize(None)


def shown(label: str) -> Any:  # noqa: ANN401 - Streamlit names the type nowhere public
    """How such a column is shown."""
    return st.column_config.DatetimeColumn(label, format="YYYY-MM-DD HH:mm:ss")

"""Today so far beside the same hours of yesterday and of a week ago."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from console.ui import formats
from services.metrics import MEASURES, Answer


def table(yesterday: Answer, last_week: Answer, measures: Sequence[str]) -> None:
    """A row a measure; both answers are of today, compared with a day and with a week before."""
    now, week = yesterday.frame.iloc[0], last_week.frame.iloc[0]
    rows = []
    for name in measures:
        unit = MEASURES[name].unit
        then = (now[f"{name}_previous"], week[f"{name}_previous"])
        rows.append(
            {
                "": MEASURES[name].label,
                "Today": formats.number(now[name], unit),
                "Yesterday": formats.number(then[0], unit),
                "Change": formats.change(now[name], then[0], unit) or "",
                "A week ago": formats.number(then[1], unit),
                "Change since": formats.change(now[name], then[1], unit) or "",
            }
        )
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Today beside the same hours of yesterday and of a week ago")

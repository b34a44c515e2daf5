"""What a page shows, read back from the screen: tiles as numbers with what their rounding hides, charts as points, tables as frames."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from streamlit.testing.v1 import AppTest

from console.ui.quoted import JOINER

SIZES = {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9}
PARTS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3_600.0}
NUMBER = re.compile(r"^([+±-]?)\$?([\d,]+(?:\.(\d+))?)\s*(%|k|M|B|/min|of 5| points|×)?$")


@dataclass(frozen=True)
class Figure:
    """A chart: its traces by name, each from where to how much; `title` stands over it."""

    title: str
    alt: str
    traces: dict[str, dict[Any, float | None]]


def tiles(app: AppTest) -> dict[str, str]:
    """The text of each tile by its label."""
    return {tile.label: tile.value for tile in app.metric}


def wrong(app: AppTest) -> str:
    """What the error boxes say as it is read: without the marks that keep it from being Markdown."""
    return "\n".join(re.sub(r"\\(\W)", r"\1", error.value).replace(JOINER, "") for error in app.error)


def tables(app: AppTest) -> dict[str, pd.DataFrame]:
    """Each table by the words that stand for it."""
    return {table.proto.alt: table.value for table in app.dataframe}


def figures(app: AppTest) -> dict[str, Figure]:
    """Each chart by its title."""
    titles = {element.value.strip("*") for element in app.markdown if element.value.startswith("**")}
    found = {}
    for chart in app.get("plotly_chart"):
        title = next(title for title in titles if chart.proto.id.endswith(f"-{title}"))
        drawn = [_decoded(trace) for trace in json.loads(chart.proto.spec)["data"]]
        found[title] = Figure(title, chart.proto.alt, {trace.get("name") or "": _points(trace) for trace in drawn})
    return found


def said(text: str) -> tuple[float | None, float]:
    """A number as it is written, in the measure's own base unit, and half of its last digit; None where it says unknown."""
    if text == "unknown":
        return None, 0.0
    if all(part in PARTS or re.fullmatch(r"[\d,.]+", part) for part in text.split()) and len(text.split()) % 2 == 0:
        pairs = list(zip(text.split()[::2], text.split()[1::2], strict=True))
        value = sum(float(number.replace(",", "")) * PARTS[part] for number, part in pairs)
        number, part = pairs[-1]
        return value, 0.5 * PARTS[part] * 10.0 ** -len(number.partition(".")[2])
    told = NUMBER.match(text)
    assert told is not None, f"{text!r} is no number that a page may show"
    scale = 0.01 if told[4] in ("%", " points") else SIZES.get(told[4] or "", 1.0)
    value = float(told[2].replace(",", "")) * scale * (-1 if told[1] == "-" else 1)
    return value, 0.5 * scale * 10.0 ** -len(told[3] or "")


def agrees(text: str, value: Any, *, scale: float = 1.0) -> bool:  # noqa: ANN401 - frames hold many kinds of numbers
    """Whether what is written is this value, as far as its digits go."""
    shown, off = said(text)
    if shown is None or pd.isna(value):
        return shown is None and bool(pd.isna(value))
    return abs(shown - float(value) * scale) <= off * 1.000001


def _decoded(trace: dict[str, Any]) -> dict[str, Any]:
    return {name: _array(value) for name, value in trace.items()}


def _array(value: Any) -> Any:  # noqa: ANN401 - whatever Plotly writes
    """Plotly writes longer arrays of numbers as base64."""
    if isinstance(value, dict) and "bdata" in value:
        flat = np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"])
        shape = [int(size) for size in value["shape"].split(",")] if "shape" in value else [-1]
        return flat.reshape(shape).tolist()
    return value


def _points(trace: dict[str, Any]) -> dict[Any, float | None]:
    """From where to how much; for bars that lie, by their name; for a map of squares by both sides."""
    if trace["type"] == "heatmap":
        counts = trace.get("customdata") or trace["z"]
        return {(x, y): _known(n) for y, row in zip(trace["y"], counts, strict=True) for x, n in zip(trace["x"], row, strict=True)}
    if trace["type"] == "treemap":
        return dict(zip(trace["ids"], map(_known, trace["values"]), strict=True))
    if trace.get("orientation") == "h":
        return dict(zip(trace["customdata"], map(_known, trace["x"]), strict=True))
    return dict(zip(map(_moment, trace["x"]), map(_known, trace["y"]), strict=True))


def _moment(x: Any) -> Any:  # noqa: ANN401 - a category or an instant
    try:
        return pd.Timestamp(x).tz_localize(None) if not isinstance(x, int | float) else x
    except (ValueError, TypeError):
        return x


def _known(value: Any) -> float | None:  # noqa: ANN401
    return None if value is None or pd.isna(value) else float(value)

"""How cells are read, field by field: what they mean, and what means nothing."""

from datetime import UTC, datetime

import pytest

from services.telemetry.importers.columns import convert, converter
from services.telemetry.importers.maps import Map


def plan(**told: object) -> Map:
    fields = ("started_at", "latency_ms", "ttft_ms", "input_tokens", "cached", "cost_usd", "model", "user_id", "error_type")
    return Map.model_validate({"source": "s", "format": "csv", "columns": {field: field for field in fields}} | told)


def sessions() -> Map:
    columns = {field: field for field in ("started_at", "rating", "topics", "messages")}
    return Map.model_validate({"source": "s", "format": "json", "noun": "sessions", "columns": columns})


Cases = tuple[tuple[str, list[object], list[object]], ...]
OPERATION_CELLS: Cases = (
    ("latency_ms", ["1.5", 2, "", None], [1.5, 2.0, None, None]),
    ("input_tokens", ["12", "63.0", 7, 8.0, ""], [12, 63, 7, 8, None]),
    ("cached", ["true", "No", "1", False, "", None], [True, False, True, False, None, None]),
    ("cost_usd", ["0.0010", 0.25, ""], ["0.0010", "0.25", None]),
    ("model", [" gpt ", 4, "", None], ["gpt", "4", None, None]),
)
SESSION_CELLS: Cases = (
    ("rating", [3, "4.5", None], [3.0, 4.5, None]),
    ("topics", ["a; b;", ["c"], "", None], [["a", "b"], ["c"], None, None]),
    ("messages", [12, "3"], [12, 3]),
)
NO_TIMES: tuple[object, ...] = ("soon", 1e300, [1])


def test_it_reads_what_csv_and_json_cells_can_be() -> None:
    for told, cases in ((plan(), OPERATION_CELLS), (sessions(), SESSION_CELLS)):
        for field, cells, values in cases:
            assert convert(cells, converter(field, told)) == (values, {}), field


def test_it_says_what_means_nothing_and_reads_the_rest() -> None:
    for field, cell, reason in (
        ("latency_ms", "fast", "'fast' is not a number"),
        ("latency_ms", True, "True is not a number"),
        ("input_tokens", "12.5", "'12.5' is not a whole number"),
        ("input_tokens", "many", "'many' is not a number"),
        ("input_tokens", [1], "[1] is not a number"),
        ("cached", "maybe", "'maybe' is neither true nor false"),
        ("model", {"name": "x" * 200}, "is not text"),
        ("started_at", 12, "12 is not a time written as iso"),
    ):
        values, faults = convert(["", cell, ""], converter(field, plan()))
        assert values == [None, None, None]
        assert faults.keys() == {1}
        assert reason in faults[1]
        assert len(faults[1]) < 140
    assert "is not a list of topics" in convert([3], converter("topics", sessions()))[1][0]


def test_it_reads_times_as_the_map_says() -> None:
    truth = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
    for times, cell in (
        ({}, "2026-03-01 02:30:00.0000000"),
        ({}, "2026-03-01T10:30:00+08:00"),
        ({"zone": "Asia/Manila"}, "2026-03-01T10:30"),
        ({"format": "%d/%m/%Y %H:%M", "zone": "Asia/Kathmandu"}, "01/03/2026 08:15"),
        ({"format": "epoch_s"}, 1_772_332_200),
        ({"format": "epoch_ms"}, "1772332200000"),
        ({"format": "epoch_us"}, 1_772_332_200_000_000),
        ({"format": "epoch_ns"}, 1_772_332_200_000_000_000),
        ({"format": "offset_ms", "origin": "2026-03-01T02:00:00Z"}, 1_800_000),
        ({"format": "offset_s", "origin": "2026-03-01T02:00:00Z"}, "1800"),
    ):
        assert convert([cell, ""], converter("started_at", plan(times=times))) == ([truth, None], {})
    for nonsense in NO_TIMES:
        assert "is not a time since 1970" in convert([nonsense], converter("started_at", plan(times={"format": "epoch_s"})))[1][0]


def test_it_turns_units_into_milliseconds() -> None:
    for unit, value in (("s", 2_000.0), ("ms", 2.0), ("us", 0.002), ("ns", 0.000002)):
        assert convert(["2"], converter("latency_ms", plan(units={"latency_ms": unit})))[0] == [pytest.approx(value)]


def test_it_translates_only_the_values_of_the_map() -> None:
    translate = converter("error_type", plan(values={"error_type": {"OK": None, "1": "timeout", "OPEN": {"reject": "unfinished"}}}))
    values, faults = convert(["OK", 1, "OPEN", "LOST", "", None], translate)
    assert values == [None, "timeout", None, None, None, None]
    assert faults == {2: "unfinished", 3: "'LOST' is not among the values of the map (OK, 1, OPEN)"}

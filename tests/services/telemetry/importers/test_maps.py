"""A map that is wrong is refused before a row is read, with the key that is wrong."""

from pathlib import Path

import pytest

from services.errors import BadInput
from services.telemetry.importers import maps
from tests.services.telemetry.importers.files import put

GOOD = "source: s\nformat: csv\ncolumns: {started_at: at, latency_ms: took}\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (GOOD + "colour: red\n", "colour: unknown key"),
        (GOOD.replace("latency_ms", "latency"), "columns: 'latency' cannot be set; operations have started_at, "),
        (GOOD.replace("latency_ms", "id"), "columns: 'id' cannot be set; the key `id` of the map names its columns"),
        (GOOD.replace("started_at", "ended_at"), "columns: started_at is missing"),
        (GOOD.replace("csv", "xlsx"), "format: Input should be 'csv', 'jsonl' or 'json'"),
        (GOOD + "noun: sessions\n", "columns: 'latency_ms' cannot be set; sessions have"),
        (GOOD + "encoding: klingon\n", "encoding: 'klingon' is not an encoding"),
        (GOOD + "times: {zone: Mars/Base}\n", "times.zone: 'Mars/Base' is not an IANA time zone"),
        (GOOD + "times: {format: sometimes}\n", "times: format 'sometimes' is none of"),
        (GOOD + "times: {format: offset_ms}\n", "times: an offset format and an origin"),
        (GOOD + "units: {latency_ms: h}\n", "units.latency_ms: Input should be"),
        (GOOD + "units: {started_at: s}\n", "units: 'started_at' is not a duration"),
        (GOOD + "values: {model: {a: b}}\n", "'model' has values or units but no column"),
        (GOOD + "constants: {latency_ms: 3}\n", "'latency_ms' is both a column and a constant"),
        (GOOD.replace("took", "{count: took}"), "columns: only JSON has lists to count"),
        (GOOD + "values: {latency_ms: {yes: 1}}\n", "values.latency_ms.1: YAML does not read this key as text: put it in quotes"),
        ("- a\n- b\n", "is not a YAML mapping"),
        ("source: [\n", "is not YAML"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_it_names_what_is_wrong(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        maps.load(str(put(tmp_path, "bad.yaml", content)))
    assert sentence in str(refused.value)


def test_it_names_the_shipped_maps_when_there_is_no_such_one() -> None:
    with pytest.raises(BadInput, match=r"There is no map 'azur'.* azure-llm, convai2, gentd26, mooncake"):
        maps.load("azur")


def test_it_loads_every_shipped_map() -> None:
    assert [maps.load(name).source for name in maps.shipped()] == ["azure-llm", "convai2", "gentd26", "mooncake"]

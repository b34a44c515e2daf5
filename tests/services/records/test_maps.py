"""Maps are checked before a row is read, and say which key is wrong."""

from pathlib import Path

import pytest

from services.errors import BadInput
from services.records import maps

GOOD = """
kind: projects
source: mine
currency: GBP
columns: {name: Title, budget: Budget}
"""


def put(folder: Path, body: str | bytes, name: str = "mine.yaml") -> str:
    path = folder / name
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return str(path)


@pytest.mark.parametrize("name", maps.shipped())
def test_every_shipped_map_is_good_and_survives_being_kept(name: str) -> None:
    plan = maps.load(name)
    assert maps.Map.model_validate(plan.model_dump(mode="json")) == plan


def test_what_others_extend_is_no_map_itself() -> None:
    assert "_uk-gmpp" not in maps.shipped()
    assert {"psgc", "us-it-dashboard", "uk-gmpp-2014", "uk-gmpp-2021"} <= set(maps.shipped())


def test_a_map_may_extend_another_beside_it(tmp_path: Path) -> None:
    put(tmp_path, GOOD, "_base.yaml")
    plan = maps.load(put(tmp_path, "extends: _base\nyear: 2020\n"))
    assert (plan.source, plan.year) == ("mine", 2020)
    with pytest.raises(BadInput, match="There is no map 'nothing'"):
        maps.load(put(tmp_path, "extends: nothing\n"))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (GOOD.replace("Budget}", "Budget, colour: X}"), "columns: 'colour' cannot be set; projects have name"),
        (GOOD.replace("name: Title, ", ""), "columns: name is missing"),
        (GOOD.replace("currency: GBP\n", ""), "currency is missing: 'budget' is money"),
        (GOOD.replace("GBP", "pounds"), "currency"),
        (GOOD + "year: 12\n", "year"),
        (GOOD + "encoding: klingon\n", "'klingon' is not an encoding"),
        (GOOD + "misread: {written: cp1252, read: klingon}\n", "'klingon' is not an encoding"),
        (GOOD + "opposite: [budget]\n", "opposite: 'budget' has no sign to turn"),
        (GOOD + "values: {budget: {a: b}}\n", "values: 'budget' is no list of words"),
        (GOOD + "scale: 12\n", "scale"),
        (GOOD + "colour: red\n", "colour: unknown key"),
        (GOOD + "psgc_codes: true\n", "psgc_codes"),
        (GOOD + "year: 2020\n" + "columns: {name: A, end_planned: B}\n", "'end_planned' of a yearly report is what its first year told"),
        (GOOD.replace("Budget}", "{a: Budget}}"), "only description, narrative, old_names can have paragraphs, not 'budget'"),
        ("kind: communities\nsource: s\ncolumns: {name: n}\n", "id is missing"),
        ("kind: communities\nsource: s\nid: i\nyear: 2020\ncolumns: {name: n}\n", "only projects have years"),
        ("kind: places\nsource: s\ncolumns: {name: n}\n", "kind"),
        ("- a\n- b\n", "not a YAML mapping"),
        ("a: [", "is not YAML"),
        (b"\xff\xfe\xff", "cannot be read"),
    ],
)
def test_it_names_what_is_wrong_with_a_map(tmp_path: Path, body: str | bytes, told: str) -> None:
    with pytest.raises(BadInput) as raised:
        maps.load(put(tmp_path, body))
    assert told in str(raised.value)


def test_it_names_the_maps_there_are() -> None:
    with pytest.raises(BadInput, match="one of psgc, uk-gmpp-2014"):
        maps.load("nothing")

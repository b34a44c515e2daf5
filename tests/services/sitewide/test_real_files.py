"""The real files: every summary against pandas, every candidate against its summary, and what one changed byte leads to."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text

from services.ai.grounding import check, gather
from services.db import transaction
from services.sitewide import changes, maps, reading, summaries
from services.sitewide.candidates import Candidate, candidates
from services.sitewide.names import year_of
from services.sitewide.reading import Summary
from tests.services.sitewide.files import BORROWING, REGISTER, REVENUE, bring, frame, revenue_text, small

pytestmark = [pytest.mark.usefixtures("real"), pytest.mark.unmeasured]
FIGURE = re.compile(r"(?P<minus>-?)(?P<sign>£?)(?P<number>\d[\d,]*(?:\.\d+)?)(?P<scale> billion| million)?(?P<unit>%| times)?")


def everything() -> list[Summary]:
    with transaction() as connection:
        return reading.everything(connection)


def hashes() -> dict[tuple[str, int], str]:
    return {(one.slug, one.year): one.source_hash for one in everything()}


def figures() -> pd.DataFrame:
    """All figures as pandas reads them: slug, source, year, code, value, and the council's type, nation and region by the same rules."""
    revenue, plan = frame(REVENUE), maps.load("revenue-outturn")
    first = pd.DataFrame(
        {
            "source": "revenue-outturn", "slug": revenue["field"].map({name: plan.slug_of(name) for name in revenue["field"].unique()}),
            "year": revenue["financial_year"].map(year_of), "code": revenue["ecode"], "name": revenue["council"],
            "type": revenue["council_type"], "nation": revenue["nation"],
            "region": revenue["region"].map({short.upper(): name for short, name in plan.values["region"].items()}),
            "value": revenue["value_gbp_thousands"].map(lambda cell: Decimal(cell) * 1000),
        }
    )  # fmt: skip
    borrowing, plan = frame(BORROWING), maps.load("borrowing-investments")
    borrowing = borrowing[borrowing["quarter"] == "Q4"]
    names = borrowing["kind"].str.capitalize() + ": " + borrowing["field"]
    second = pd.DataFrame(
        {
            "source": "borrowing-investments", "slug": names.map({name: plan.slug_of(name) for name in names.unique()}),
            "year": borrowing["financial_year"].map(year_of), "code": borrowing["lgf_code"], "name": borrowing["council"],
            "nation": borrowing["nation"], "value": borrowing["value_gbp_thousands"].map(lambda cell: Decimal(cell) * 1000),
        }
    )  # fmt: skip
    return pd.concat([first, second], ignore_index=True).astype({"type": "object", "region": "object"})


def councils(told: pd.DataFrame) -> pd.DataFrame:
    """One row a council: of each word the one of the newest year; of two sources in one year the first by name; the register last."""
    register, plan = frame(REGISTER), maps.load("uk-la-codes")
    register = register[register["ecode"] != ""]
    known = pd.DataFrame(
        {
            "source": "uk-la-codes", "year": 0, "code": register["ecode"], "name": register["nice-name"], "nation": register["nation"],
            "type": register["local-authority-type-name"].map(lambda name: plan.values["type"]["".join(name.casefold().split())]),
            "region": register["region"].replace("", None),
        }
    )  # fmt: skip
    per_source = [*(part for _, part in told.groupby("source")), known]
    rows = []
    for part in per_source:
        ordered = part.reset_index().sort_values(["year", "index"])
        words = ordered.groupby("code")[["name", "type", "nation", "region"]].last()  # the last that is not missing
        words["name"] = ordered.groupby("code")["name"].last()
        rows.append(words.assign(year=ordered.groupby("code")["year"].max(), source=part["source"].iloc[0]).reset_index())
    ranked = pd.concat(rows).sort_values(["year", "source"], ascending=[False, True])
    return ranked.groupby("code", sort=False)[["name", "type", "nation", "region"]].first()


@pytest.fixture(scope="module")
def told(real: None) -> pd.DataFrame:
    rows = figures()
    return rows.drop(columns=["name", "type", "nation", "region"]).join(councils(rows), on="code")


def near(ours: Decimal | None, exact: Decimal) -> bool:
    """Equal to the sixth place, which Postgres has rounded."""
    return ours is not None and abs(ours - exact) <= Decimal("0.000001")


def test_every_summary_is_what_pandas_computes(told: pd.DataFrame) -> None:
    ours = {(one.slug, one.year): one for one in everything()}
    groups = dict(list(told.groupby(["slug", "year"])))
    reported = told.groupby(["source", "year"])["code"].nunique()
    assert ours.keys() == groups.keys()
    assert len(ours) == 842
    for key, rows in groups.items():
        summary, values = ours[key], rows["value"]
        ordered = rows.sort_values(["value", "code"])
        assert (summary.n, summary.expected) == (len(rows), reported[rows["source"].iloc[0], key[1]])
        assert (summary.total, summary.min, summary.max) == (sum(values), min(values), max(values))
        assert near(summary.mean, sum(values) / len(values))
        middle = sorted(values)[(len(values) - 1) // 2 : len(values) // 2 + 1]
        assert near(summary.median, sum(middle) / len(middle))
        assert [(one.code, one.value) for one in summary.bottom] == list(zip(ordered["code"][:5], ordered["value"][:5], strict=True))
        assert [(one.code, one.value) for one in summary.top] == list(
            zip(ordered["code"][:-6:-1], ordered["value"][:-6:-1], strict=True)
        )  # fmt: skip
        for groups_of, column in ((summary.by_type, "type"), (summary.by_nation, "nation")):
            means = {name: (len(part), sum(part) / len(part)) for name, part in values.groupby(rows[column].fillna("unknown"))}
            assert {name: group.n for name, group in groups_of.items()} == {name: n for name, (n, _) in means.items()}
            assert all(near(groups_of[name].mean, mean) for name, (_, mean) in means.items())
        classified = rows[["type", "nation", "region"]].notna().to_numpy().mean()
        assert float(summary.completeness) == pytest.approx(summary.n / summary.expected, abs=1e-4)
        assert float(summary.quality) == pytest.approx(0.7 * summary.n / summary.expected + 0.3 * classified, abs=1e-4)
        lines = [
            "\x1f".join([row.code, row.name, *("" if pd.isna(word) else word for word in (row.type, row.nation, row.region)),
                         "" if row.value is None else format(row.value.normalize(), "f")])
            for row in rows.sort_values("code").itertuples(index=False)
        ]  # fmt: skip
        inner = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        assert summary.source_hash == hashlib.sha256(f"{inner}\n{summary.expected}".encode()).hexdigest()


def test_samples_are_tiered_bounded_and_diverse() -> None:
    for one in everything():
        codes = [council.code for council in one.sample]
        assert len(codes) == len(set(codes)) <= 50
        assert {council.code for council in (*one.top, *one.bottom)} <= set(codes)
        kinds = set(one.by_type) if one.n > 50 else set()
        assert len({council.type for council in one.sample}) >= min(len(kinds), 6) - 1


def mentioned(sentence: str) -> Iterator[tuple[str, Decimal, Decimal]]:
    """(unit, value, half of the last digit) of every number outside the field's name and financial years."""
    plain = re.sub(r"\b\d{4}-\d\d\b", " ", re.sub(r"“[^”]*”", " ", sentence))
    for found in FIGURE.finditer(plain):
        scale = {" billion": 10**9, " million": 10**6}.get(found["scale"] or "", 1)
        number = Decimal(found["number"].rstrip(",").replace(",", "")) * (-1 if found["minus"] else 1)
        places = len(found["number"].partition(".")[2])
        zeros = len(found["number"]) - len(found["number"].rstrip("0")) if not places and found["scale"] else 0
        yield found["unit"] or found["sign"], number * scale, Decimal(10) ** (zeros - places) * scale / 2


def allowed(candidate: Candidate, of: dict[tuple[str, int], Summary]) -> dict[str, list[Decimal]]:
    """What may be said, straight from the summaries that the candidate names: their figures, counts, shares and ratios."""
    parts = [of[slug, year] for slug, year, _ in candidate.sources]
    values = [
        value
        for one in parts
        for value in (
            one.total, one.mean, one.median, one.min, one.max, *(council.value for council in (*one.top, *one.bottom)),
            *(group.mean for group in (*one.by_type.values(), *one.by_nation.values())),
        )
        if value is not None
    ]  # fmt: skip
    ratios = [a / b for a in values for b in values if b]
    top = parts[0].total and sum(council.value or 0 for council in parts[0].top) / parts[0].total * 100
    return {
        "£": values, "": [*values, *(Decimal(one.n) for one in parts)], " times": ratios,
        "%": [abs(ratio - 1) * 100 for ratio in ratios] + ([Decimal(top)] if top else []),
    }  # fmt: skip


def test_every_number_of_every_candidate_is_in_its_summary() -> None:
    all_of_them = everything()
    of = {(one.slug, one.year): one for one in all_of_them}
    found = candidates(all_of_them)
    assert len(found) > 2_000
    assert set(Counter(one.kind for one in found)) == {"extreme", "outlier", "share", "type gap", "nation gap", "movement"}
    numbers = 0
    for candidate in found:
        may = allowed(candidate, of)
        for unit, value, half in mentioned(candidate.sentence.replace("top five", "")):
            numbers += 1
            assert any(abs(value - known) <= half for known in may[unit]), (candidate.sentence, unit, value)
        assert check(candidate.sentence, gather(candidate.facts)) == [], candidate.sentence
        assert all(of[slug, year].source_hash == told for slug, year, told in candidate.sources)
    assert numbers > 3 * len(found) - len(found) // 2


def test_built_again_from_the_same_figures_every_hash_is_the_same() -> None:
    before = hashes()
    again = bring(REGISTER.read_bytes(), "uk-la-codes")
    assert (again.new, again.changed, again.unchanged, again.rejected) == (0, 0, 354, 116)
    assert summaries.build("ada") == summaries.Built(0, 0)
    with transaction() as connection:
        summaries.mark_all(connection, "ada")
    assert summaries.build("ada") == summaries.Built(842, 0)
    assert hashes() == before


def test_one_changed_byte_touches_one_field_of_one_year() -> None:
    """The whole file again, one digit another: 221,977 figures are seen to be the same."""
    before, whole = hashes(), revenue_text()
    told = "E0101,E06000022,Bath & North East Somerset UA,UA,,2015-16,Education services,93591.0,Unitary,England"
    assert whole.count(told) == 1
    outcome = bring(whole.replace(told, told.replace("93591", "93592")).encode())
    assert (outcome.read, outcome.new, outcome.changed, outcome.unchanged) == (221_978, 0, 1, 221_977)
    assert summaries.build("bob") == summaries.Built(1, 1)
    after = hashes()
    key = ("education-services", 2015)
    assert {one for one in before if before[one] != after[one]} == {key}
    with transaction() as connection:
        change = changes.listing(connection, 1)[0]
        assert connection.execute(text("select count(*) from summary_pending")).scalar_one() == 0
    assert (change.slug, change.year, change.what, change.n, change.examples) == (*key, "value update", 1, ["E0101"])
    assert (change.old_hash, change.new_hash, change.actor) == (before[key], after[key], "bob (ada)")
    bring(small("E0101,Bath & North East Somerset UA,Unitary,England,,2015-16,Education services,93591.0"))
    assert summaries.build("bob") == summaries.Built(1, 1)
    assert hashes() == before


def of_kind(found: list[Any], what: str) -> int:
    return sum(one.what == what for one in found)


def test_fields_keep_their_names_and_one_slug() -> None:
    with transaction() as connection:
        names = reading.published_names(connection, "council-tax-requirement")
        logged = changes.listing(connection, 5_000)
        fields = reading.fields(connection)
    assert {name for _, name in names} == {
        "COUNCIL TAX REQUIREMENT (TOTAL OF LINES 830 TO 880)", "COUNCIL TAX REQUIREMENT (TOTAL OF LINES 805 TO 880)",
        "COUNCIL TAX REQUIREMENT (total of lines 905 to 980)",
    }  # fmt: skip
    assert fields["council-tax-requirement"] == (names[0][1], [2015, 2014, 2013, 2012, 2011, 2010])
    assert of_kind(logged, "new field") == 842

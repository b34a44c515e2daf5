"""Is a community's data complete and believable? Completeness, ranges, rules across fields, outliers and duplicates."""

import re
import unicodedata
from math import log10
from typing import Annotated, Literal

from services.ai.grounding.ground import Count, Name, Score, Share, Unit
from services.analyses import phrases
from services.analyses.case import Case, Facts, Part, name_of, named
from services.analyses.spread import Spread
from services.records import Community

Residents = Annotated[int, Unit("count", ("resident", "residents", "people"))]
Fields = Annotated[int, Unit("count", ("field", "fields"))]
Outcome = Literal["passed", "warning", "failed", "unknown"]
TITLE = "Validation"
ALWAYS = ("psgc_id", "name", "geographic_level", "population")
EXPECTED = {
    "Reg": ALWAYS,
    "Prov": (*ALWAYS, "region", "income_class"),
    "City": (*ALWAYS, "region", "income_class", "city_class"),
    "Mun": (*ALWAYS, "region", "province", "income_class"),
    "SubMun": (*ALWAYS, "region", "municipality"),
    "Bgy": (*ALWAYS, "region", "municipality", "settlement_type"),
}
# In the ten digits of a code two are the region, three the province, two the municipality and three the barangay.
SHAPES = {
    "Reg": r"\d\d0{8}", "Prov": r"\d{5}0{5}", "City": r"\d{7}000", "Mun": r"\d{7}000", "SubMun": r"\d{7}000",
    "Bgy": r"\d{7}(?!000)\d{3}",
}  # fmt: skip
INCOME = {"1st", "2nd", "3rd", "4th", "5th", "6th"}
MOST_PEOPLE = 200_000_000
FAR = 3.5  # robust widths from which on a value is called an outlier
MOST_DUPLICATES = 20


class Check(Part):
    """One rule and how it ended; a rule whose fields are unknown is unknown too."""

    label: str
    outcome: Outcome
    detail: str


class Outlier(Part):
    population: Residents
    peers: Annotated[int, Unit("count", ("peer", "peers"))]
    median: Residents
    low: Residents
    high: Residents
    score: Score | None
    unusual: bool


class Duplicate(Part):
    name: Name
    code: Name
    same: Literal["code", "name and place"]


class ValidationFacts(Facts):
    level: Name | None
    code: Name | None
    verdict: Literal["valid", "usable with warnings", "not usable"]
    known_fields: Fields
    expected_fields: Fields
    completeness: Share
    missing: tuple[str, ...]
    unexplained: tuple[str, ...]
    checks: tuple[Check, ...]
    passed: Count
    warnings: Count
    failed: Count
    unchecked: Count
    outlier: Outlier | None
    duplicates: tuple[Duplicate, ...]
    duplicate_count: Annotated[int, Unit("count", ("duplicate", "duplicates"))]


def facts(case: Case[Community]) -> ValidationFacts:
    """Peers are the communities of its level."""
    place = case.record
    populations: list[float] = []
    twins: list[Duplicate] = []
    for peer in case.peers:
        if peer.population and peer.population > 0:
            populations.append(log10(peer.population))
        same = _same(place, peer)
        if same is not None:
            twins.append(Duplicate(name=name_of(peer), code=named(peer.psgc_id) or phrases.UNKNOWN, same=same))
    outlier = _outlier(place, populations)
    checks = (*_rules(place), _outlier_check(outlier), _twin_check(twins))
    expected = EXPECTED.get(place.geographic_level or "", ALWAYS)
    missing = tuple(name for name in expected if getattr(place, name) in {None, ""})
    ended = {outcome: sum(check.outcome == outcome for check in checks) for outcome in ("passed", "warning", "failed", "unknown")}
    return ValidationFacts(
        record_name=name_of(place),
        as_of=case.today,
        level=named(place.geographic_level),
        code=named(place.psgc_id),
        verdict="not usable" if ended["failed"] else "usable with warnings" if ended["warning"] or missing else "valid",
        known_fields=len(expected) - len(missing),
        expected_fields=len(expected),
        completeness=1 - len(missing) / len(expected),
        missing=tuple(_label(name) for name in missing),
        unexplained=tuple(_label(name) for name in missing if name not in place.unknown),
        checks=checks,
        passed=ended["passed"],
        warnings=ended["warning"],
        failed=ended["failed"],
        unchecked=ended["unknown"],
        outlier=outlier,
        duplicates=tuple(twins[:MOST_DUPLICATES]),
        duplicate_count=len(twins),
    )


def render(told: ValidationFacts) -> str:
    """The validation as people read it."""
    name = phrases.plain(told.record_name)
    summary = (
        f"The data of {name} is **{told.verdict}**: {told.known_fields} of {phrases.counted(told.expected_fields, 'expected field')} "
        f"known ({phrases.percent(told.completeness)}). Of the checks, {told.passed} passed, {told.warnings} warned, "
        f"{told.failed} failed and {told.unchecked} could not be made."
    )
    missing = f"Missing: {phrases.joined(told.missing)}." if told.missing else ""
    if told.unexplained:
        missing += f" The source gives no reason for: {phrases.joined(told.unexplained)}."
    rows = [(check.label, check.outcome, check.detail) for check in told.checks]
    return phrases.document(
        f"{TITLE} of {name}",
        [
            ("Summary", summary),
            ("Missing data", missing),
            ("Checks", phrases.table(("Check", "Outcome", "Detail"), rows)),
            ("Among its peers", _render_outlier(told.outlier)),
            ("Possible duplicates", _render_twins(told)),
        ],
    )


def folded(name: str | None) -> str:
    """A name for comparing: without case, accents and punctuation."""
    bare = unicodedata.normalize("NFKD", name or "").encode("ascii", "ignore").decode().casefold()
    return " ".join(re.findall(r"[a-z0-9]+", bare))


def _rules(place: Community) -> list[Check]:
    level = place.geographic_level
    return [
        _check(
            "Code",
            None if not place.psgc_id else re.fullmatch(r"\d{10}", place.psgc_id) is not None,
            "The code has the right number of digits.",
        ),
        _check("Level", None if level is None else level in EXPECTED, "The level is one that the code book knows."),
        _check(
            "Code and level",
            None if level not in SHAPES or not place.psgc_id else re.fullmatch(SHAPES[level], place.psgc_id) is not None,
            "The code is that of its level.",
        ),
        _check("Population", None if place.population is None else 0 <= place.population <= MOST_PEOPLE, "The population is possible."),
        _check("Residents", None if place.population is None else place.population > 0, "Somebody lives there.", "warning"),
        _check("City class", _only(place.city_class, level, {"City"}), "Only a city has a city class.", "warning"),
        _check(
            "Income class",
            _only(place.income_class, level, {"Prov", "City", "Mun"}),
            "Only provinces, cities and municipalities have one.",
            "warning",
        ),
        _check(
            "Known income class",
            None if place.income_class is None else place.income_class in INCOME,
            "The income class is a known one.",
            "warning",
        ),
        _check("Settlement type", _only(place.settlement_type, level, {"Bgy"}), "Only a barangay is urban or rural.", "warning"),
        _check(
            "Known settlement type",
            None if place.settlement_type is None else place.settlement_type in {"U", "R"},
            "It is urban or rural.",
            "warning",
        ),
        _check("Place", _lies(place), "The places it lies in are told.", "warning"),
    ]


def _check(label: str, holds: bool | None, detail: str, otherwise: Outcome = "failed") -> Check:
    outcome: Outcome = "unknown" if holds is None else "passed" if holds else otherwise
    words = {"passed": detail, "unknown": "Not enough is known to tell."}
    return Check(label=label, outcome=outcome, detail=words.get(outcome, f"This does not hold: {detail[0].lower()}{detail[1:]}"))


def _only(value: str | None, level: str | None, levels: set[str]) -> bool | None:
    return None if value is None or level is None else level in levels


def _lies(place: Community) -> bool | None:
    if place.geographic_level not in EXPECTED:
        return None
    return all(getattr(place, name) for name in EXPECTED[place.geographic_level] if name in {"region", "province", "municipality"})


def _same(place: Community, peer: Community) -> Literal["code", "name and place"] | None:
    if place.psgc_id and peer.psgc_id == place.psgc_id:
        return "code"
    if not peer.name or peer.name[:1].casefold() != place.name[:1].casefold():
        return None  # most peers: not worth folding
    where = (place.region, place.province, place.municipality)
    if (peer.region, peer.province, peer.municipality) == where and folded(peer.name) == folded(place.name) != "":
        return "name and place"
    return None


def _outlier(place: Community, populations: list[float]) -> Outlier | None:
    spread = Spread.of(populations)
    if spread is None or not place.population or place.population < 0:
        return None
    score = spread.score(log10(place.population))
    return Outlier(
        population=place.population,
        peers=spread.n,
        median=round(10**spread.median),
        low=round(10**spread.low),
        high=round(10**spread.high),
        score=score,
        unusual=score is not None and abs(score) > FAR,
    )


def _outlier_check(outlier: Outlier | None) -> Check:
    return _check(
        "Outlier", None if outlier is None else not outlier.unusual, "The population is usual among places of its level.", "warning"
    )


def _twin_check(twins: list[Duplicate]) -> Check:
    if any(twin.same == "code" for twin in twins):
        return _check("Duplicates", holds=False, detail="No other place has its code.")
    return _check("Duplicates", not twins, "No other place there has its name.", "warning")


def _render_outlier(outlier: Outlier | None) -> str:
    if outlier is None:
        return "The population or that of its peers is unknown, so they are not compared."
    score = "" if outlier.score is None else f", {phrases.number(abs(outlier.score), 1)} robust deviations from the middle"
    return (
        f"It has {phrases.number(outlier.population)} residents. The median of {phrases.counted(outlier.peers, 'peer')} of its level is "
        f"{phrases.number(outlier.median)}, and most have {phrases.number(outlier.low)} to {phrases.number(outlier.high)} residents. "
        f"That is {'unusual' if outlier.unusual else 'within the usual'}{score}."
    )


def _render_twins(told: ValidationFacts) -> str:
    if not told.duplicates:
        return ""
    rows = [(phrases.plain(twin.name), phrases.plain(twin.code), twin.same) for twin in told.duplicates]
    return f"{phrases.counted(told.duplicate_count, 'duplicate')}.\n\n{phrases.table(('Name', 'Code', 'The same'), rows)}"


def _label(name: str) -> str:
    return {"psgc_id": "code", "geographic_level": "level"}.get(name, name.replace("_", " "))

"""Which of thousands of candidates make an edition: the interesting and the fresh, of many fields, kinds and councils. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from services.schedules.builtin import FACTOID_SLOTS
from services.sitewide.candidates import Candidate
from services.sitewide.timetable import SHOWN

POOL = SHOWN * len(FACTOID_SLOTS)  # so that in a day nothing is shown twice
PER_FIELD, PER_COUNCIL = 1, 2
PER_KIND = POOL // 4
FRESH_YEAR, FRESH_CHANGE, FADES = 0.3, 0.2, 5


def choose(candidates: Sequence[Candidate], since: datetime | None) -> list[Candidate]:
    """At most twenty, best first; the same candidates and `since` (when the edition before was made) always make the same choice.

    Where the bounds leave places free they are filled without them: a small installation has few fields.
    """
    newest: dict[str, int] = {}
    for one in candidates:
        newest[one.summary.source] = max(newest.get(one.summary.source, 0), one.summary.year)
    ranked = sorted(candidates, key=lambda one: (-_score(one, newest[one.summary.source], since), one.key))
    chosen = _bounded(ranked)
    taken = {one.key for one in chosen}
    return chosen + [one for one in ranked if one.key not in taken][: POOL - len(chosen)]


def _score(one: Candidate, newest: int, since: datetime | None) -> float:
    """Interest, and freshness: of the newest year, and of what changed since the last edition."""
    age = min(newest - one.summary.year, FADES)
    changed = since is not None and one.summary.built_at > since
    return one.interest + FRESH_YEAR * (1 - age / FADES) + FRESH_CHANGE * changed


def _bounded(ranked: Sequence[Candidate]) -> list[Candidate]:
    chosen: list[Candidate] = []
    fields, kinds, councils = Counter[str](), Counter[str](), Counter[str]()
    for one in ranked:
        lead = one.codes[:1]
        if fields[one.summary.slug] < PER_FIELD and kinds[one.kind] < PER_KIND and all(councils[code] < PER_COUNCIL for code in lead):
            chosen.append(one)
            fields[one.summary.slug] += 1
            kinds[one.kind] += 1
            councils.update(lead)
        if len(chosen) == POOL:
            break
    return chosen

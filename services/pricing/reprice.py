"""Re-pricing: what stored calls cost by the prices of now; shown first, then done day by day, and taken back when it was wrong.

A cost that the sender told and an answer from the application's own cache stay as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import pandas as pd
from sqlalchemy import Connection, text

from services.accounts import audit
from services.db import transaction
from services.errors import Conflict, NotFound
from services.jobs import enqueue
from services.pricing import corrections, overrides, stored, versions
from services.pricing.cost import Priced, price
from services.pricing.overrides import Override
from services.rollups import kept
from services.rollups.cells import local_days
from services.rollups.state import lock, note_move, zone_of

Report = Callable[[int, int, str], None]
Result = dict[str, object]
BY = ["day", "provider", "model"]
COUNTS = ["operations", "changed", "newly_priced", "no_longer_priced"]
COLUMNS = "id, first_day, last_day, provider, model, created_by, created_at, state, operations, before_nano, after_nano"


@dataclass(frozen=True, slots=True)
class Repricing:
    """One re-pricing of days [first_day, last_day] of the reporting zone; money is the known cost of the `operations` that changed."""

    id: int
    first_day: date
    last_day: date
    provider: str | None
    model: str | None
    created_by: str
    created_at: datetime
    state: str
    operations: int
    before_nano: int
    after_nano: int

    @property
    def difference_usd(self) -> Decimal:
        """By how much it moved the total."""
        return usd(self.after_nano - self.before_nano)


def usd(nano: int) -> Decimal:
    """Nano-USD in dollars."""
    return Decimal(nano).scaleb(-9)


def preview(
    connection: Connection,
    first_day: date,
    last_day_exclusive: date,
    provider: str | None = None,
    model: str | None = None,
    candidate: Override | None = None,
) -> pd.DataFrame:
    """What a re-pricing would do, by day of the reporting zone, provider and model (a name, or its beginning and *); writes nothing.

    Columns: BY, COUNTS, and Decimal before_usd and after_usd (None where nothing is known) and difference_usd. `operations` are all
    calls, those that keep their cost included. Raises BadInput.
    """
    zone = zone_of(connection)
    prices = [*overrides.load(connection), *([candidate] if candidate else [])]
    sums = []
    for calls in stored.chunks(connection, stored.span(connection, first_day, last_day_exclusive, provider, model)):
        after, _ = _again(calls, prices)
        before = calls["cost_nano"]
        days = local_days(calls["started_at"], zone)
        each = calls[["provider", "model"]].assign(day=days, operations=1, before=before, after=after)
        each["changed"] = _differ(before, after)
        each["newly_priced"], each["no_longer_priced"] = before.isna() & after.notna(), before.notna() & after.isna()
        sums.append(_by(each))
    found = _by(pd.concat(sums)) if sums else pd.DataFrame(columns=[*BY, *COUNTS, "before", "after"])
    difference = found["after"].fillna(0) - found["before"].fillna(0)
    money = {"before_usd": found["before"], "after_usd": found["after"], "difference_usd": difference}
    columns = {name: [None if pd.isna(nano) else usd(int(nano)) for nano in values] for name, values in money.items()}
    dollars = pd.DataFrame(columns, index=found.index, dtype=object)
    days = pd.to_datetime(found["day"]).dt.date
    return pd.concat([found[[*BY, *COUNTS]].assign(day=days), dollars], axis=1)


def gone(connection: Connection, first_day: date, last_day_exclusive: date) -> list[date]:
    """Days of a range that have numbers but no longer all of their operations, in the zone of now: they cannot be priced again."""
    first = kept.first_day(connection, zone_of(connection))
    days = connection.execute(
        text("select distinct day from rollup_day where day >= :first and day < least(:end, :kept) order by 1"),
        {"first": first_day, "end": last_day_exclusive, "kept": first or date.min},
    )
    return list(days.scalars())


def request(
    connection: Connection,
    first_day: date,
    last_day_exclusive: date,
    provider: str | None = None,
    model: str | None = None,
    candidate: Override | None = None,
    *,
    actor: str,
) -> int:
    """Save the candidate, if any, and let a job re-price days [first_day, last_day_exclusive); the re-pricing's id. Raises BadInput."""
    asked = stored.span(connection, first_day, last_day_exclusive, provider, model)
    saved = overrides.save(connection, candidate, actor) if candidate else None
    values = {
        "first_day": first_day,
        "last_day": last_day_exclusive - timedelta(days=1),
        "provider": asked.provider,
        "model": asked.model,
        "actor": actor,
    }
    made: int = connection.execute(
        text(
            "insert into repricings (first_day, last_day, provider, model, created_by)"
            " values (:first_day, :last_day, :provider, :model, :actor) returning id"
        ),
        values,
    ).scalar_one()
    detail = values | {"first_day": str(values["first_day"]), "last_day": str(values["last_day"]), "override": saved}
    audit.record(connection, actor, "price.reprice", f"repricing {made}", detail, after={"state": "waiting", **detail})
    _enqueue(connection, "pricing.reprice", made, actor)
    return made


def request_reverse(connection: Connection, repricing_id: int, actor: str) -> None:
    """Let a job take a re-pricing back; one under way stops where it is. Raises NotFound, and Conflict when that was asked before."""
    known = get(connection, repricing_id, for_update=True)
    if known.state not in ("waiting", "applied"):
        raise Conflict(f"Re-pricing {repricing_id} is {known.state} already.")
    _set_state(connection, repricing_id, "reversing")
    audit.record(
        connection, actor, "price.reverse", f"repricing {repricing_id}", before={"state": known.state}, after={"state": "reversing"}
    )
    _enqueue(connection, "pricing.reverse", repricing_id, actor)


def apply(repricing_id: int, report: Report, stopping: Callable[[], bool]) -> Result:
    """Re-price, one transaction a partition day; days that are done are skipped, so whoever continues finishes. Raises NotFound."""
    with transaction() as connection:
        known = get(connection, repricing_id)
        days = sorted(set(kept.stored_days(connection)) & set(_asked(connection, known).partition_days))
    for done, day in enumerate(days):
        if stopping():
            return {"repricing": repricing_id, "days": done, "of": len(days), "stopped": True}
        with transaction() as connection:
            lock(connection, wait=True)
            if get(connection, repricing_id, for_update=True).state != "waiting":
                break
            _apply_day(connection, known, day)
        report(done + 1, len(days), str(day))
    with transaction() as connection:
        if get(connection, repricing_id, for_update=True).state == "waiting":
            _set_state(connection, repricing_id, "applied")
        known = get(connection, repricing_id)
        missing = stored.in_words(gone(connection, known.first_day, known.last_day + timedelta(days=1)))
    return {
        "repricing": repricing_id,
        "state": known.state,
        "days": len(days),
        "operations": known.operations,
        "before_usd": str(usd(known.before_nano)),
        "after_usd": str(usd(known.after_nano)),
        "not_repriced": missing,
    }


def reverse(repricing_id: int, report: Report, stopping: Callable[[], bool]) -> Result:
    """Take a re-pricing back, one transaction a partition day; calls that were changed again since keep what they have.

    The result counts calls that got their cost back and those `left`, by this attempt. Raises NotFound.
    """
    with transaction() as connection:
        get(connection, repricing_id)
        days = list(
            connection.execute(
                text("select day from repricing_days where repricing_id = :id and not reversed order by day"), {"id": repricing_id}
            ).scalars()
        )
    restored = left = 0
    for done, day in enumerate(days):
        if stopping():
            return {"repricing": repricing_id, "days": done, "of": len(days), "stopped": True}
        with transaction() as connection:
            lock(connection, wait=True)
            if get(connection, repricing_id, for_update=True).state != "reversing":
                break
            back, changed = _reverse_day(connection, repricing_id, day)
            restored, left = restored + back, left + changed - back
        report(done + 1, len(days), str(day))
    with transaction() as connection:
        if get(connection, repricing_id, for_update=True).state == "reversing":
            _set_state(connection, repricing_id, "reversed")
        state = get(connection, repricing_id).state
    return {"repricing": repricing_id, "state": state, "days": len(days), "restored": restored, "left": left}


def listing(connection: Connection) -> list[Repricing]:
    """All of them, the latest first."""
    found = connection.execute(text(f"select {COLUMNS} from repricings order by id desc")).mappings()  # noqa: S608 - a constant
    return [Repricing(**row) for row in found]


def get(connection: Connection, repricing_id: int, *, for_update: bool = False) -> Repricing:
    """One of them; raises NotFound."""
    statement = f"select {COLUMNS} from repricings where id = :id{' for update' if for_update else ''}"  # noqa: S608 - a constant
    row = connection.execute(text(statement), {"id": repricing_id}).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no re-pricing {repricing_id}.")
    return Repricing(**row)


def _asked(connection: Connection, known: Repricing) -> stored.Span:
    return stored.span(connection, known.first_day, known.last_day + timedelta(days=1), known.provider, known.model)


def _apply_day(connection: Connection, known: Repricing, day: date) -> None:
    values = {"id": known.id, "day": day}
    new = "insert into repricing_days (repricing_id, day) values (:id, :day) on conflict do nothing"
    if not connection.execute(text(new), values).rowcount:
        return
    corrections.begin(connection)
    prices = overrides.load(connection)
    for calls in stored.chunks(connection, _asked(connection, known), day):
        after, priced = _again(calls, prices)
        changed = _differ(calls["cost_nano"], after)
        here = {key: positions[changed.to_numpy()[positions]] for key, positions in priced.items()}
        version = versions.of(connection, {key: positions for key, positions in here.items() if len(positions)}, calls.index)
        told = {"cost_nano": "before_nano", "price_version": "before_version"}
        changes = calls.rename(columns=told).assign(after_nano=after, after_version=version)[changed]
        corrections.note(connection, changes)
    corrections.keep(connection, known.id)
    changed_n, before, after_nano = corrections.carry_out(connection, day, zone_of(connection))
    connection.execute(
        text(
            "update repricings set operations = operations + :n, before_nano = before_nano + :before, after_nano = after_nano + :after"
            " where id = :id"
        ),
        {"id": known.id, "n": changed_n, "before": before, "after": after_nano},
    )
    note_move(connection)


def _reverse_day(connection: Connection, repricing_id: int, day: date) -> tuple[int, int]:
    """How many calls got their cost back, of how many."""
    values = {"id": repricing_id, "day": day}
    due = "update repricing_days set reversed = true where repricing_id = :id and day = :day and not reversed"
    if not connection.execute(text(due), values).rowcount:
        return 0, 0
    corrections.begin(connection)
    corrections.note_undo(connection, repricing_id, day, stored.since(connection))
    restored, _, _ = corrections.carry_out(connection, day, zone_of(connection))
    note_move(connection)
    changed = connection.execute(
        text("select count(*) from repricing_changes where repricing_id = :id and day = :day"), values
    ).scalar_one()
    return restored, int(changed)


def _again(calls: pd.DataFrame, prices: Sequence[Override]) -> tuple[pd.Series, Priced]:
    """Nano-USD (Int64) of each call by these prices, and which applied; what we did not compute stays."""
    ours = ~calls["cached"] & (calls["price_version"].notna() | calls["cost_nano"].isna())
    return price(calls.assign(cost_nano=calls["cost_nano"].mask(ours)), prices)


def _differ(before: pd.Series, after: pd.Series) -> pd.Series:
    """Where two nullable costs are not the same; both unknown is the same."""
    return (before != after).fillna(False).astype(bool) | (before.isna() != after.isna())


def _by(each: pd.DataFrame) -> pd.DataFrame:
    grouped = each.groupby(BY, as_index=False, observed=True)
    counts = grouped[COUNTS].sum()
    return counts.assign(**{name: grouped[name].sum(min_count=1)[name] for name in ("before", "after")})


def _set_state(connection: Connection, repricing_id: int, state: str) -> None:
    connection.execute(text("update repricings set state = :state where id = :id"), {"id": repricing_id, "state": state})


def _enqueue(connection: Connection, kind: str, repricing_id: int, actor: str) -> None:
    enqueue(
        connection,
        kind,
        {"id": repricing_id},
        queue="default",
        dedupe_key=f"{kind}:{repricing_id}",
        cause=("repricing", repricing_id),
        created_by=actor,
    )

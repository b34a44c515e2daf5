"""The dimension tuple of an operation, resolved once to a small number."""

import pandas as pd
from sqlalchemy import Connection, text

from services.settings import settings

DIMENSIONS = ("environment", "source", "module", "operation", "provider", "model")
OTHER = "(other)"
SESSION = "(session)"  # operation, provider and model of a session's own series


def resolve(connection: Connection, rows: pd.DataFrame) -> pd.Series:
    """Series id (int64) of each row by its six dimension columns; new tuples are created.

    A source that would pass SERIES_LIMIT_PER_SOURCE gets its further tuples collected under
    one series of "(other)"s, so outside names cannot grow the rollups without bound.
    """
    grouped = rows.groupby(list(DIMENSIONS), sort=False, observed=True)
    tuples = pd.DataFrame(list(grouped.groups), columns=list(DIMENSIONS))
    ids = _known(connection, tuples)
    unknown = tuples[ids.isna()]
    if len(unknown):
        _create(connection, _bounded(connection, unknown))
        ids = _known(connection, tuples).fillna(_known(connection, _collapsed(tuples)))
    return pd.Series(ids.to_numpy(dtype="int64")[grouped.ngroup().to_numpy()], index=rows.index)


def _known(connection: Connection, tuples: pd.DataFrame) -> pd.Series:
    found = connection.execute(
        text(
            """
            select w.position, s.id
            from unnest(cast(:environment as text[]), cast(:source as text[]), cast(:module as text[]),
                        cast(:operation as text[]), cast(:provider as text[]), cast(:model as text[]))
                 with ordinality as w (environment, source, module, operation, provider, model, position)
            join series s using (environment, source, module, operation, provider, model)
            """
        ),
        {name: tuples[name].tolist() for name in DIMENSIONS},
    ).all()
    ids = pd.Series(pd.NA, index=tuples.index, dtype="Int64")
    for position, series_id in found:
        ids.iloc[position - 1] = series_id
    return ids


def _bounded(connection: Connection, unknown: pd.DataFrame) -> pd.DataFrame:
    """The tuples to create: within each source's limit as they are, beyond it collapsed."""
    limit = settings().series_limit_per_source
    live: dict[str, int] = dict(
        connection.execute(
            text("select source, count(*) from series where source = any(:sources) group by 1"), {"sources": sorted(set(unknown["source"]))}
        ).all()
    )
    over = unknown.groupby("source").cumcount() + unknown["source"].map(lambda source: live.get(source, 0)) >= limit
    return pd.concat([unknown[~over], _collapsed(unknown[over])]).drop_duplicates()


def _collapsed(tuples: pd.DataFrame) -> pd.DataFrame:
    return tuples.assign(environment=OTHER, module=OTHER, operation=OTHER, provider=OTHER, model=OTHER)


def _create(connection: Connection, tuples: pd.DataFrame) -> None:
    connection.execute(
        text(
            "insert into series (environment, source, module, operation, provider, model)"
            " values (:environment, :source, :module, :operation, :provider, :model) on conflict do nothing"
        ),
        tuples.to_dict("records"),
    )


def of_sessions(rows: pd.DataFrame) -> pd.DataFrame:
    """A session may use many models, so it has a series of its own: where it happened, not what answered."""
    return rows.assign(operation=SESSION, provider=SESSION, model=SESSION)


def note_last(connection: Connection, operations: pd.DataFrame) -> None:
    """Remember each series' latest operation and how it ended; health reads it."""
    last = operations.sort_values("started_at").groupby("series_id").tail(1)
    connection.execute(
        text(
            "update series set last_operation_at = :at, last_error_type = :error_type"
            " where id = :id and (last_operation_at is null or last_operation_at <= :at)"
        ),
        [
            {
                "id": row.series_id,
                "at": row.started_at.to_pydatetime(),
                "error_type": None if pd.isna(row.error_type) else row.error_type,
            }
            for row in last.itertuples()
        ],
    )

"""Price versions: which unit prices an operation was priced with, kept so that any cost can be explained."""

import json
from dataclasses import asdict

import pandas as pd
from sqlalchemy import Connection, text

from services.pricing.cost import Priced
from services.pricing.unit_prices import UnitPrices
from services.telemetry.series import OTHER


def of(connection: Connection, priced: Priced, index: pd.Index) -> pd.Series:
    """Price version id (Int64) by row; NA where the cost was told, free or unknown."""
    versions = pd.Series(pd.NA, index=index, dtype="Int64")
    for prices, positions in priced.items():
        versions.iloc[positions] = _version(connection, prices)
    return versions


def in_use(connection: Connection) -> pd.DataFrame:
    """Every model that was called, the latest called first, with the price versions its calls were priced with, the latest first.

    Columns: provider, model, last_operation_at, source, since (both missing where none of its calls was priced by us) and units: the kinds
    of UnitPrices, as [[above this many input tokens, pico-USD per token], …], [] where free, and request_pico.
    """
    found = connection.execute(
        text(
            """
            select s.provider, s.model, s.last_operation_at, v.source, v.created_at as since, v.units
            from (
                select provider, model, max(last_operation_at) as last_operation_at from series
                where last_operation_at is not null and model <> :other group by 1, 2
            ) s
            left join price_versions v using (provider, model)
            order by s.last_operation_at desc, s.provider, s.model, v.id desc
            """
        ),
        {"other": OTHER},
    )
    return pd.DataFrame(found.all(), columns=list(found.keys()))


def _version(connection: Connection, prices: UnitPrices) -> int:
    units = {name: value for name, value in asdict(prices).items() if name not in ("provider", "model", "source")}
    values = {"provider": prices.provider, "model": prices.model, "source": prices.source, "units": json.dumps(units)}
    connection.execute(
        text(
            "insert into price_versions (provider, model, source, units) values (:provider, :model, :source, cast(:units as jsonb))"
            " on conflict do nothing"
        ),
        values,
    )
    found = connection.execute(
        text(
            "select id from price_versions"
            " where provider = :provider and model = :model and source = :source and units = cast(:units as jsonb)"
        ),
        values,
    )
    return int(found.scalar_one())

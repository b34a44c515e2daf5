"""Reconciliation: a provider's bill beside our own telemetry, and in a few words why they differ."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import pandas as pd
from sqlalchemy import Connection, text

from services.errors import BadInput
from services.pricing import bill, stored

NANO = Decimal(10) ** 9
LEAST_DECIMALS = 2  # nobody bills coarser than cents
DATED = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8})$")
COLUMNS = (
    "day", "model",
    "their_requests", "their_input_tokens", "their_output_tokens", "their_cost_usd",
    "our_operations", "our_input_tokens", "our_output_tokens", "our_cost_usd",
    "difference_usd", "why",
)  # fmt: skip
# An answer from the application's own cache never reached the provider. A call is unpriced for want of a price only where its tokens
# were told; a failed call that told none may or may not be on the bill.
OURS = f"""
select o.day, {stored.PROVIDER} as provider, {stored.MODEL} as model, count(*) as operations,
       sum(o.input_tokens)::bigint as input_tokens, sum(o.output_tokens)::bigint as output_tokens, sum(o.cost_nano)::bigint as cost_nano,
       count(*) filter (where o.cost_nano is null and (o.input_tokens is not null or o.output_tokens is not null)) as unpriced,
       count(*) filter (where o.input_tokens is null and o.output_tokens is null) as untold
from {stored.FROM}
where o.day >= :first and o.day <= :last and not o.cached and (cast(:provider as text) is null or {stored.PROVIDER} = :provider)
group by 1, 2, 3
"""  # noqa: S608 - constants


def reconcile(
    connection: Connection, content: bytes, provider: str | None = None, columns: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Their bill (a CSV; `columns` as in `services.pricing.bill.parse`) and our calls, by UTC day and model, over the days of the bill.

    Without `provider` our side is every provider of which the bill names a model. Returns COLUMNS: counts are Int64, money is Decimal or
    None; NA and None are what nobody told; difference is theirs minus ours. Raises BadInput naming the column and the row.
    """
    theirs = bill.parse(content, columns)
    first, last = theirs["day"].min(), theirs["day"].max()
    if (last - first).days > stored.LONGEST_DAYS:
        raise BadInput(f"The bill runs from {first} to {last}, more than {stored.LONGEST_DAYS} days.")
    ours = _ours(connection, first, last, provider or None)
    ours["model"] = ours["model"].map(_their_names(sorted(set(ours["model"])), sorted(set(theirs["model"]))))
    if provider is None:
        ours = ours[ours["provider"].isin(set(ours["provider"][ours["model"].isin(set(theirs["model"]))]))]
    summed = ours.drop(columns="provider").groupby(["day", "model"]).sum(min_count=1).reset_index()
    both = theirs.merge(summed, on=["day", "model"], how="outer", suffixes=("_theirs", "_ours"), indicator=True)
    decimals = max(LEAST_DECIMALS, theirs.attrs["cost_decimals"])
    rows = [_compared(_Pair(line), decimals) for line in both.to_dict("records")]
    found = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(["day", "model"], ignore_index=True)
    whole = [name for name in COLUMNS if name.endswith(("tokens", "requests", "operations"))]
    return found.astype(dict.fromkeys(whole, "Int64") | {"their_cost_usd": object, "our_cost_usd": object, "difference_usd": object})


def _ours(connection: Connection, first: date, last: date, provider: str | None) -> pd.DataFrame:
    result = connection.execute(text(OURS), {"first": first, "last": last, "provider": provider})
    ours = pd.DataFrame(result.all(), columns=list(result.keys()))
    return ours.astype(dict.fromkeys(("operations", "input_tokens", "output_tokens", "cost_nano", "unpriced", "untold"), "Int64"))


def _their_names(ours: Sequence[str], theirs: Sequence[str]) -> dict[str, str]:
    """Our name of a model → theirs: the same, else the one that differs only by a date at the end of either, where there is just one."""
    names = {}
    for name in ours:
        bare = DATED.sub("", name)
        dated = [other for other in theirs if other != bare == DATED.sub("", other)] if name == bare else []
        alike = [other for other in (name, bare) if other in theirs] or dated
        names[name] = alike[0] if len(alike) == 1 or alike[:1] == [name] else name
    return names


class _Pair:
    """One day and model: what each side tells, None where it does not."""

    def __init__(self, line: Mapping[str, object]) -> None:
        known = {name: None if pd.isna(value) else value for name, value in line.items()}
        self.day, self.model, self.side = known["day"], known["model"], known["_merge"]
        self.lines, self.requests = _int(known["lines"]), _int(known["requests"])
        self.their_tokens = (_int(known["input_tokens_theirs"]), _int(known["output_tokens_theirs"]))
        self.our_tokens = (_int(known["input_tokens_ours"]), _int(known["output_tokens_ours"]))
        self.operations, self.unpriced, self.untold = (_int(known[name]) for name in ("operations", "unpriced", "untold"))
        cost = known["cost_usd"]
        self.their_cost = cost if isinstance(cost, Decimal) else None
        nano = _int(known["cost_nano"])
        self.our_cost = None if nano is None else Decimal(nano) / NANO

    @property
    def tokens_agree(self) -> bool | None:
        """Whether the kinds of tokens that the bill tells are as we know them; None when it tells none."""
        told = [(their, our or 0) for their, our in zip(self.their_tokens, self.our_tokens, strict=True) if their is not None]
        return all(their == our for their, our in told) if told else None


def _int(value: object) -> int | None:
    return None if value is None else int(str(value))


def _compared(pair: _Pair, decimals: int) -> tuple[object, ...]:
    known = pair.their_cost is not None and pair.our_cost is not None
    difference = (pair.their_cost or 0) - (pair.our_cost or 0) if known else None
    return (
        pair.day, pair.model, pair.requests, *pair.their_tokens, pair.their_cost,
        pair.operations, *pair.our_tokens, pair.our_cost, difference, _why(pair, decimals),
    )  # fmt: skip


def _why(pair: _Pair, decimals: int) -> str:
    if pair.side == "left_only":
        return "not in our telemetry"
    if pair.side == "right_only":
        return "not on their bill"
    if pair.tokens_agree is False:
        return _other_tokens(pair)
    return _why_cost(pair, decimals)


def _why_cost(pair: _Pair, decimals: int) -> str:
    """Where nothing speaks against the tokens."""
    if pair.unpriced == pair.operations:
        return "we have no price"
    if pair.unpriced:
        return f"we have no price for {pair.unpriced} of {pair.operations} calls"
    if pair.their_cost is None:
        return "agrees"
    if pair.our_cost is None:
        return f"we know no cost: none of our {pair.operations} calls told tokens"
    difference = abs(pair.their_cost - pair.our_cost)
    # Each line of theirs is rounded to their last decimal, each call of ours to the nano.
    half = Decimal(1).scaleb(-decimals) / 2
    if difference <= (pair.lines or 0) * half + (pair.operations or 0) / NANO / 2:
        return "rounding" if difference else "agrees"
    return _other_price(pair)


def _other_tokens(pair: _Pair) -> str:
    """By calls where the bill counts them and they differ, else by tokens."""
    theirs, ours, what = pair.requests or 0, pair.operations or 0, "calls"
    if not theirs or theirs == ours:
        kinds = [(their, our or 0) for their, our in zip(pair.their_tokens, pair.our_tokens, strict=True) if their is not None]
        theirs, ours, what = sum(their for their, _ in kinds), sum(our for _, our in kinds), "tokens"
    if theirs == ours:
        return "other tokens: as many in all, other kinds"
    untold = f"; {pair.untold} of ours told no tokens" if pair.untold else ""
    if not theirs:
        return f"other tokens: they count no {what}{untold}"
    share = Decimal(abs(ours - theirs)) * 100 / theirs
    said = f"{share:.1f}".removesuffix(".0") if share >= Decimal("0.05") else "less than 0.1"
    return f"other tokens: {said} % {'fewer' if ours < theirs else 'more'} {what} told{untold}"


def _other_price(pair: _Pair) -> str:
    tokens = sum(count or 0 for count in pair.our_tokens)
    if pair.tokens_agree is None or not tokens:
        return f"other cost: theirs ${pair.their_cost:f}, ours ${pair.our_cost:f}; the bill tells no tokens"
    theirs, ours = (f"{(cost or 0) * 10**6 / Decimal(tokens):.4f}" for cost in (pair.their_cost, pair.our_cost))
    return f"same tokens, other price (theirs implies ${theirs}/M, ours ${ours}/M)"

"""The parts of the Prices page: what calls cost, prices of our own, and re-pricing with its preview."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import streamlit as st

from console import price_actions
from console.ui import acts, formats
from console.ui.quoted import quoted
from services import clock
from services.db import transaction
from services.errors import BadInput
from services.pricing import overrides, reprice, versions
from services.pricing.overrides import KINDS, Override
from services.settings import settings

PREVIEW = "prices_preview"
LABELS = {
    "input": "Input", "output": "Output", "cache_read": "Cache read", "cache_write": "Cache write", "reasoning": "Reasoning",
    "request": "Per request",
}  # fmt: skip
PICO_PER_USD = 10**12
PICO_PER_USD_PER_MTOK = 10**6
STATES = {"waiting": "● waiting for a worker", "applied": "● applied", "reversing": "● being taken back", "reversed": "▲ taken back"}
PREVIEWED = {
    "day": "Day", "provider": "Provider", "model": "Model", "operations": "Operations", "changed": "Changed",
    "newly_priced": "Newly priced", "no_longer_priced": "No longer priced", "before_usd": "Before", "after_usd": "After",
    "difference_usd": "Difference",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Previewed:
    """A question and its answer, kept until it is applied or asked anew."""

    first_day: date
    end_day: date
    provider: str | None
    model: str | None
    candidate: Override | None
    frame: pd.DataFrame
    gone: list[date]


def in_use() -> None:
    """Each model that was called and the prices its calls were priced with."""
    with transaction() as connection:
        found = versions.in_use(connection)
    if found.empty:
        st.info("No call has been counted yet, so no price is in use.", icon=":material/inbox:")
        return
    rows = [
        {"Provider": row.provider, "Model": row.model, "Source": row.source if row.units else "no price of ours"}
        | {LABELS[kind]: _unit(row.units, kind) for kind in KINDS}
        | {"First used": _when(row.since), "Last called": _when(row.last_operation_at)}
        for row in found.itertuples()
    ]
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, placeholder=formats.UNKNOWN, alt="Models with their price versions in USD per million"
    )
    st.caption(
        "USD per million tokens, by the price versions that calls were priced with; a price after > holds for a whole call with more input"
        " tokens than that. A model with no price of ours has an unknown cost unless its sender told one."
    )


def own(*, may: bool) -> None:
    """Prices of our own; who `may` can add and end them."""
    with transaction() as connection:
        found = overrides.listing(connection)
    if found:
        st.dataframe(pd.DataFrame([_own_row(o) for o in found]), hide_index=True, alt="Prices of our own, in USD per million tokens")
    else:
        st.info("There are no prices of our own: the list's stand.", icon=":material/sell:")
    if not may:
        st.caption("Operators may add and end prices.")
        return
    adding, ending = st.tabs(["New price", "End a price"])
    with adding:
        _add()
    with ending:
        _end([o for o in found if o.until is None or o.until > clock.utc_now()])


def repricing(*, may: bool) -> None:
    """Ask what stored calls would cost by the prices of now, see it before anything is written, have it done."""
    _ask()
    shown: Previewed | None = st.session_state.get(PREVIEW)
    if shown:
        _show_preview(shown, may=may)
    with transaction() as connection:
        found = reprice.listing(connection)
    if found:
        st.dataframe(pd.DataFrame([_repricing_row(r) for r in found]), hide_index=True, alt="Re-pricings with their state and effect")
    left = [r.id for r in found if r.state in ("waiting", "applied")]
    if may and left:
        _reverse(left)


def _unit(units: dict[str, Any] | None, kind: str) -> str | None:
    """A price version's price of one kind in words; None where there is none."""
    if not units:
        return None
    if kind == "request":
        return _usd(Decimal(units["request_pico"]) / PICO_PER_USD)
    prices = [(above, _usd(Decimal(pico) / PICO_PER_USD_PER_MTOK)) for above, pico in units[kind]]
    return ", ".join(f"> {_tokens(above)}: {usd}" if above else usd for above, usd in prices) or "free"


def _tokens(number: int) -> str:
    """As short as it is exact: a column is narrow."""
    return f"{number:,}" if number % 1_000 else f"{number // 1_000:,}k"


def _usd(dollars: Decimal) -> str:
    return f"${dollars.normalize():,f}" if dollars else "free"


def _own_row(override: Override) -> dict[str, Any]:
    ended = override.until is not None and override.until <= clock.utc_now()
    withdrawn = override.until is not None and override.until <= override.effective_from
    return (
        {"Id": override.id, "Provider": override.provider or "any", "Model": override.model}
        | {LABELS[kind]: _own_unit(override, kind) for kind in KINDS}
        | {
            "From": _when(override.effective_from),
            "Until": "withdrawn" if withdrawn else _when(override.until) if override.until else "open",
            "State": "▲ over" if ended else "● in force",
            "Source": override.source,
            "By": override.created_by,
        }
    )


def _own_unit(override: Override, kind: str) -> str:
    if kind in override.units:
        return _usd(Decimal(override.units[kind]))
    return f"as {LABELS[overrides.FALLS_BACK[kind]].lower()}" if kind in overrides.FALLS_BACK else "free"


def _price_fields(key: str) -> dict[str, str]:
    """One text box a kind of price; text, because money is never a float."""
    boxes = zip(st.columns(len(KINDS)), KINDS, strict=True)
    return {kind: box.text_input(f"{LABELS[kind]}, $" + ("" if kind == "request" else "/M"), key=f"{key}_{kind}") for box, kind in boxes}


def _span_fields(key: str) -> tuple[datetime | None, datetime | None, str]:
    first, until, source = st.columns([1, 1, 2])
    begins = first.date_input("Holds from", value=None, key=f"{key}_from")
    ends = until.date_input("until before", value=None, key=f"{key}_to", help="The first day it no longer holds; empty for open end.")
    told = source.text_input("Where it is written", placeholder="contract 2026", key=f"{key}_source")
    return _instant(begins), _instant(ends), told


def _instant(day: object) -> datetime | None:
    return clock.day_start(day, settings().zone) if isinstance(day, date) else None


def _add() -> None:
    with st.form(acts.fresh("new_price"), border=False):
        left, right = st.columns(2)
        model = left.text_input("Model", help="Its name; may end in * for all that begin like that.", key="own_model")
        provider = right.text_input("Provider", placeholder="any", key="own_provider")
        units = _price_fields("own")
        begins, ends, source = _span_fields("own")
        asked = st.form_submit_button("Add the price", type="primary", icon=":material/sell:")
    if asked:
        acts.do(lambda: _added(_candidate(model, provider, units, begins, ends, source)))


def _added(candidate: Override) -> str:
    price_actions.add_override(candidate)
    return "The price holds for what arrives from now on. Re-price to apply it to what is stored."


def _end(live: list[Override]) -> None:
    if not live:
        st.caption("No price is in force.")
        return
    names = {override.id: f"{override.id}: {override.model} ({override.source})" for override in live}
    chosen = acts.choose("Price", list(names), format_func=names.__getitem__, key="end_id")
    if chosen is None:
        return
    words = "As if it had never been: a mistake. What was priced keeps its cost until it is re-priced."
    withdraw = st.checkbox(words, key=acts.fresh("end_withdraw", chosen))
    if st.button("End the price", icon=":material/block:", key=acts.fresh("end_price", chosen)):
        acts.do(lambda: _ended(chosen, withdraw=withdraw))


def _ended(price_id: int, *, withdraw: bool) -> str:
    price_actions.end_override(price_id, withdraw=withdraw)
    return f"Price {price_id} is {'withdrawn' if withdraw else 'ended'}."


def _reverse(left: list[int]) -> None:
    chosen = acts.choose("Re-pricing", left, key="reverse_id")
    if chosen is not None and st.button("Take it back", icon=":material/undo:", key=acts.fresh("reverse", chosen)):
        acts.do(lambda: _reversed(chosen))


def _reversed(repricing_id: int) -> str:
    price_actions.reverse_repricing(repricing_id)
    return f"Re-pricing {repricing_id} is being taken back."


def _ask() -> None:
    today = clock.today(settings().zone)
    with st.form("reprice", border=False):
        first, last, left, right = st.columns(4)
        start = first.date_input("From", value=today - timedelta(days=29), key="reprice_from")
        end = last.date_input("To", value=today, key="reprice_to")
        model = left.text_input("Model", placeholder="every model", help="Its name; may end in *.", key="reprice_model")
        provider = right.text_input("Provider", placeholder="every provider", key="reprice_provider")
        with st.expander("Try a price that is not saved yet"):
            st.caption("For the model and provider above; applying saves it. It holds from the first day unless you say otherwise.")
            units = _price_fields("try")
            begins, ends, source = _span_fields("try")
        asked = st.form_submit_button("Preview", type="primary", icon=":material/preview:")
    if not asked or not isinstance(start, date) or not isinstance(end, date):
        return
    st.session_state.pop(PREVIEW, None)
    try:
        trying = any(text.strip() for text in units.values())
        tried = _candidate(model, provider, units, begins or _instant(start), ends, source) if trying else None
        with transaction() as connection:
            asked_for = (start, end + timedelta(days=1), provider.strip() or None, model.strip() or None)
            st.session_state[PREVIEW] = Previewed(
                *asked_for, tried, reprice.preview(connection, *asked_for, tried), reprice.gone(connection, *asked_for[:2])
            )
    except BadInput as problem:
        st.error(quoted(str(problem)), icon=":material/error:")


def _candidate(model: str, provider: str, units: dict[str, str], begins: datetime | None, ends: datetime | None, source: str) -> Override:
    if begins is None:
        raise BadInput("Holds from: choose the first day.")
    return overrides.candidate(model=model, provider=provider, units=units, effective_from=begins, effective_to=ends, source=source)


def _show_preview(shown: Previewed, *, may: bool) -> None:
    found = shown.frame
    about = (
        f"{shown.first_day} to {shown.end_day - timedelta(days=1)}, {shown.model or 'every model'}, {shown.provider or 'every provider'}"
    )
    st.markdown(f"**Preview: {about}**" + (", with the price that is not saved yet" if shown.candidate else ""))
    counts = {name: f"{int(found[name].sum()):,}" for name in ("operations", "changed", "newly_priced", "no_longer_priced")}
    money = {name: total(found[name]) for name in ("before_usd", "after_usd", "difference_usd")}
    tiles({PREVIEWED[name]: value for name, value in (counts | money).items()})
    if shown.gone:
        st.warning(
            f"{len(shown.gone)} days from {shown.gone[0]} to {shown.gone[-1]} no longer have all their calls; those keep their cost.",
            icon=":material/history:",
        )
    frame(found[found["changed"] > 0], PREVIEWED, "What would cost something else, by day, provider and model")
    st.caption(f"Nothing is written yet. Days of {settings().reporting_zone}. Costs that senders told and cached answers stay as they are.")
    key = acts.fresh("reprice_apply", about, shown.candidate)
    if may and st.button("Apply", type="primary", icon=":material/check:", key=key, disabled=not found["changed"].sum()):
        acts.do(lambda: _applied(shown))


def _applied(shown: Previewed) -> str:
    # Before it is done: a second press breaks in where the session's state is changed.
    st.session_state.pop(PREVIEW, None)
    price_actions.apply_repricing(shown.first_day, shown.end_day, shown.provider, shown.model, shown.candidate)
    return "A worker re-prices now; the list below says when it is done."


def _repricing_row(done_: reprice.Repricing) -> dict[str, object]:
    return {
        "Id": done_.id,
        "Days": f"{done_.first_day} to {done_.last_day}",
        "Provider": done_.provider or "every provider",
        "Model": done_.model or "every model",
        "State": STATES[done_.state],
        "Changed": f"{done_.operations:,}",
        "Difference": formats.money(done_.difference_usd),
        "By": done_.created_by,
        "Asked": _when(done_.created_at),
    }


def total(values: pd.Series) -> str:
    """A sum of what is known; unknown where nothing is."""
    known = [value for value in values if value is not None]
    return formats.money(sum(known, Decimal(0))) if known else formats.UNKNOWN


def tiles(values: dict[str, str]) -> None:
    """Values that are words already, by label."""
    for place, (label, value) in zip(st.columns(len(values)), values.items(), strict=True):
        place.metric(label, value, border=True)


def frame(found: pd.DataFrame, labels: dict[str, str], alt: str) -> None:
    """The columns named in `labels`; those that end in _usd hold Decimals."""
    shown = found[list(labels)].rename(columns=labels)
    money = [label for name, label in labels.items() if name.endswith("_usd")]
    shown[money] = shown[money].apply(lambda column: pd.to_numeric(column.map(str, na_action="ignore"), errors="coerce"))  # to be drawn
    config: dict[str, Any] = {label: st.column_config.NumberColumn(label, format="$%.6f") for label in money}
    st.dataframe(shown, hide_index=True, column_config=config, placeholder=formats.UNKNOWN, alt=alt)


def _when(instant: Any) -> str | None:  # noqa: ANN401 - frames hold NaT where there is none
    return None if formats.is_unknown(instant) else f"{instant.astimezone(settings().zone):%Y-%m-%d %H:%M}"

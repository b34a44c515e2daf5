"""One summary with the councils behind it, what changed, and how complete each field is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import streamlit as st

from console.ui import factoids, formats, instants
from console.ui.quoted import quoted
from services.db import transaction
from services.sitewide import changes, reading
from services.sitewide.amounts import amount
from services.sitewide.names import year_label
from services.sitewide.reading import Council, Group, Summary

MOST_CHANGES = 200
HASH_SHOWN = 12


def draw() -> None:
    """Choose a field and a year; both are in the address."""
    with transaction() as connection:
        known = reading.fields(connection)
    if not known:
        _nothing()
        return
    names = _names({slug: name for slug, (name, _) in known.items()})
    _obey_slug(names)
    left, right = st.columns([3, 1])
    slug = left.selectbox("Field", list(names), format_func=names.__getitem__, key=factoids.FIELD, bind="query-params")
    years = known[slug][1]
    if st.session_state.get(factoids.YEAR, years[0]) not in years:
        st.session_state[factoids.YEAR] = years[0]  # the field that was shown before had more years
    year = right.selectbox("Financial year", years, format_func=year_label, key=factoids.YEAR, bind="query-params")
    with transaction() as connection:
        summary, councils = reading.get(connection, slug, year), reading.councils(connection, slug, year)
        published, log = reading.published_names(connection, slug), changes.listing(connection, 20, slug)
    _numbers(summary)
    left, right = st.columns(2)
    with left:
        _groups("By type", summary.by_type, summary)
        _groups("By nation", summary.by_nation, summary)
    with right:
        _councils("Top five", summary.top, summary)
        _councils("Bottom five", summary.bottom, summary)
    _councils(f"All {len(councils):,} councils", councils, summary)
    with st.expander("What it was called, and what changed"):
        st.dataframe(
            pd.DataFrame([{"Financial year": year_label(told), "Published as": name} for told, name in published]), hide_index=True,
            alt="The field's name in each year",
        )  # fmt: skip
        _log(log)


def _names(known: Mapping[str, str]) -> dict[str, str]:
    """What each slug is called in the list and in the address; where two fields share a name, with its slug."""
    often = Counter(known.values())
    return {slug: name if often[name] == 1 else f"{name} ({slug})" for slug, name in known.items()}


def _obey_slug(names: Mapping[str, str]) -> None:
    """The address has the field as it is shown; links from elsewhere have its slug. What is neither is said, not replaced in silence."""
    asked = st.query_params.get(factoids.FIELD)
    if asked is None:
        return
    if asked in names:
        st.session_state[factoids.FIELD], st.query_params[factoids.FIELD] = asked, names[asked]
    elif asked not in names.values():
        st.warning(f"There is no field {formats.plain(formats.short(asked))}; another one is shown.", icon=":material/link_off:")


def changed() -> None:
    """The change log of all fields."""
    with transaction() as connection:
        found = changes.listing(connection, MOST_CHANGES)
    if not found:
        _nothing()
        return
    _log(found)
    if len(found) == MOST_CHANGES:
        st.caption(f"These are the latest {MOST_CHANGES}.")


def complete() -> None:
    """How complete each field is, the least first."""
    with transaction() as connection:
        found = reading.completeness(connection)
    if not found:
        _nothing()
        return
    st.caption(
        "Complete is the share of the councils that a source reports on in a year whose figure is known. Quality is to seven tenths that,"
        " and to three tenths how many of the councils' types, nations and regions are known."
    )
    frame = pd.DataFrame(
        {
            "Field": [one.name for one in found],
            "Source": [one.source for one in found],
            "Years": [f"{year_label(one.first)} to {year_label(one.last)}" for one in found],
            "Summaries": [one.years for one in found],
            "Least complete": [float(one.least) for one in found],
            "Latest year": [float(one.latest) for one in found],
            "Quality": [float(one.quality) for one in found],
            "Figures missing": [one.missing for one in found],
        }
    )
    bars = {name: st.column_config.ProgressColumn(name, format="percent", min_value=0, max_value=1) for name in frame.columns[4:7]}
    st.dataframe(frame, hide_index=True, column_config=bars, height=600, alt="How complete each field is, the least complete first")


def _numbers(one: Summary) -> None:
    shown = {
        f"Councils of {one.expected:,}": f"{one.n:,}", "Total": one.total, "Mean": one.mean, "Median": one.median, "Lowest": one.min,
        "Highest": one.max,
    }  # fmt: skip
    for place, (label, value) in zip(st.columns(len(shown)), shown.items(), strict=True):
        said = formats.UNKNOWN if value is None else value if isinstance(value, str) else _short(value, one)
        place.metric(label, said, border=True)
    st.caption(
        f"{float(one.completeness):.1%} complete · quality {float(one.quality):.1%} · source {quoted(one.source)} · in {one.unit} ·"
        f" summarised at {instants.at(one.built_at)} · SHA-256 of the figures `{one.source_hash}`"
    )


def _groups(title: str, groups: Mapping[str, Group], one: Summary) -> None:
    frame = pd.DataFrame(
        {
            title: list(groups),
            "Councils": [group.n for group in groups.values()],
            f"Mean, {one.unit}": [float(group.mean) for group in groups.values()],
        }
    )
    st.dataframe(frame, hide_index=True, column_config=_localized(frame), alt=f"{title}: councils and their mean")


def _councils(title: str, councils: Sequence[Council], one: Summary) -> None:
    frame = pd.DataFrame(
        {
            "Council": [council.name for council in councils],
            f"Figure, {one.unit}": [None if council.value is None else float(council.value) for council in councils],
            "Type": [council.type for council in councils],
            "Nation": [council.nation for council in councils],
            "Code": [council.code for council in councils],
        }
    )
    st.markdown(f"**{title}**")
    st.dataframe(frame, hide_index=True, column_config=_localized(frame), placeholder=formats.UNKNOWN, alt=f"{title} with their figures")


def _log(found: Sequence[changes.Change]) -> None:
    frame = pd.DataFrame(
        {
            "At": instants.column([one.at for one in found]),
            "Field": [one.field for one in found],
            "Financial year": [year_label(one.year) for one in found],
            "Change": [one.what for one in found],
            "Councils": [one.n for one in found],
            "Such as": [", ".join(one.examples) for one in found],
            "Hash before": ["none: it is new" if one.old_hash is None else one.old_hash[:HASH_SHOWN] for one in found],
            "Hash after": [one.new_hash[:HASH_SHOWN] for one in found],
            "By": [one.actor for one in found],
        }
    )
    st.dataframe(frame, hide_index=True, column_config={"At": instants.shown("At")}, alt="What changed in the data, the latest first")


def _localized(frame: pd.DataFrame) -> dict[str, Any]:
    numbers = [name for name in frame.columns if name.startswith(("Figure", "Mean"))]
    return {name: st.column_config.NumberColumn(name, format="localized") for name in numbers}


def _short(value: Decimal, one: Summary) -> str:
    """An amount that fits a tile."""
    said = amount(value, one.unit if one.unit.isupper() else None)
    return said.replace(" million", "m").replace(" billion", "bn")


def _nothing() -> None:
    st.info("No council figures have been summarised yet.", icon=":material/inbox:")
    st.markdown("`python -m services sitewide import FILE --map MAP`, then wait half an hour, or `python -m services sitewide summaries`.")

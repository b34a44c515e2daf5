"""The parts of the Telemetry page: what flows, which keeps itself current; who sends; what was refused and may be sent again."""

from datetime import timedelta
from typing import Any

import pandas as pd
import streamlit as st

from console import actions
from console.ui import acts, cards, charts, formats, live
from console.ui.quoted import quoted
from services import clock
from services.db import transaction
from services.errors import BinnacleError
from services.settings import settings
from services.telemetry import overview

SEEN = "telemetry_seen"  # the newest refused record that was counted when somebody pressed Discard
EVERYTHING = ("", "", "")
Group = tuple[str, str, str]  # source, field, reason
HELP = {
    "Rate a minute": "Records that arrived in the last whole minute, counted or not.",
    "Lag": "The longest that anything of the last five minutes took from its arrival to the numbers.",
    "Waiting": "Records that are safe on disk and not yet in the numbers.",
    "Rejected today": "Records that could not be used, since midnight UTC. Below is why.",
    "Told twice today": "Records that were known already, since midnight UTC. They count once.",
    "Ignored today": "Spans that are no AI calls, since midnight UTC.",
}
STATES = {True: "▲ silent", False: "● arriving"}
COUNTED = {
    "accepted_today": "Accepted today",
    "accepted": "Accepted",
    "rejected": "Rejected",
    "duplicates": "Told twice",
    "late": "Late",
    "ignored": "Ignored",
    "adjusted": "Adjusted",
}


def flow() -> None:
    """Tiles and the records of the last hour by minute, every two seconds unless paused."""
    paused = st.toggle("Pause updates", key="telemetry_paused", help=f"This part is asked again every {live.EVERY_S} seconds.")
    st.fragment(_draw_flow, run_every=None if paused else live.EVERY_S)()


def sources() -> None:
    """Who sends, when they were last seen and what became of it."""
    with transaction() as connection:
        found, collected = overview.sources(connection), overview.collected(connection)
    for source, operations in collected.items():
        st.warning(
            f"{formats.plain(source)} tells more different names than the {settings().series_limit_per_source:,} that are kept apart:"
            f" {operations:,} operations of the last {overview.DAYS} days are counted under the name (other)."
            " Look for names with ids or times in them, or raise SERIES_LIMIT_PER_SOURCE.",
            icon=":material/filter_alt:",
        )
    shown = pd.DataFrame(
        {
            "Source": found["source"],
            "Door": found["door"],
            "State": [_state(row.last_seen_at, row.silent) for row in found.itertuples()],
            "Last seen": _local(found["last_seen_at"]),
        }
        | {label: found[name] for name, label in COUNTED.items()}
    )
    config: dict[str, Any] = {label: st.column_config.NumberColumn(label, format="localized") for label in COUNTED.values()}
    st.dataframe(
        shown,
        hide_index=True,
        column_config=config | {"State": st.column_config.TextColumn("State", width=130), "Last seen": _instants("Last seen")},
        placeholder=formats.UNKNOWN,
        alt="Sources of telemetry, when each was last seen, and what became of its records in seven days",
    )
    st.caption(
        f"Counts are of {overview.DAYS} days (UTC), today included; times are of {settings().reporting_zone}."
        f" Silent: nothing usable for more than {overview.SILENT_AFTER_HOURS} hours."
    )


def rejected(*, may: bool) -> None:
    """What was refused and why; who `may` can send it again or throw it away."""
    with transaction() as connection:
        found = overview.rejected(connection)
    if found.empty:
        st.info("No refused records are kept.", icon=":material/task_alt:")
        return
    _table(found)
    if may:
        _act(found)


def empty() -> bool:
    """Whether nothing has ever come, not even something to refuse; then it says what to do."""
    with transaction() as connection:
        if overview.anything(connection):
            return False
    st.info("Nothing has arrived yet.", icon=":material/inbox:")
    st.markdown(
        "Make a key with the scope telemetry, below or by `python -m services keys create --name my-app --scope telemetry`. Then point an"
        " app's OpenTelemetry exporter here, or send JSON to `/api/operations`:\n\n"
        f"```\nOTEL_EXPORTER_OTLP_TRACES_ENDPOINT={settings().console_url}/v1/traces\n"
        "OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20KEY\nOTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n```"
    )
    return True


def _draw_flow() -> None:
    """A fragment runs outside the page, so it words its failures itself, and goes on asking."""
    try:
        with transaction() as connection:
            rate, lag_ms = overview.rate(connection), overview.lag_ms(connection)
            backlog, today = overview.backlog(connection), overview.today(connection)
        _tiles(rate, lag_ms, backlog, today)
        figure = charts.stacked(_bucketed(rate), "operations", "source")
        if rate.empty:
            st.caption("Nothing arrived in the last hour.")
        else:
            cards.chart("Records a minute", figure, "Stacked bars: records that arrived in each of the last 60 minutes, by source")
        day = clock.today(settings().zone)
        cards.trust((day, day + timedelta(days=1)))
    except BinnacleError as problem:
        st.error(quoted(str(problem)), icon=":material/error:")


def _tiles(rate: pd.DataFrame, lag_ms: int | None, backlog: overview.Backlog, today: dict[str, int]) -> None:
    waits = None if backlog.oldest_s is None else f"oldest {formats.duration(max(backlog.oldest_s, 0))}"
    values = {
        "Rate a minute": formats.count(_last_minute(rate)),
        "Lag": formats.number(lag_ms, "ms"),
        "Waiting": formats.count(backlog.rows),
        "Rejected today": formats.count(today["rejected"]),
        "Told twice today": formats.count(today["duplicates"]),
        "Ignored today": formats.count(today["ignored"]),
    }
    for place, (label, value) in zip(st.columns(len(values)), values.items(), strict=True):
        delta = waits if label == "Waiting" else None
        place.metric(label, value, delta, delta_color="off", delta_arrow="off", help=HELP[label], border=True, height="stretch")


def _last_minute(rate: pd.DataFrame) -> int:
    """Records of the last minute that is over."""
    minutes = rate.groupby("minute")["n"].sum()
    return int(minutes.iloc[-2]) if len(minutes) > 1 else 0


def _bucketed(rate: pd.DataFrame) -> pd.DataFrame:
    """The rate as the charts have frames, in minutes of the reporting zone."""
    return rate.assign(bucket=_local(rate["minute"])).rename(columns={"n": "operations"})


def _local(instants: pd.Series) -> pd.Series:
    """Clock time of the reporting zone: Streamlit would show another zone to each person."""
    return instants.dt.tz_convert(settings().zone).dt.tz_localize(None)


def _instants(label: str) -> Any:  # noqa: ANN401 - Streamlit names the type nowhere public
    return st.column_config.DatetimeColumn(label, format="YYYY-MM-DD HH:mm:ss")


def _state(last_seen_at: object, silent: object) -> str:
    if formats.is_unknown(last_seen_at):
        return "▲ nothing usable"
    return "file" if formats.is_unknown(silent) else STATES[bool(silent)]


def _table(found: pd.DataFrame) -> None:
    shown = pd.DataFrame(
        {
            "Source": found["source"],
            "Field": found["field"],
            "Reason": found["reason"],
            "Records": found["n"],
            "Can be sent again": found["replayable"],
            "Last": _local(found["last_at"]),
            "Sample": found["sample"],
        }
    )
    config: dict[str, Any] = {
        "Reason": st.column_config.TextColumn("Reason", width=300),
        "Last": _instants("Last"),
        "Sample": st.column_config.TextColumn("Sample", width="medium", help="The last of them, without what people said."),
    }
    st.dataframe(shown, hide_index=True, column_config=config, alt="Refused records by source, field and reason, with a sample of each")
    if len(found) == overview.MOST_GROUPS:
        st.caption(f"These are the {overview.MOST_GROUPS} reasons with most records; there may be more.")


def _act(found: pd.DataFrame) -> None:
    """Choose a reason, then send its records again or throw them away."""
    groups: dict[Group, tuple[int, int, int, str]] = {
        (row.source, row.field, row.reason): (row.n, row.replayable, row.last_id, row.sample) for row in found.itertuples()
    }
    first = found.iloc[0]
    groups[EVERYTHING] = (int(first["all_n"]), int(first["all_replayable"]), int(first["all_last_id"]), "")
    # By its words, not by its place: places shift when something new is refused, and the wrong records would be thrown away.
    chosen = acts.choose("Refused records", list(groups), format_func=_words, key="telemetry_group")
    if chosen is None:
        return
    everything = chosen == EVERYTHING
    source, field, reason = (None, None, None) if everything else chosen
    number, whole, newest_id, sample = groups[chosen]
    if not everything:
        st.code(sample, language="json", wrap_lines=True)
    if whole < number:
        st.caption(
            f"{whole:,} of {number:,} can be sent again; the others were too long to keep whole, or are rows of a file to import again."
        )
    with st.container(horizontal=True):
        if st.button("Send again", icon=":material/replay:", disabled=not whole, key=acts.fresh("telemetry_replay", chosen)):
            acts.do(lambda: _sent_again(field, reason, source))
        with st.popover("Discard", icon=":material/delete:"):
            st.markdown(f"**{number:,} records** are deleted for good. They stay counted as rejected.")
            discard = acts.fresh("telemetry_discard", chosen)
            if st.button("Discard them", type="primary", key=discard, on_click=_seen, args=(newest_id,)):
                acts.do(lambda: f"{actions.discard_rejected(field, reason, source, st.session_state[SEEN]):,} discarded.")


def _sent_again(field: str | None, reason: str | None, source: str | None) -> str:
    tried, accepted = actions.replay_rejected(field, reason, source)
    return f"{tried:,} sent again, {accepted:,} accepted."


def _seen(newest_id: int) -> None:
    """Called before the page is drawn anew, with what was counted on the page that was looked at."""
    st.session_state[SEEN] = newest_id


def _words(group: Group) -> str:
    source, field, reason = group
    return "Everything that was refused" if group == EVERYTHING else f"{source} · {field}: {reason}"

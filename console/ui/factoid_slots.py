"""The slots of the factoids: what was decided at each of them, on which hashes, and what it cost beside generating at every read."""

from datetime import timedelta

import pandas as pd
import streamlit as st

from console.ui import formats, instants, job_states
from console.ui.schedules import DECISIONS
from services import clock, schedules
from services.db import transaction
from services.errors import NotFound
from services.settings import settings
from services.sitewide import runs
from services.sitewide.runs import Slot, Totals

SCHEDULE, DAYS = "sitewide-factoids", 30
HASH_SHOWN = 12
SAYS = {
    "generated": "✓ generated",
    "unaffected": "= nothing said changed",
    "unchanged": "= unchanged",
    "waits for its slot": "○ waits for its slot",
    "no data": "□ no data",
    "rejected": "▲ rejected",
    "failed": "▲ failed",
}


def draw() -> None:
    """Calls made and avoided, the calendar, and every decision."""
    with transaction() as connection:
        since = clock.today(settings().zone) - timedelta(days=DAYS)
        totals, found = runs.totals(connection, since), runs.listing(connection)
    _calls(totals)
    _calendar(found)
    _decisions(found)


def _calls(totals: Totals) -> None:
    shares = totals.avoided_share
    shown = {
        "Reads": f"{totals.reads:,}",
        "AI calls made": f"{totals.calls:,}",
        "AI calls avoided": f"{totals.avoided:,}",
        "Avoided": formats.UNKNOWN if shares is None else formats.share(shares),
        "Cost": formats.UNKNOWN if totals.cost_usd is None else formats.money(totals.cost_usd),
    }
    for place, (label, value) in zip(st.columns(len(shown)), shown.items(), strict=True):
        place.metric(label, value, border=True)
    st.caption(
        f"The last {DAYS} days. Avoided: calls that generating at every read would have made besides. Reads of the ten seconds before a"
        " process died are not counted."
    )
    if totals.failed:
        what = "1 slot failed or was rejected" if totals.failed == 1 else f"{totals.failed:,} slots failed or were rejected"
        st.warning(f"{what} in these days: see the decisions below.", icon=":material/warning:")


def _calendar(found: list[Slot]) -> None:
    """A row a day, a column a slot."""
    try:
        with transaction() as connection:
            known = schedules.overview(connection, SCHEDULE)
    except NotFound:
        st.info("The schedule is not there yet: the dispatcher makes it when it starts.", icon=":material/event_repeat:")
        return
    said = {slot.run.job_id: SAYS[slot.run.decision] for slot in found}
    cells = [
        {
            "Day": one.local_label[:10],
            "slot": one.local_label[11:16],
            "decision": said.get(one.job_id or 0) or _without_a_run(one.word, one.job_state),
        }
        for one in known.last
        if one.word != "run now"
    ]
    st.markdown("**Calendar**")
    if known.schedule.paused_at is not None:
        st.warning(f"The schedule is paused by {known.schedule.paused_by}: see the Jobs page.", icon=":material/pause:")
    coming = ", ".join(f"{instants.at(slot)[5:16]}" for slot in known.upcoming[:4])
    st.caption(f"Next: {coming} ({settings().reporting_zone}). Forcing, pausing and dry runs: schedule {SCHEDULE} on the Jobs page.")
    if cells:
        wide = pd.DataFrame(cells).pivot_table(index="Day", columns="slot", values="decision", aggfunc="first").sort_index(ascending=False)
        st.dataframe(wide.reset_index(), hide_index=True, placeholder="not due", alt="What was decided at each slot of each day")


def _without_a_run(word: str, job_state: str | None) -> str:
    """A slot that made no job, or one that has decided nothing yet."""
    if word == "run" and job_state is not None:
        return job_states.STATES.get(job_state, job_state)
    return DECISIONS.get(word, word)


def _decisions(found: list[Slot]) -> None:
    if not found:
        st.caption("Nothing was decided yet.")
        return
    told = [slot.run for slot in found]
    frame = pd.DataFrame(
        {
            "At": instants.column([run.at for run in told]),
            "Slot": [slot.slot or ("between slots" if slot.run.kind.endswith("revalidate") else "by hand") for slot in found],
            "Decision": [SAYS[run.decision] for run in told],
            "AI calls": [run.calls for run in told],
            "Worded": [run.worded for run in told],
            "Replaced": [run.replaced for run in told],
            "Cost": [formats.UNKNOWN if run.cost_nano is None else f"${run.cost_nano / 1e9:.5f}" for run in told],
            "Outcome": [run.outcome or "" for run in told],
            "Why": [run.reason or "" for run in told],
            "Hash": [(run.fingerprint or "none")[:HASH_SHOWN] for run in told],
            "Hash before": [(run.previous or "none")[:HASH_SHOWN] for run in told],
            "By": [run.actor for run in told],
            "Job": [job_states.address(run.job_id) for run in told],
        }
    )
    st.markdown("**Decisions**")
    config = {"At": instants.shown("At"), "Job": job_states.link("Job")}
    st.dataframe(frame, hide_index=True, column_config=config, alt="What was decided, on which hashes, and at what cost; the latest first")
    wrong = [
        {"At": instants.at(run.at), "Said": one["token"], "Of": one["key"], "Why": one["reason"]} for run in told for one in run.findings
    ]
    if wrong:
        st.markdown("**What a model said that is no fact**")
        st.dataframe(pd.DataFrame(wrong), hide_index=True, alt="What was not published")

"""One analysis in full: its wording beside its facts, whose words they are, downloads, and what changed since the version before."""

import pandas as pd
import streamlit as st

from console.ui import analysis_facts, analysis_states, instants, worded
from console.ui.quoted import quoted
from services.analyses import overview, results
from services.analyses.overview import WHY, View
from services.analyses.page import page
from services.analyses.results import Result
from services.db import transaction

NOT_YET = {
    "running": "It is being made: it appears here by itself.",
    "failed": "There is nothing to show: it has never come to an end.",
    "missing": "It has not been made yet.",
}
SOURCES = {"model": "a model", "template": "the template", "replaced": "the template, a model's words having been replaced"}
MOST_FINDINGS = 5


def draw(view: View) -> None:
    """The newest version, whatever the state, with what is to be said of it."""
    result, state = view.standing.result, view.standing.state
    if state == "failed":
        st.error(f"The last try failed: {analysis_states.reason(view)}", icon=":material/error:")
    if result is None:
        st.info(NOT_YET[state], icon=":material/hourglass_top:" if state == "running" else ":material/inbox:")
        return
    _caveats(view, result)
    st.caption(analysis_states.provenance(view, result))
    left, right = st.columns([5, 4])
    with left, st.container(border=True):
        st.markdown(worded.shown(worded.untitled(result.wording), under=3))
    with right:
        analysis_facts.table(result)
    _downloads(result)
    _history(result)


def _caveats(view: View, result: Result) -> None:
    job = view.standing.job
    if view.why is not None:
        st.warning(f"This version is stale: {WHY[view.why]}.", icon=":material/history:")
    if view.standing.state == "running" and job is not None and job.id != result.job_id:
        st.info("A newer version is being made: it takes the place of this one by itself.", icon=":material/hourglass_top:")
    if result.source == "replaced":
        _replaced(result)
    told = analysis_states.notice(result)
    if told is not None:
        box = st.info if result.outcome in ("template", "not_set_up") else st.warning
        box(f"The facts hold, and the template words them. {told}", icon=":material/info:")


def _replaced(result: Result) -> None:
    """What a model said that is no fact."""
    told = [f"“{quoted(str(one['token']))}” ({quoted(str(one['reason']))})" for one in result.findings[:MOST_FINDINGS]]
    more = len(result.findings) - len(told)
    st.warning(
        f"The words of {quoted(result.model)} were replaced by the template, because not all they say is among the facts:"
        f" {', '.join(told)}{f' and {more} more' if more > 0 else ''}.",
        icon=":material/rule:",
    )


def _downloads(result: Result) -> None:
    made = f"{analysis_states.by(result)}, made {instants.at(result.made_at)}; cost {analysis_states.cost(result)}."
    whole = f"{result.wording.rstrip()}\n\n{made}\n"
    name = "-".join(part for part in (result.kind, str(result.record_id), result.variant) if part)
    with st.container(horizontal=True):
        st.download_button(
            "Markdown", worded.shown(whole), f"{name}.md", "text/markdown", icon=":material/download:", on_click="ignore", key="as_markdown"
        )
        st.download_button("HTML", page(whole), f"{name}.html", "text/html", icon=":material/download:", on_click="ignore", key="as_html")


def _history(result: Result) -> None:
    """Read only where somebody looks, for this part is drawn again and again."""
    shown = st.expander("History, and what changed since the version before", key="analysis_history", on_change="rerun")
    if not shown.open:
        return
    with transaction() as connection:
        versions = results.history(connection, result.kind, result.record_id, result.variant)
    with shown:
        if len(versions) > 1:
            analysis_facts.changes(versions[1], versions[0])
        else:
            st.caption("This is the first version.")
        st.dataframe(
            _versions(versions), hide_index=True, alt="Every version that is kept, newest first",
            column_config={"Made": instants.shown("Made"), "Was fresh until": instants.shown("Was fresh until")},
        )  # fmt: skip


def _versions(versions: list[Result]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Made": instants.column([one.made_at for one in versions]),
            "Was fresh until": instants.column([overview.fresh_until(one) for one in versions]),
            "In the words of": [SOURCES[one.source] for one in versions],
            "Model": [one.model for one in versions],
            "Cost": [analysis_states.cost(one).replace("\\", "") for one in versions],
            "How the call ended": [one.outcome.replace("_", " ") for one in versions],
            "Job": [str(one.job_id) for one in versions],
        }
    )

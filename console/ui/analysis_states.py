"""How an analysis stands, in words: fresh until when, stale since why, how far it is, who worded it and what that cost."""

from console.ui import formats, instants
from console.ui.quoted import quoted
from services.analyses import advice
from services.analyses.overview import WHY, View
from services.analyses.results import Result, State
from services.jobs import Job

BADGES: dict[State, str] = {
    "fresh": ":green-badge[● fresh]",
    "stale": ":orange-badge[◇ stale]",
    "running": ":blue-badge[◐ running]",
    "failed": ":red-badge[▲ failed]",
    "missing": ":gray-badge[○ missing]",
}
AGAIN: dict[State, str] = {"fresh": "Run again", "stale": "Run again", "failed": "Try again", "missing": "Start"}
LONGEST_REASON = 300


def line(view: View) -> str:
    """What a person wants to know of it at a glance."""
    result = view.standing.result
    if view.standing.state == "failed":
        return f"Failed: {reason(view)}"
    if result is None:
        return "Not made yet."
    if view.why is not None:
        return f"Made {instants.at(result.made_at)}. Stale: {WHY[view.why]}."
    return f"Made {instants.at(result.made_at)}, holds until {instants.at(view.fresh_until)} unless the record changes."


def reason(view: View) -> str:
    """Why its job failed, or waits for another try; as text that is no Markdown."""
    told = (view.standing.reason or "Nobody knows why.")[:LONGEST_REASON]
    return quoted(told)


def progress(job: Job) -> tuple[float, str]:
    """How far it is, and what it does or waits for."""
    if job.cancel_requested_at is not None:
        return _share(job), "Asked to stop"
    if job.state == "queued":
        return 0.0, "Waiting for a worker"
    if job.state == "retry":
        return 0.0, f"Attempt {job.attempt + 1} of {job.max_attempts} begins at {instants.at(job.run_at)}"
    note = (job.progress or {}).get("note") or "Begun"
    return _share(job), quoted(f"{note}")


def provenance(view: View, result: Result) -> str:
    """Who worded it, with what, for how much, when, and for how long it holds."""
    told = f"{by(result)} · cost {cost(result)} · made {instants.at(result.made_at)}"
    until = instants.at(view.fresh_until)
    if view.why is not None:
        return f"{told} · was fresh until {until}" if view.why == "age" else told
    return f"{told} · fresh until {until} unless the record changes"


def by(result: Result) -> str:
    """Whose words they are."""
    if result.source == "model":
        return f"Worded by {quoted(result.model)} ({quoted(result.provider)})"
    return "Worded by the template" + (f", in place of {quoted(result.model)}" if result.source == "replaced" else "")


def cost(result: Result) -> str:
    """Unknown is a word, never a zero."""
    return formats.UNKNOWN if result.cost_usd is None else formats.money(result.cost_usd).replace("$", "\\$")


def notice(result: Result) -> str | None:
    """Why no model worded it, and what to do about it."""
    told = advice.notice(result)
    return None if told is None else f"**{told.words}** {told.advice}"


def _share(job: Job) -> float:
    told = job.progress or {}
    done, total = told.get("done"), told.get("total")
    return min(max(done / total, 0.0), 1.0) if isinstance(done, int) and isinstance(total, int) and total > 0 else 0.0

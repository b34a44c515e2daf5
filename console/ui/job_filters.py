"""Which jobs to list, bound to the address so that a link shows the same."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from console.ui import formats
from services import clock
from services.db import transaction
from services.errors import BadInput
from services.jobs import listing
from services.jobs.filters import Filters
from services.settings import settings

STATES = ("waiting", "running", "dead", "done", "cancelled", "queued", "retry", "live", "discarded")
MADE = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
BETWEEN = "between"
BEFORE, AFTER = "before", "after"
HELP = {
    "state": "Waiting is queued or retry; live is waiting or running; discarded is dead and put aside.",
    "args": "A dotted path into the arguments and the value there, such as customer.id:17. In a list, any of its values.",
    "fingerprint": "What makes two errors the same; the dead letters are grouped by it.",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is chosen; None is everything. `made` is a name of MADE, or else `since` and `until` hold, local times of the reporting zone."""

    state: str | None = None
    queue: str | None = None
    kind: str | None = None
    tag: str | None = None
    actor: str | None = None
    args: tuple[str, str] | None = None
    fingerprint: str | None = None
    made: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def filters(self) -> Filters:
        """For the list, its count and what is done to all that match. The last hour is the hour until now, whenever this is asked."""
        since = clock.utc_now() - MADE[self.made] if self.made else self.since
        return Filters(
            state=self.state, queue=self.queue, kind=self.kind, tag=self.tag, actor=self.actor, args=self.args,
            fingerprint=self.fingerprint, since=since, until=self.until,
        )  # fmt: skip

    def words(self) -> str:
        """What the list is narrowed to; empty where it is everything."""
        named = [
            ("state", self.state), ("queue", self.queue), ("kind", self.kind), ("tag", self.tag), ("actor", self.actor),
            ("error", self.fingerprint), ("made within", self.made),
            ("made from", self.since and f"{self.since:%Y-%m-%d %H:%M}"), ("made before", self.until and f"{self.until:%Y-%m-%d %H:%M}"),
            ("args", self.args and ":".join(self.args)),
        ]  # fmt: skip
        return "; ".join(f"{name} {formats.plain(value)}" for name, value in named if value)


def selection() -> Chosen:
    """Draw the filters and return what is chosen. A word nobody knows finds nothing, rather than everything."""
    with transaction() as connection:
        kinds, queues = listing.kinds(connection), [queue.name for queue in listing.queues(connection)]
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    state = left.pills(
        "State", STATES, key="state", bind="query-params", on_change=first_page, help=HELP["state"], label_visibility="collapsed"
    )
    with right.popover("Filters", icon=":material/filter_alt:", width="stretch"):
        queue, kind = _one_of("Queue", queues), _one_of("Kind", kinds)
        tag, actor = _typed("Tag"), _typed("Actor", "Who made it: a person, a key, a schedule or system.")
        args = _argument(_typed("Args", HELP["args"]))
        fingerprint = _typed("Fingerprint", HELP["fingerprint"])
        made, since, until = _made()
    chosen = Chosen(state, queue, kind, tag, actor, args, fingerprint, made, since, until)
    if chosen.words():
        st.caption(f"Only {chosen.words()}")
    return chosen


def first_page() -> None:
    """Other filters, another list: it begins at its newest."""
    for name in (BEFORE, AFTER):
        st.query_params.pop(name, None)


def show(**chosen: str) -> None:
    """Let the list show these and no others from the next run on; for a button's on_click."""
    for name in ("state", "queue", "kind", "made"):
        st.session_state[name] = chosen.get(name)
    for name in ("tag", "actor", "args", "fingerprint"):
        st.session_state[name] = chosen.get(name, "")
    first_page()


def _one_of(label: str, known: list[str]) -> str | None:
    # A link may name one that has no jobs any more; that must not turn into every one.
    return st.selectbox(
        label, known, index=None, key=label.lower(), bind="query-params", accept_new_options=True, on_change=first_page,
        placeholder=f"Every {label.lower()}",
    )  # fmt: skip


def _typed(label: str, help_: str | None = None) -> str | None:
    told = st.text_input(label, key=label.lower(), bind="query-params", on_change=first_page, help=help_, placeholder="Any")
    return told.strip() or None


def _argument(told: str | None) -> tuple[str, str] | None:
    if told is None:
        return None
    path, colon, value = told.partition(":")
    if not colon or not path.strip():
        raise BadInput(f"Args: '{told}' is no path and value such as customer.id:17.")
    return path.strip(), value.strip()


def _made() -> tuple[str | None, datetime | None, datetime | None]:
    made = st.pills("Made", [*MADE, BETWEEN], key="made", bind="query-params", on_change=first_page, help="Within so long until now.")
    if made != BETWEEN:
        return made, None, None
    first, second = st.columns(2)
    since = first.datetime_input("From", None, key="since", bind="query-params", on_change=first_page)
    until = second.datetime_input("Before", None, key="until", bind="query-params", on_change=first_page)
    st.caption(f"Times are of {settings().reporting_zone}.")
    return None, since and since.replace(tzinfo=settings().zone), until and until.replace(tzinfo=settings().zone)

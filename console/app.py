"""The console's entry: who is looking, which page, and the one place that words what went wrong."""

from contextlib import suppress
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import StopException

from console.auth import identity, rights
from console.ui import acts
from console.ui.quoted import quoted
from services import metrics
from services.errors import BinnacleError, Unauthenticated

HERE = Path(__file__).resolve().parent
PAGES = HERE.parent / "pages"
OPENED = "opened-page"
HOME = "home"  # the default page has no path of its own

st.set_page_config(page_title="Binnacle", page_icon=HERE / "ui" / "icon.svg", layout="wide")
st.html(HERE / "ui" / "console.css")

try:
    account = identity.current()
except Unauthenticated as signed_out:
    st.error(quoted(str(signed_out)), icon=":material/lock:")
    st.link_button("Sign in", "/sign-in", icon=":material/login:")
    st.stop()
except BinnacleError as problem:
    st.error(f"{quoted(str(problem))} The console is tried again when you reload.", icon=":material/error:")
    st.stop()

page = st.navigation(
    [
        st.Page(PAGES / "home.py", title="Home", default=True),
        st.Page(PAGES / "health.py", title="Health"),
        st.Page(PAGES / "cost.py", title="Cost"),
        st.Page(PAGES / "performance.py", title="Performance"),
        st.Page(PAGES / "sessions.py", title="Sessions"),
        st.Page(PAGES / "session.py", title="Session", visibility="hidden"),
        st.Page(PAGES / "explore.py", title="Explore"),
        st.Page(PAGES / "jobs.py", title="Jobs"),
        st.Page(PAGES / "job.py", title="Job", visibility="hidden"),
        st.Page(PAGES / "records.py", title="Records"),
        st.Page(PAGES / "record.py", title="Record", visibility="hidden"),
        st.Page(PAGES / "analyses.py", title="Analyses"),
        st.Page(PAGES / "factoids.py", title="Summaries & factoids"),
        st.Page(PAGES / "ask.py", title="Ask"),
        st.Page(PAGES / "telemetry.py", title="Telemetry"),
        st.Page(PAGES / "prices.py", title="Prices"),
        st.Page(
            PAGES / "admin.py",
            title="Admin",
            visibility="visible" if account.may(rights.page("admin")) else "hidden",
        ),
    ],
    position="top",
)

title, who = st.columns([4, 1], vertical_alignment="center")
title.title(page.title, anchor=False)
who.link_button(f"{account.name} · {account.role}", "/account", icon=":material/person:", width="stretch", help="Account and sign-out")
body = st.container()
# Below what is drawn already while more is to come; only where a page is opened, or it would flicker at every change.
opened = st.session_state.get(OPENED) != page.url_path
st.session_state[OPENED] = page.url_path
if opened:
    st.session_state.pop("view", None)  # several pages have tabs of that name in their address, and each has tabs of its own
    acts.forget_secret()
    st.session_state.pop("audit-before", None)  # the audit log begins with its newest lines
coming = st.skeleton(height=240) if opened else st.empty()
try:
    with body, metrics.one_look(), suppress(StopException):
        account.require(rights.page(page.url_path or HOME))
        page.run()
except BinnacleError as problem:
    st.error(quoted(str(problem)), icon=":material/error:")
    st.button("Try again", icon=":material/refresh:")
finally:
    coming.empty()

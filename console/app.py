"""The console's entry: who is looking, which page, and the one place that words what went wrong."""

from pathlib import Path

import streamlit as st

from console.auth import identity
from services.errors import BinnacleError, Unauthenticated
from services.settings import settings

PAGES = Path(__file__).resolve().parent.parent / "pages"

st.set_page_config(page_title="Binnacle", page_icon=":material/explore:", layout="wide")

try:
    account = identity.current()
except Unauthenticated as signed_out:
    st.error(f"{signed_out}", icon=":material/lock:")
    st.link_button("Sign in", "/sign-in", icon=":material/login:")
    st.stop()
except BinnacleError as problem:
    st.error(f"{problem} The console is tried again when you reload.", icon=":material/error:")
    st.stop()

page = st.navigation(
    [
        st.Page(PAGES / "health.py", title="Health", icon=":material/monitor_heart:", default=True),
        st.Page(PAGES / "cost.py", title="Cost", icon=":material/payments:"),
        st.Page(PAGES / "performance.py", title="Performance", icon=":material/speed:"),
        st.Page(PAGES / "sessions.py", title="Sessions", icon=":material/forum:"),
    ]
)

with st.sidebar:
    st.markdown(f"**{account.name}** · {account.role}")
    st.link_button("Account and sign-out", "/account", icon=":material/person:")
    st.caption(f"Days are days of {settings().reporting_zone}.")

st.title(page.title, anchor=False)
try:
    page.run()
except BinnacleError as problem:
    st.error(f"{problem}", icon=":material/error:")
    st.button("Try again", icon=":material/refresh:")

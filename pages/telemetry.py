"""Is telemetry arriving, and what was refused?"""

import streamlit as st

from console import actions
from console.auth import identity
from console.ui import acts, keys, telemetry

may = identity.current().may(actions.ROLE)
acts.said()

if not telemetry.empty():
    telemetry.flow()

    st.subheader("Sources", anchor=False)
    telemetry.sources()

    st.subheader("Refused", anchor=False)
    telemetry.rejected(may=may)

st.subheader("Keys", anchor=False)
if may:
    keys.manage()
else:
    st.caption("Keys are for operators.")

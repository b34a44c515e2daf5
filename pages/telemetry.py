"""Is telemetry arriving, and what was refused?"""

import streamlit as st

from console import actions
from console.auth import identity
from console.ui import keys, telemetry

acts = identity.current().may(actions.ROLE)

if not telemetry.empty():
    telemetry.flow()

    st.subheader("Sources", anchor=False)
    telemetry.sources()

    st.subheader("Refused", anchor=False)
    telemetry.rejected(acts=acts)

st.subheader("Keys", anchor=False)
if acts:
    keys.manage()
else:
    st.caption("Keys are for operators.")

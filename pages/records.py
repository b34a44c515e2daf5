"""Which communities and projects do we know?"""

import streamlit as st

from console import record_actions
from console.auth import identity
from console.ui import acts, record_imports, records

acts.said()
records.browse()

st.subheader("Imports", anchor=False)
if identity.current().may(record_actions.ROLE):
    record_imports.form()
record_imports.progress()
record_imports.report()

"""Who may what, which models answer, what is kept, and who changed it?"""

import streamlit as st

from console.ui import acts, audited, kept_for, keys, people, tasks

acts.said()
log, users, secrets, models, kept = st.tabs(
    ["Audit", "People", "Keys", "Models", "Retention and zone"], key="view", bind="query-params", on_change="rerun"
)
if log.open:
    with log:
        audited.log()
if users.open:
    with users:
        people.manage()
if secrets.open:
    with secrets:
        keys.manage()
if models.open:
    with models:
        tasks.manage()
        tasks.budgets()
if kept.open:
    with kept:
        kept_for.table()

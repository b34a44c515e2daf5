"""Who may what, which models answer, what they may cost, what is kept, and who changed it?"""

import streamlit as st

from console.ui import acts, audited, budgets, kept_for, keys, people, tasks
from services.costs import outlook

acts.said()
log, users, secrets, models, caps, kept = st.tabs(
    ["Audit", "People", "Keys", "Models", "Budgets", "Retention and zone"], key="view", bind="query-params", on_change="rerun"
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
if caps.open:
    with caps:
        _, budgeted = outlook.look({})
        budgets.burn(budgeted)
        budgets.editor(budgeted, acts_allowed=True)
if kept.open:
    with kept:
        kept_for.table()

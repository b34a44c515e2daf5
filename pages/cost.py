"""Where does the money go?"""

import streamlit as st

from console import budget_actions
from console.auth import identity
from console.ui import acts, budgets, cards, changed, filters, spending, suggestions
from services import metrics
from services.costs import outlook

TILES = ["cost", "operations", "cost_per_operation", "cost_per_success", "cached_share"]
DETAIL = ["cost", "operations", "cost_per_operation", "input_tokens", "output_tokens", "cache_read_tokens", "unpriced"]

acts.said()
chosen = filters.selection()
total = metrics.query(TILES, compare=chosen.compare, **chosen.asked)
trend = metrics.query(TILES, interval=chosen.interval, **chosen.asked)
month, budgeted = outlook.look(chosen.where)
cards.trust(chosen.days, total, trend)

if not total.frame["operations"].sum():
    cards.nothing("operations")
    cards.stop()

cards.tiles(total, trend, TILES, chosen.before)
spending.month(chosen, month)
spending.unpriced(chosen)
spending.breakdown(chosen, budgeted)

st.subheader("What changed?", anchor=False)
changed.cost(chosen)

st.subheader("Budgets", anchor=False)
budgets.burn(budgeted)
budgets.editor(budgeted, acts_allowed=identity.current().may(budget_actions.ROLE))

st.subheader("What would save money", anchor=False)
suggestions.suggestions()

st.subheader("Who spends most", anchor=False)
suggestions.spenders()

st.subheader("By module and model", anchor=False)
detail = metrics.query(DETAIL, by=["module", "model"], **chosen.asked)
cards.table(detail.frame, "Cost, tokens and operations by module and model", by=["module", "model"], order=["cost", "operations"])

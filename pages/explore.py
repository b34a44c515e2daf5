"""How does any number look, by anything, at any time?"""

import streamlit as st

from console.auth import identity
from console.ui import acts, cards, explore_charts, explored, filters, saved_views
from console.ui.once import once
from services import metrics

acts.said()
chosen = explored.choose()
range_ = filters.selection(metrics.splits(chosen.measure), compares=False)
answer = chosen.ask(range_)
cards.trust(range_.days, answer)

figure = once(explore_charts.figure, answer.frame, chosen.measure, chosen.by, chosen.chart)
if answer.frame.empty:
    st.info("Nothing happened in this range. Choose a longer one or fewer filters.", icon=":material/inbox:")
elif figure is not None:
    cards.chart(explored.title(chosen), figure, explored.told(chosen))
if len(answer.frame):
    explored.table(answer, f"Table: {explored.told(chosen)}")
    explored.ways_out(chosen, range_, may_export=identity.current().may("analyst"))
saved_views.manage(explored.address())

"""What do the councils' figures tell, does it still hold, and what did it cost?"""

import streamlit as st

from console.ui import factoid_slots, factoids, summaries

factoids.draw()

view = st.segmented_control("Behind them", list(factoids.VIEWS), key=factoids.VIEW, bind="query-params", required=True)
if view == factoids.SUMMARIES:
    summaries.draw()
elif view == factoids.SLOTS:
    factoid_slots.draw()
elif view == factoids.CHANGES:
    summaries.changed()
elif view == factoids.COMPLETENESS:
    summaries.complete()

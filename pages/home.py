"""How are things, and what needs somebody?"""

from datetime import timedelta

import streamlit as st

from console.ui import cards, home, live
from services import clock
from services.health import attention
from services.settings import settings

live.follow(30)
seen = attention.look()

st.subheader("Needs attention", anchor=False)
home.needing(attention.needs(seen))

st.subheader("Today, against the same hours yesterday", anchor=False)
home.numbers(seen.budgets, seen.work)

today = clock.today(settings().zone)
cards.trust((today, today + timedelta(days=1)))

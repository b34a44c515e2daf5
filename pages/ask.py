"""What do you want to know?"""

import streamlit as st

from console import lexicon_actions
from console.auth import identity
from console.ui import acts, ask, ask_learning

acts.said()
part = "Ask"
if identity.current().may(lexicon_actions.ROLE):
    part = st.segmented_control("Part", ["Ask", "Unanswered"], default="Ask", required=True, key="part", label_visibility="collapsed")
if part == "Unanswered":
    ask_learning.unanswered()
else:
    ask.talk()

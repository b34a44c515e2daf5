"""What does a call cost, and does the bill agree?"""

import streamlit as st

from console import price_actions
from console.auth import identity
from console.ui import acts, bill, prices

may = identity.current().may(price_actions.ROLE)
acts.said()

st.subheader("In use", anchor=False)
prices.in_use()

st.subheader("Prices of our own", anchor=False)
prices.own(may=may)

st.subheader("Re-price", anchor=False)
st.caption("What stored calls would cost by the prices of now. Every re-pricing can be taken back.")
prices.repricing(may=may)

st.subheader("Does the bill agree?", anchor=False)
bill.reconciliation()

"""What does a call cost, and does the bill agree?"""

import streamlit as st

from console import price_actions
from console.auth import identity
from console.ui import bill, prices

acts = identity.current().may(price_actions.ROLE)
prices.done()

st.subheader("In use", anchor=False)
prices.in_use()

st.subheader("Prices of our own", anchor=False)
prices.own(acts=acts)

st.subheader("Re-price", anchor=False)
st.caption("What stored calls would cost by the prices of now. Every re-pricing can be taken back.")
prices.repricing(acts=acts)

st.subheader("Does the bill agree?", anchor=False)
bill.reconciliation()

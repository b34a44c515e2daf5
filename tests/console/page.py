"""The smallest page behind the gate: it says who is looking, and can be asked again."""

import streamlit as st

from console.auth import identity

st.title(f"Signed in as {identity.current().name}")
st.button("Again")

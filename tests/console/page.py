"""The smallest page behind the gate: it says who is looking, and can be asked again."""

import streamlit as st

from console.auth import identity
from services.errors import Unauthenticated

try:
    account = identity.current()
except Unauthenticated as signed_out:
    st.error(str(signed_out))
    st.stop()
st.title(f"Signed in as {account.name}")
st.button("Again")

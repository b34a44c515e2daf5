"""What do the analyses of this record say, and do they still hold?"""

import streamlit as st

from console.ui import acts, analyses

acts.said()
if "id" in st.query_params:
    analyses.show()
else:
    analyses.choose()

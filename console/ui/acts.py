"""Doing something from a page and saying what came of it: after the next run, which shows the tables as they are then."""

from collections.abc import Callable

import streamlit as st

from console.auth import identity
from services.errors import BinnacleError

DONE, TURN = "done_said", "done_turn"


def said() -> None:
    """What the last run did, above tables that show it."""
    # Its place is there with and without words, so that what is open below stays open.
    with st.container():
        if DONE in st.session_state:
            st.success(st.session_state.pop(DONE), icon=":material/check_circle:")


def do(act: Callable[[], str]) -> None:
    """Do it and say so after the next run, or say beside the button what was wrong with it."""
    try:
        words = act()
    except BinnacleError as problem:
        st.error(f"{problem}", icon=":material/error:")
    else:
        st.session_state[DONE] = words
        st.session_state[TURN] = st.session_state.get(TURN, 0) + 1
        st.rerun()


def fresh(key: str) -> str:
    """A key that is another after each act: what was chosen for one act is not chosen for the next."""
    return f"{key}-{st.session_state.get(TURN, 0)}"


def live(draw: Callable[[], None], every_s: float | None) -> None:
    """Draw in a fragment that comes again by itself.

    It runs outside the page, so it asks itself who is looking and words its failures itself, and goes on asking.
    """

    def guarded() -> None:
        try:
            identity.current()
            draw()
        except BinnacleError as problem:
            st.error(f"{problem}", icon=":material/error:")

    st.fragment(guarded, run_every=every_s)()

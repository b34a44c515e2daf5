"""Doing something from a page and saying what came of it: after the next run, which shows the tables as they are then.

A press may come twice, or for what somebody else took away meanwhile; and a box that loses what was chosen in it shows its first option.
So what to act on is chosen by `choose`, which falls back to nothing, and the ticks and buttons of an act have keys by `fresh`, which
carry the act's target: a press for anything else than what is now to be acted on finds no button and is lost.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from console.auth import identity
from console.ui.quoted import quoted
from services.errors import BinnacleError

STATE = "acts"
Option = TypeVar("Option")


@dataclass(slots=True)
class Acts:
    """Of this session: how many acts were done, what is to be said of the last, and a secret that it made with the form's name."""

    turn: int = 0
    words: str | None = None
    secret: tuple[str, str] | None = None


def said() -> None:
    """What the last run did, above tables that show it."""
    state = _state()
    # Its place is there with and without words, so that what is open below stays open.
    with st.container():
        if state.words is not None:
            st.success(state.words, icon=":material/check_circle:")
            state.words = None


def do(act: Callable[[], str], *, shown_in: str | None = None) -> None:
    """Do it and say so after the next run, or say beside the button what was wrong with it.

    What it returns is what is said of it; or, with `shown_in`, a secret that `secret` shows in that form.
    """
    state = _state()
    try:
        told = act()
    except BinnacleError as problem:
        st.error(quoted(str(problem)), icon=":material/error:")
        return
    # Not by way of the session's state: there a second press breaks in, and would find the act done and nobody told.
    state.turn += 1
    state.words, state.secret = (told, None) if shown_in is None else (None, (shown_in, told))
    st.rerun()


def secret(form: str, words: str) -> None:
    """What the form made, when that was the last act: it stays until the next act or another page, whatever is pressed meanwhile."""
    held = _state().secret
    if held is not None and held[0] == form:
        st.success(words, icon=":material/check_circle:")
        st.code(held[1], language=None, wrap_lines=True)


def forget_secret() -> None:
    """Where another page is opened: a secret is not there any more for who comes back."""
    _state().secret = None


def fresh(key: str, *target: object) -> str:
    """A key that is another after each act and for each target: what was ticked or pressed for one is not for the next."""
    about = f"-{hashlib.sha256(repr(target).encode()).hexdigest()[:12]}" if target else ""
    return f"{key}{about}-{_state().turn}"


def choose(
    label: str, options: Sequence[Option], *, key: str, format_func: Callable[[Option], str] = str, place: DeltaGenerator | None = None
) -> Option | None:
    """Choose what to act on: nothing at first, and nothing again when what was chosen has gone."""
    return (place or st).selectbox(label, options, index=None, format_func=format_func, placeholder="Choose one", key=key)


def live(draw: Callable[[], None], every_s: float | None) -> None:
    """Draw in a fragment that comes again by itself.

    It runs outside the page, so it asks itself who is looking and words its failures itself, and goes on asking.
    """

    def guarded() -> None:
        try:
            identity.current()
            draw()
        except BinnacleError as problem:
            st.error(quoted(str(problem)), icon=":material/error:")

    st.fragment(guarded, run_every=every_s)()


def _state() -> Acts:
    state: Acts = st.session_state.setdefault(STATE, Acts())
    return state

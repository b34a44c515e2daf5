"""What is chosen in the filter row, kept from page to page, and what an address asked for that there is not."""

from collections.abc import Callable, Mapping

import streamlit as st

from console.ui import formats

_MEMORY, _PAGE, _REFUSED = "kept-choices", "kept-page", "kept-refused"


def restore(possible: Mapping[str, Callable[[str], bool]]) -> list[str]:
    """Before the row is drawn: an address that asks for something is obeyed, any other page shows what the one before it showed.

    Streamlit drops what is bound to a page's widgets on the way to a page that was not opened yet. `possible` says of each name in the
    address whether a value makes sense; what makes none is returned in words.
    """
    asked = {name: st.query_params.get_all(name) for name in possible if name in st.query_params}
    page = (st.context.url or "").partition("?")[0]
    if page != st.session_state.get(_PAGE):
        st.session_state.pop(_REFUSED, None)
        if not asked:
            _show_again({name: value for name, value in st.session_state.get(_MEMORY, {}).items() if name in possible})
    st.session_state[_PAGE] = page
    return [f"{name} {formats.short(value)}" for name, values in asked.items() for value in values if not possible[name](value)]


def remember(defaults: Mapping[str, object], refused: list[str]) -> None:
    """After the row was drawn, with what each of its names is at first.

    The address loses what it cannot have at once; the words about it stay until another choice is made or another page is opened.
    """
    before: dict[str, object] = st.session_state.get(_MEMORY, {})
    drawn = {name: st.session_state[name] for name in defaults if name in st.session_state}
    now = {name: value for name, value in (before | drawn).items() if value != defaults.get(name)}
    if refused:
        st.session_state[_REFUSED] = refused
    elif now != before:
        st.session_state.pop(_REFUSED, None)
    st.session_state[_MEMORY] = now
    if told := st.session_state.get(_REFUSED):
        words = ", ".join(map(formats.plain, told))
        st.warning(f"The address asks for what there is not; that is left out: {words}.", icon=":material/link_off:")


def _show_again(choices: Mapping[str, object]) -> None:
    """In the widgets and in the address, which has to be told apart: the widgets are not bound to it yet."""
    for name, value in choices.items():
        st.session_state[name] = value
        st.query_params[name] = value if isinstance(value, list) else str(value)

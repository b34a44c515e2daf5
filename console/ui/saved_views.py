"""Saved views of Explore: open one, keep this page as one, and rename, share or delete one's own."""

import pandas as pd
import streamlit as st

from console import view_actions
from console.auth import identity
from console.ui import acts
from services.accounts.accounts import Account
from services.db import transaction
from services.explore import views
from services.explore.views import View


def manage(address: str) -> None:
    """The views one may see, and what may be done with them; `address` is this page's."""
    who = identity.current()
    with transaction() as connection:
        found = views.listing(connection, who)
    with st.expander("Saved views", icon=":material/bookmark:"):
        if found:
            _table(found)
        else:
            st.caption("There is no view yet. Save this page as the first one.")
        _save(address, who)
        own = [view for view in found if view.owner_id == who.id or who.may(views.KEEPER)]
        if own:
            _change(own, who)


def _table(found: list[View]) -> None:
    rows = [
        {"Open": f"/explore?{view.address}", "View": view.name, "Owner": view.owner, "Seen by": "everybody" if view.shared else "its owner"}
        for view in found
    ]
    opens = st.column_config.LinkColumn("Open", display_text="open", help="Opens the view in a tab of its own.", width=60)
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config={"Open": opens}, alt="Saved views with owner and who sees them")


def _save(address: str, who: Account) -> None:
    with st.form(acts.fresh("save-view"), border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Save this page as", max_chars=views.LONGEST_NAME, placeholder="Name of the view")
        shared = st.checkbox(
            "Share", disabled=not who.may(views.SHARER), help="Everybody sees it. Sharing is for analysts and stronger roles."
        )
        saved = st.form_submit_button("Save", icon=":material/bookmark_add:")
    if saved:
        acts.do(lambda: view_actions.save(name, address, shared=shared))


def _change(own: list[View], who: Account) -> None:
    named = {view.id: view.name if view.owner_id == who.id else f"{view.name} ({view.owner})" for view in own}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = acts.choose("Change", list(named), format_func=named.__getitem__, key="change-view")
        view = next((one for one in own if one.id == chosen), None)
        if view is None:
            return
        name = st.text_input("New name", value=view.name, max_chars=views.LONGEST_NAME, key=acts.fresh("view-name", view.id))
        if st.button("Rename", icon=":material/edit:", key=acts.fresh("rename-view", view.id)):
            acts.do(lambda: view_actions.rename(view.id, name))
        label, icon = ("Make private", ":material/lock:") if view.shared else ("Share", ":material/group:")
        key = acts.fresh("share-view", view.id, view.shared)
        if st.button(label, icon=icon, disabled=not view.shared and not who.may(views.SHARER), key=key):
            acts.do(lambda: view_actions.share(view.id, shared=not view.shared))
        if st.button("Delete", icon=":material/delete:", key=acts.fresh("delete-view", view.id)):
            acts.do(lambda: view_actions.delete(view.id))

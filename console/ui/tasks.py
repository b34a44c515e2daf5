"""Which models answer which task, on the Admin page: what holds, and a form that changes a task."""

import pandas as pd
import streamlit as st

from console import admin_actions
from console.ui import acts
from services.ai import models
from services.ai.models import Rule
from services.db import transaction


def manage() -> None:
    """The table of tasks, and the settings of one."""
    with transaction() as connection:
        found = models.listing(connection)
    rows = [
        {
            "Task": task,
            "Models, in the order they are asked": ", ".join(rule.models),
            "Most output tokens": rule.max_output_tokens,
            "Time limit, s": rule.timeout_s,
            "Kept, h": rule.cache_s / 3_600,
            "Set by": by or "models.toml",
        }
        for task, (rule, by) in found.items()
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Tasks with the models that answer them and their limits")
    task = st.selectbox("Task", list(found), key="task-name")
    rule, by = found[task]
    with st.form(acts.fresh(f"task-{task}"), border=False):
        told = _settings(rule)
        if st.form_submit_button("Change the task", type="primary", icon=":material/tune:"):
            acts.do(lambda: admin_actions.change_models(task, told))
    if by is not None and st.button("Back to models.toml", icon=":material/undo:", key=acts.fresh("task-back", task)):
        acts.do(lambda: admin_actions.change_models(task, {}))


def _settings(rule: Rule) -> dict[str, object]:
    named = st.text_input("Models", ", ".join(rule.models), help="PROVIDER/MODEL with commas between them; the first is asked first.")
    left, middle, right = st.columns(3)
    return {
        "models": [name.strip() for name in named.split(",") if name.strip()],
        "max_output_tokens": int(left.number_input("Most output tokens", 0, 65_536, rule.max_output_tokens)),
        "timeout_s": float(middle.number_input("Time limit, s", 1.0, 600.0, float(rule.timeout_s))),
        "cache_s": int(right.number_input("Answers kept, s", 0, 30 * 86_400, rule.cache_s)),
    }

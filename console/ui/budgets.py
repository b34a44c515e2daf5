"""Budgets: what is used of them, how they will end, and changing them."""

from decimal import Decimal

import streamlit as st

from console import budget_actions
from console.ui import acts, formats
from services.ai.budgets import NANO
from services.costs.forecast import FEWEST, Forecast
from services.costs.outlook import Course, Outlook

OWN = "Our own calls, which it holds back"
EVERYTHING = "All operations, which it cannot stop"
PERIODS = {"day": "a day", "month": "a month"}
SCOPES = {"all": "Everything", "module": "One module", "model": "One model", "user": "One user"}


def burn(found: list[Outlook]) -> None:
    """A card a budget."""
    if not found:
        st.info("No budget holds: nothing warns of, or stops, what models cost.", icon=":material/savings:")
        return
    st.caption("A budget holds back only calls that go through the console's own gateway; applications pay their providers themselves.")
    places = st.columns(2)
    for number, one in enumerate(found):
        with places[number % 2], st.container(border=True):
            _card(one)


def editor(found: list[Outlook], *, acts_allowed: bool) -> None:
    """Set and end budgets, for those who may."""
    if not acts_allowed:
        st.caption(f"Budgets are changed by the role {budget_actions.ROLE} or above.")
        return
    with st.expander("Change budgets", icon=":material/edit:"):
        with st.form(acts.fresh("budget"), border=False):
            left, middle, right = st.columns(3)
            scope = left.selectbox("For", list(SCOPES), format_func=SCOPES.__getitem__, key=acts.fresh("budget_scope"))
            name = middle.text_input("Its name", placeholder="module, model or user", key=acts.fresh("budget_name"))
            period = right.selectbox("In", list(PERIODS), format_func=PERIODS.__getitem__, key=acts.fresh("budget_period"))
            cap = left.number_input("USD at most", min_value=0.0, value=20.0, step=1.0, key=acts.fresh("budget_cap"))
            thresholds = middle.text_input("Warn at per cent", value="50, 80, 100", key=acts.fresh("budget_thresholds"))
            stop = right.checkbox("Hard stop: refuse calls that would pass it", value=True, key=acts.fresh("budget_stop"))
            asked = st.form_submit_button("Set budget", type="primary", icon=":material/savings:")
        if asked:
            acts.do(
                lambda: budget_actions.set_budget(
                    scope, name, period, Decimal(str(cap)), hard_stop=stop, thresholds=thresholds  # type: ignore[arg-type]
                )
            )  # fmt: skip
        names = {one.budget.id: _title(one) for one in found}
        ended = acts.choose("End a budget", list(names), format_func=names.__getitem__, key="budget_end")
        if ended is not None and st.button("End it", icon=":material/block:", key=acts.fresh("budget_end_it", ended)):
            acts.do(lambda: budget_actions.end_budget(ended))


def _card(one: Outlook) -> None:
    state, cap = one.budget, one.cap
    st.markdown(f"**{formats.plain(_title(one))}** · {_money(cap)} · {'hard stop' if state.hard_stop else 'warns only'}")
    _course(OWN, one.own, cap)
    if state.unknown_nano:
        st.caption(f":material/help: {_money(Decimal(state.unknown_nano) / NANO)} of it may have been billed, at most: nobody confirmed.")
    if state.crossed:
        st.caption(f":material/warning: Crossed {', '.join(f'{percent} %' for percent in state.crossed)} of it.")
    _course(EVERYTHING, one.everything, cap)


def _course(label: str, course: Course, cap: Decimal) -> None:
    if course.used is None:
        st.caption(f"{label}: {formats.UNKNOWN}.")
        return
    part = float(course.used / cap) if cap else (1.0 if course.used else 0.0)
    st.progress(min(part, 1.0), text=f"{label}: {_money(course.used)}, {part:.0%}")
    if course.forecast is not None:
        st.caption(ending(course.forecast, float(cap)))


def ending(made: Forecast, cap: float) -> str:
    """How a period will end, and how far that can be trusted."""
    said = [f"Expected at its end {_money(made.expected)}"]
    if made.low is not None and made.high is not None:
        said[0] += f" (80 %: {_money(made.low)} to {_money(made.high)})"
    chance, day = made.chance_over(cap), made.exhausted_on(cap)
    if made.spent > cap:
        said.append("it is passed already")
    else:
        said.append(f"passes it with a chance of {formats.UNKNOWN if chance is None else _chance(chance)}")
        said += [] if day is None else [f"expected to pass it on {day:%d %b}"]
    return " · ".join([*said, trial(made)])


def trial(made: Forecast) -> str:
    """The back-tested error of a forecast."""
    if made.error is None and made.trials >= FEWEST:
        return f"how good that is nobody can tell: nothing was spent in any of {made.trials} back-tests"
    if made.error is None:
        return f"too little history to tell how good that is ({made.trials} back-tests)"
    return f"such forecasts of the days left were off by {made.error:.0%} ({made.trials} back-tests)"


def _chance(chance: float) -> str:
    return "under 1 %" if chance < 0.01 else "over 99 %" if 0.99 < chance < 1 else f"{chance:.0%}"


def _title(one: Outlook) -> str:
    about = "Everything" if one.budget.scope == "all" else f"{one.budget.scope.capitalize()} {one.budget.name}"
    return f"{about}, {PERIODS[one.budget.period]}"


def _money(dollars: Decimal | float) -> str:
    """Two dollars in one line would be a formula."""
    return formats.money(Decimal(str(dollars))).replace("$", r"\$")

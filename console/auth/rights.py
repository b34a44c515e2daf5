"""Who may what: the one table. Each role may what the ones before it may; what is not named here is for admins."""

SEE = "viewer"
EXPORT = ANALYSE = "analyst"  # take answers away; order analyses of records
ACT = "operator"  # steer jobs and telemetry, set prices and budgets, bring records, give keys
CONFIGURE = "admin"  # people, models, retention, zone

# file in pages/ → who may open it. What a page lets them do is decided by the actions below.
PAGES = {
    "home": SEE,
    "health": SEE,
    "cost": SEE,
    "performance": SEE,
    "sessions": SEE,
    "session": SEE,
    "explore": SEE,
    "jobs": SEE,
    "job": SEE,
    "records": SEE,
    "record": SEE,
    "analyses": SEE,
    "telemetry": SEE,
    "prices": SEE,
    "factoids": SEE,
    "ask": SEE,
    "admin": CONFIGURE,
}
# module in console/ → who may start what is in it
ACTIONS = {
    "actions": ACT,
    "job_actions": ACT,
    "price_actions": ACT,
    "record_actions": ACT,
    "analysis_actions": ANALYSE,
    "budget_actions": ACT,
    "ask_actions": SEE,
    "lexicon_actions": CONFIGURE,
    "view_actions": SEE,
    "admin_actions": CONFIGURE,
}
# method and path → who may call it from a signed-in browser; keys are told apart by their scopes
ROUTES = {
    "GET /api/metrics/query": SEE,
    "GET /api/metrics/export": EXPORT,
    "GET /api/factoids": SEE,
    "POST /api/chat/": SEE,
    "GET /api/jobs/{job_id}": SEE,
    "POST /api/jobs": ACT,
    "POST /api/jobs/{job_id}/cancel": ACT,
    "POST /api/jobs/{job_id}/retry": ACT,
    "GET /api/records/communities": SEE,
    "GET /api/records/communities/{record_id}": SEE,
    "GET /api/records/projects": SEE,
    "GET /api/records/projects/{record_id}": SEE,
    "GET /api/analyses/jobs/{job_id}": SEE,
    "GET /api/analyses/{kind}/{record_id}": SEE,
    "POST /api/analyses/{kind}": ANALYSE,
    "GET /api/openapi.json": SEE,
    "GET /api/docs": SEE,
}


def page(name: str) -> str:
    """The weakest role that may open a page."""
    return PAGES.get(name, CONFIGURE)


def action(module: str) -> str:
    """The weakest role that may start what is in a module, by its `__name__`."""
    return ACTIONS.get(module.rpartition(".")[2], CONFIGURE)


def route(method: str, path: str) -> str:
    """The weakest role that may call a route, by its path with the names of its parameters; HEAD is GET."""
    return ROUTES.get(f"{'GET' if method == 'HEAD' else method} {path}", CONFIGURE)

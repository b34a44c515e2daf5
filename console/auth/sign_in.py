"""The plain pages around a session: sign in, use a one-time link, sign out, change name and password."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from console.auth import cookie, form, origin
from console.auth.headers import PLAIN
from services.accounts import accounts, links, sign_ins, tokens
from services.accounts.accounts import Account
from services.db import transaction
from services.errors import BadInput, BinnacleError, Conflict, Forbidden, TooMuch, Unauthenticated, Unavailable

STATUS: dict[type[BinnacleError], int] = {
    BadInput: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    Conflict: 409,
    TooMuch: 429,
    Unavailable: 503,
}
_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)


def build() -> Starlette:
    """The application of these pages."""
    return Starlette(
        routes=[
            Route("/sign-in", show_sign_in, methods=["GET"]),
            Route("/sign-in", do_sign_in, methods=["POST"]),
            Route("/sign-in/link", use_link, methods=["GET"]),
            Route("/sign-out", show_sign_out, methods=["GET"]),
            Route("/sign-out", do_sign_out, methods=["POST"]),
            Route("/account", show_account, methods=["GET"]),
            Route("/account", change_account, methods=["POST"]),
        ]
    )


def show_sign_in(request: Request) -> Response:
    """The form; who is signed in already goes straight on."""
    target = origin.same_site_path(request.query_params.get("next"))
    try:
        known = _account(request)
    except Unavailable as error:
        return _sign_in_page(target, error=error)
    return _redirect(target) if known else _sign_in_page(target)


async def do_sign_in(request: Request) -> Response:
    """Name and password against a fresh session."""
    try:
        fields = await _own_form(request)
    except (BadInput, Forbidden) as error:
        return _sign_in_page("/", error=error)
    target = origin.same_site_path(fields.get("next"))
    name, address = fields.get("name", ""), request.client.host if request.client else "unknown"
    try:
        token = await run_in_threadpool(sign_ins.sign_in, name, fields.get("password", ""), address)
    except (Unauthenticated, TooMuch, Unavailable) as error:
        return _sign_in_page(target, error=error, name=name)
    response = _redirect(target)
    cookie.give(response, token)
    return response


def use_link(request: Request) -> Response:
    """A one-time link becomes a session. Only GET uses it up: a HEAD is somebody's preview."""
    if request.method == "HEAD":
        return _page("sign_in.html", target="/")
    try:
        with transaction() as connection:
            token = links.use(connection, request.query_params.get("token", ""))
    except Unauthenticated as error:
        # The same line in the terminal, clicked a second time by somebody who is in already.
        return _redirect("/") if _account(request) else _sign_in_page("/", error=error)
    except Unavailable as error:
        return _sign_in_page("/", error=error)
    response = _redirect("/")
    cookie.give(response, token)
    return response


def show_sign_out(_request: Request) -> Response:
    """Signing out is a POST; a link to it leads to the page that has the button."""
    return _redirect("/account")


def do_sign_out(request: Request) -> Response:
    """End the session in the database and in the browser."""
    try:
        _refuse_foreign(request)
        with transaction() as connection:
            sign_ins.revoke(connection, cookie.read(request) or "")
    except (Forbidden, Unavailable) as error:
        return _sign_in_page("/", error=error)
    response = _redirect("/sign-in")
    cookie.take(response)
    return response


def show_account(request: Request) -> Response:
    """The form for name and password."""
    try:
        account = _account(request)
    except Unavailable as error:
        return _sign_in_page("/account", error=error)
    if account is None:  # the session ended between the gate and here
        return _redirect("/sign-in?next=/account")
    return _account_page(account, saved="saved" in request.query_params)


async def change_account(request: Request) -> Response:
    """Change name, password or both; every other session of the account ends with its old password."""
    account: Account | None = None
    try:
        account = await run_in_threadpool(_account, request)
        fields = await _own_form(request)
        if account is None:
            return _redirect("/sign-in?next=/account")
        address = request.client.host if request.client else "unknown"
        await run_in_threadpool(_change, account, fields, cookie.read(request) or "", address)
    except (BadInput, Unauthenticated, Forbidden, Conflict, TooMuch, Unavailable) as error:
        return _sign_in_page("/account", error=error) if account is None else _account_page(account, error=error)
    return _redirect("/account?saved")


def _change(account: Account, fields: dict[str, str], token: str, address: str) -> None:
    """Raises Unauthenticated for a wrong current password, BadInput for a weak new one, Conflict for a taken name."""
    new = fields.get("new_password", "")
    if new != fields.get("new_password_again", ""):
        raise BadInput("The two new passwords differ.")
    if account.has_password:
        # Through the same brake as signing in: a stolen session must not become a place to guess at.
        _spare_session(sign_ins.sign_in(account.name, fields.get("current_password", ""), address))
    with transaction() as connection:
        if fields.get("name", account.name).strip().lower() != account.name:
            accounts.rename(connection, account, fields["name"], actor=account.name)
        if new:
            accounts.set_password(connection, account, new, keep_token_hash=tokens.digest(token), actor=account.name)


def _spare_session(token: str) -> None:
    """Proving a password opened a session that nobody needs."""
    with transaction() as connection:
        sign_ins.revoke(connection, token)


async def _own_form(request: Request) -> dict[str, str]:
    """The form, when it was our own page that sent it; raises Forbidden or BadInput."""
    _refuse_foreign(request)
    return await form.read(request)


def _refuse_foreign(request: Request) -> None:
    if not origin.is_ours(request):
        raise Forbidden("The form came from another site.")


def _account(request: Request) -> Account | None:
    token = cookie.read(request)
    if token is None:
        return None
    with transaction() as connection:
        return sign_ins.who(connection, token)


def _sign_in_page(target: str, error: BinnacleError | None = None, name: str = "") -> Response:
    return _page("sign_in.html", error, target=target, name=name)


def _account_page(account: Account, error: BinnacleError | None = None, saved: bool = False) -> Response:
    return _page("account.html", error, account=account, saved=saved, shortest=accounts.PASSWORD_MIN)


def _page(template: str, error: BinnacleError | None = None, **values: object) -> Response:
    headers = {"cache-control": "no-store", "content-security-policy": PLAIN}
    if error is not None and error.retry_after_s is not None:
        headers["retry-after"] = str(error.retry_after_s)
    html = _TEMPLATES.get_template(template).render(error=None if error is None else str(error), **values)
    return HTMLResponse(html, 200 if error is None else STATUS[type(error)], headers)


def _redirect(target: str) -> Response:
    return RedirectResponse(target, 303, {"cache-control": "no-store"})

"""Who may call: a key with the right scope, or (on the console's port) a signed-in browser.

A protected route can only be made on a router of `protected`, so a route without a check cannot be written by leaving something out.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer

from console.auth import cookie, origin, rights
from services.accounts import keys, sign_ins
from services.accounts.accounts import Account
from services.accounts.keys import Key
from services.db import transaction
from services.errors import Forbidden, Unauthenticated

BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="A key made with `python -m services keys create`.")
COOKIE = APIKeyCookie(name=cookie.NAME, auto_error=False, scheme_name="session", description="A signed-in browser.")
SAFE = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Caller:
    """Exactly one of the two is set."""

    key: Key | None
    account: Account | None

    @property
    def name(self) -> str:
        """What rows and the audit call it."""
        return f"key:{self.key.name}" if self.key else self.account.name if self.account else "nobody"


def protected(*scopes: str, session: bool = False) -> APIRouter:
    """A router whose routes answer keys with one of `scopes`, and with `session` also signed-in browsers of who may (`rights.ROUTES`)."""

    def by_key(request: Request) -> None:
        request.state.caller = _by_key(request, scopes)

    def by_key_or_session(request: Request) -> None:
        # A key that was presented must be good: a bad one never falls back to the browser's session.
        if "authorization" not in request.headers and request.app.state.sessions and cookie.read(request):
            request.state.caller = _by_session(request, rights.route(request.method, request.scope["route"].path))
        else:
            request.state.caller = _by_key(request, scopes)

    schemes = [Depends(BEARER), Depends(COOKIE)] if session else [Depends(BEARER)]
    return APIRouter(dependencies=[*schemes, Depends(by_key_or_session if session else by_key)])


def caller(request: Request) -> Caller:
    """Who passed the check of the router."""
    found: Caller = request.state.caller
    return found


def calling_key(request: Request) -> Key:
    """The key that passed the check of a router without sessions."""
    key = caller(request).key
    if key is None:
        raise Unauthenticated("This needs a key.")
    return key


CallingKey = Annotated[Key, Depends(calling_key)]


def bearer(request: Request) -> str:
    """The key that was sent; raises Unauthenticated."""
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not presented:
        raise Unauthenticated("Send a key: Authorization: Bearer KEY.")
    return presented.strip()


def _by_key(request: Request, scopes: tuple[str, ...]) -> Caller:
    with transaction() as connection:
        return Caller(keys.verify(connection, bearer(request), *scopes), None)


def _by_session(request: Request, role: str) -> Caller:
    if request.method not in SAFE and not origin.is_ours(request):
        raise Forbidden("The request came from another site.")
    with transaction() as connection:
        account = sign_ins.who(connection, cookie.read(request) or "")
    if account is None:
        raise Unauthenticated("The session has ended.")
    account.require(role)
    return Caller(None, account)

"""Everything that can go wrong in words a person can act on.

    BinnacleError
    ├── BadInput          what was sent cannot be used; the message names where and why
    ├── Unauthenticated   nobody valid is asking
    ├── Forbidden         somebody is asking who may not
    ├── NotFound          there is no such thing
    ├── Conflict          it is not in a state that allows this
    ├── TooMuch           over a limit; try again later
    └── Unavailable       a part we stand on does not answer

The message of each is shown to people, so it never holds a secret, a query or a stack trace.
"""


class BinnacleError(Exception):
    """Root of all expected failures. `retry_after_s` is set where waiting helps."""

    retry_after_s: int | None = None


class BadInput(BinnacleError):
    """What was sent cannot be used."""


class Unauthenticated(BinnacleError):
    """Nobody valid is asking."""


class Forbidden(BinnacleError):
    """Somebody is asking who may not."""


class NotFound(BinnacleError):
    """There is no such thing."""


class Conflict(BinnacleError):
    """It is not in a state that allows this."""


class TooMuch(BinnacleError):
    """Over a limit; the same request may succeed after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(BinnacleError):
    """A part we stand on does not answer."""

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

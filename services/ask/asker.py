"""Who asks."""

from dataclasses import dataclass
from typing import Self

from services.accounts.accounts import Account


@dataclass(frozen=True, slots=True)
class Asker:
    """A name of today and a role. What a person asks is the account's, whatever its name becomes; a key and the command line have no
    account, so what they ask is kept by their name, which no account can have."""

    name: str
    role: str
    account_id: int | None = None

    @classmethod
    def person(cls, account: Account) -> Self:
        """Somebody who is signed in."""
        return cls(account.name, account.role, account.id)

    @property
    def owning(self) -> str:
        """The condition of rows that are the asker's, in the words of `values`."""
        return "owner_id is null and actor = :actor" if self.account_id is None else "owner_id = :owner_id"

    @property
    def values(self) -> dict[str, object]:
        """What the asker's rows hold."""
        return {"actor": self.name, "owner_id": self.account_id}

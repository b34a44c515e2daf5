"""One file through the inbox: a transaction a chunk, patient when the workers are behind, honest about where a file breaks."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection, text

from services.db import transaction
from services.errors import BadInput, TooMuch, Unavailable
from services.telemetry.importers.mapping import ROW, Mapping
from services.telemetry.importers.maps import Map
from services.telemetry.importers.rows import chunks, read
from services.telemetry.importers.texts import blocks, open_file
from services.telemetry.inbox import Receipt, accept
from services.telemetry.records import Rejection

DOOR = "import"
FIRST_SHOWN = 10
PATIENCE_S = 120.0  # how long a database that went away is waited for

Say = Callable[[str], None]
Progress = Callable[[int, int], None]  # rows read, bytes of the file consumed


@dataclass(slots=True)
class Imported:
    """What became of a file; `fault` is set where it broke and what stands before it was kept."""

    import_id: int
    read: int = 0
    accepted: int = 0
    rejected: int = 0
    unreadable: int = 0
    first_rejections: list[Rejection] = field(default_factory=list)
    fault: str | None = None

    def add(self, read: int, accepted: int, rejections: list[Rejection]) -> None:
        self.read += read
        self.accepted += accepted
        self.rejected += len(rejections)
        self.unreadable += sum(rejection.field == ROW for rejection in rejections)
        self.first_rejections += rejections[: FIRST_SHOWN - len(self.first_rejections)]


def import_file(path: Path, plan: Map, *, refuse: Callable[[list[Rejection]], None], say: Say, progress: Progress) -> Imported:
    """Send the rows of a file to the inbox; rejections go to `refuse` chunk by chunk.

    Raises BadInput when nothing of the file could be used (no such file, a wrong header); a file that breaks later is told in `fault`.
    """
    consumed = 0

    def tell(position: int) -> None:
        nonlocal consumed
        consumed = position

    with open_file(path) as file:
        outcome: Imported | None = None
        try:
            header, rows = read(blocks(file, plan.encoding, tell), plan)
            mapping = Mapping(plan, header)
            for chunk in chunks(rows):
                records = mapping.records(chunk, outcome.read + 1 if outcome else 1)
                outcome = outcome or Imported(_open(path, plan))
                receipt = _accept(outcome, plan, records, say)
                told = [replace(one, raw=mapping.raw(chunk[one.position - outcome.read - 1])) for one in receipt.rejections]
                refuse(told)
                outcome.add(len(chunk), receipt.accepted, told)
                progress(outcome.read, consumed)
        except BadInput as error:
            if outcome is None:
                raise BadInput(f"{path.name}: {error}.") from None
            outcome.fault = f"{path.name}: after row {outcome.read}, {error}."
    outcome = outcome or Imported(_open(path, plan))
    with transaction() as connection:
        connection.execute(text("update telemetry_imports set finished_at = now() where id = :id"), {"id": outcome.import_id})
    return outcome


def _open(path: Path, plan: Map) -> int:
    with transaction() as connection:
        return int(
            connection.execute(
                text("insert into telemetry_imports (file_name, source, noun) values (:file_name, :source, :noun) returning id"),
                {"file_name": path.name, "source": plan.source, "noun": plan.noun},
            ).scalar_one()
        )


def _accept(outcome: Imported, plan: Map, records: list[object], say: Say) -> Receipt:
    """Into the inbox, waiting while it is full or while the database restarts."""
    told = False
    gives_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            with transaction() as connection:
                return _booked(connection, outcome) or _book(connection, outcome, plan, records)
        except TooMuch as full:
            if not told:
                say(f"{full} Waiting for the workers to catch up.")
            gives_up = time.monotonic() + PATIENCE_S
            time.sleep(min(full.retry_after_s or 1, 2))
        except Unavailable as away:
            if time.monotonic() > gives_up:
                raise
            if not told:
                say(f"{away} Waiting for it.")
            time.sleep(0.5)
        told = True


def _booked(connection: Connection, outcome: Imported) -> Receipt | None:
    """The receipt of a chunk that was committed although the answer was lost with the connection; the row's lock waits for that commit."""
    accepted, rejected = connection.execute(
        text("select accepted, rejected from telemetry_imports where id = :id for update"), {"id": outcome.import_id}
    ).one()
    if accepted + rejected == outcome.read:
        return None
    kept = connection.execute(
        text("select position, field, reason, raw from telemetry_rejected where import_id = :id and position > :read order by position"),
        {"id": outcome.import_id, "read": outcome.read},
    )
    return Receipt(accepted - outcome.accepted, [Rejection(*row) for row in kept])


def _book(connection: Connection, outcome: Imported, plan: Map, records: list[object]) -> Receipt:
    receipt = accept(
        connection,
        plan.noun,
        records,
        source=plan.source,
        door=DOOR,
        import_id=outcome.import_id,
        first_position=outcome.read + 1,
    )
    connection.execute(
        text("update telemetry_imports set accepted = accepted + :accepted, rejected = rejected + :rejected where id = :id"),
        {"accepted": receipt.accepted, "rejected": len(receipt.rejections), "id": outcome.import_id},
    )
    return receipt

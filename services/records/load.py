"""One file of records into the tables: a transaction a chunk, honest about where the file breaks, continued where an attempt was lost."""

from collections.abc import Callable
from io import BufferedReader, BytesIO, RawIOBase
from typing import cast

from sqlalchemy import Connection, text

from services.db import transaction
from services.errors import BadInput
from services.records import findings, history, imports, keeping
from services.records.encodings import detect, mending
from services.records.findings import Finding
from services.records.imports import Import
from services.records.keeping import Kept, as_json
from services.records.mapping import Columns, Draft
from services.records.maps import Map
from services.records.matching import Book
from services.records.places import Places
from services.telemetry.importers.rows import Row, chunks, read
from services.telemetry.importers.texts import blocks

Progress = Callable[[int, int], None]  # rows read, bytes of the file consumed


def import_file(import_id: int, plan: Map, file: BufferedReader, progress: Progress, stopping: Callable[[], bool]) -> Import:
    """Keep the rows of a file; what became of it. An attempt that was lost is continued: rows that it kept are only counted past.

    A file of which nothing can be used, and one that breaks on its way, end as `broken` with the fault.
    """
    loading = Loading(import_id, plan)
    fault: str | None = None
    try:
        encoding = detect(file, plan)
        mended = mending(plan.misread)
        header, rows = read((block.translate(mended) for block in blocks(file, encoding, loading.tell)), plan)
        loading.begin(header or [])
        for chunk in chunks(rows):
            loading.keep(chunk)
            progress(loading.position, loading.consumed)
            if stopping():
                return loading.state()
    except BadInput as error:
        fault = f"After row {loading.position}: {error}." if loading.position else f"{error}."
    return loading.end(fault)


def opened(content: bytes) -> BufferedReader:
    """Bytes as a file that can be looked into before it is read."""
    return BufferedReader(cast(RawIOBase, BytesIO(content)))


class Loading:
    """The state of one pass over a file."""

    def __init__(self, import_id: int, plan: Map) -> None:
        self.import_id = import_id
        self.plan = plan
        self.position = 0
        self.consumed = 0
        self._codes: dict[str, int] = {}

    def tell(self, consumed: int) -> None:
        self.consumed = consumed

    def begin(self, header: list[str]) -> None:
        """Raises BadInput when the header is not that of the map."""
        self._columns = Columns(self.plan, header)
        with transaction() as connection:
            connection.execute(
                text("update record_imports set state = 'running', columns = cast(:columns as jsonb) where id = :id"),
                {"id": self.import_id, "columns": as_json(self._columns.headings)},
            )
            self._places = Places(connection, self.plan.source)
            self._book = Book(connection, self.plan)

    def keep(self, chunk: list[Row]) -> None:
        """A chunk and its findings in one transaction, once."""
        first, self.position = self.position, self.position + len(chunk)
        made = [self._columns.draft(row, first + 1 + index) for index, row in enumerate(chunk)]
        refused = [one for one in made if isinstance(one, Finding)]
        drafts = [one for one in made if isinstance(one, Draft)]
        told, twice = self._communities(drafts) if self.plan.kind == "communities" else self._projects(drafts)
        refused += twice
        with transaction() as connection:
            done = connection.execute(
                text("select read from record_imports where id = :id for update"), {"id": self.import_id}
            ).scalar_one()
            if done > first:
                return
            # Two files of one source at a time would wait for each other's rows in different orders.
            connection.execute(text("select pg_advisory_xact_lock(hashtext('records'), hashtext(:source))"), {"source": self.plan.source})
            kept = self._save(connection, told)
            found = sorted([*refused, *(one for _, draft in told for one in draft.findings)], key=lambda one: one.position)
            findings.save(connection, self.import_id, found)
            self._count(connection, kept, found)

    def state(self) -> Import:
        with transaction() as connection:
            return imports.get(connection, self.import_id)

    def end(self, fault: str | None) -> Import:
        """Nothing more comes."""
        with transaction() as connection:
            imports.end(connection, self.import_id, None if fault is None else findings.kept(fault))
            return imports.get(connection, self.import_id)

    def _communities(self, drafts: list[Draft]) -> tuple[list[tuple[str, Draft]], list[Finding]]:
        """Each code once, with the places it lies in."""
        told, twice = [], []
        for draft in drafts:
            code = str(draft.code)
            if code in self._codes:
                twice.append(_again(draft, self._codes[code]))
                continue
            self._codes[code] = draft.position
            if self.plan.psgc_codes:
                self._place(code, draft)
            told.append((code, draft))
        return told, twice

    def _place(self, code: str, draft: Draft) -> None:
        around = self._places.around(code)
        draft.facts |= {
            "region": around.get("Reg"),
            "province": around.get("Prov"),
            "municipality": around.get("Mun") or around.get("City"),
        }
        if "SubMun" in around:
            draft.attributes["submunicipality"] = around["SubMun"]
        self._places.learn(code, draft.name, draft.facts.get("geographic_level"))

    def _projects(self, drafts: list[Draft]) -> tuple[list[tuple[str, Draft]], list[Finding]]:
        """Each project once, with what it may be as well."""
        told, twice = [], []
        for draft, identity in zip(drafts, self._book.identify(drafts), strict=True):
            if identity is None:
                twice.append(_again(draft, self._book.row_of(draft)))
            else:
                told.append((identity, draft))
        for identity, draft in told:
            self._book.doubts(draft, identity)
        return told, twice

    def _save(self, connection: Connection, told: list[tuple[str, Draft]]) -> Kept:
        if self.plan.kind == "communities":
            return keeping.communities_of(connection, self.import_id, self.plan.source, [draft for _, draft in told])
        return history.keep(connection, self.import_id, self.plan, told)

    def _count(self, connection: Connection, kept: Kept, found: list[Finding]) -> None:
        number = {what: sum(one.what == what for one in found) for what in ("rejected", "unknown", "doubtful")}
        connection.execute(
            text(
                "update record_imports set read = :read, consumed = :consumed, new = new + :new, changed = changed + :changed,"
                " unchanged = unchanged + :unchanged, rejected = rejected + :rejected, unknown = unknown + :unknown,"
                " doubtful = doubtful + :doubtful where id = :id"
            ),
            {"id": self.import_id, "read": self.position, "consumed": self.consumed, "new": kept.new, "changed": kept.changed}
            | {"unchanged": kept.unchanged}
            | number,
        )


def _again(draft: Draft, row: int) -> Finding:
    return Finding(draft.position, "rejected", "id" if draft.code else "name", f"row {row} of this file tells the same record", draft.text)

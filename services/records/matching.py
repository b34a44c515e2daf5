"""Which project a row is about: by the source's id, else by name and department. What may be the same and may not is told, not guessed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from services.records.mapping import Draft
from services.records.maps import Map
from services.records.names import keys, likeness


@dataclass(slots=True)
class Known:
    """A project as the book has it: all names and departments it was ever told under."""

    identity: str
    told: list[tuple[str, str | None]] = field(default_factory=list)

    def __str__(self) -> str:
        name, department = self.told[-1]
        return f"'{name}' of {department or 'no department'}"


class Book:
    """The projects of one source, in the database and read since."""

    def __init__(self, connection: Connection, plan: Map) -> None:
        self._plan = plan
        self._known: dict[str, Known] = {}
        self._by_key: dict[str, set[str]] = defaultdict(set)
        self._by_name: dict[str, set[str]] = defaultdict(set)
        self._rows: dict[str, int] = {}
        told = connection.execute(
            text(
                "select p.identity, coalesce(y.facts ->> 'name', p.name) as name,"
                " case when y.year is null then p.department else y.facts ->> 'department' end as department"
                " from projects p left join project_years y on y.project_id = p.id where p.source = :source order by p.id, y.year"
            ),
            {"source": plan.source},
        )
        for row in told:
            self._learn(row.identity, row.name, row.department)

    def identify(self, drafts: Sequence[Draft]) -> list[str | None]:
        """The identity of each draft's project, in their order; None where an earlier row of the file is about the same one.

        Rows that a project is known by are placed first, so that none loses its project to a row that only says it had that name before.
        """
        certain = [draft.code if draft.code is not None else self._own(draft) for draft in drafts]
        taken = {identity for identity in certain if identity in self._known}
        found: list[str | None] = []
        for draft, own in zip(drafts, certain, strict=True):
            identity = own if own in self._known or draft.code is not None else self._former(draft, taken) or own
            if identity in self._rows:
                found.append(None)
                continue
            self._rows[identity] = draft.position
            self._learn(identity, draft.name, draft.facts.get("department"))
            found.append(identity)
        return found

    def row_of(self, draft: Draft) -> int:
        """The row that told a draft's project before it."""
        return self._rows[draft.code if draft.code is not None else self._own(draft)]

    def doubts(self, draft: Draft, identity: str) -> None:
        """Say which other projects it may be, once the whole chunk is known: two rows of one file are two projects."""
        if draft.code is not None:
            return
        for other in sorted(self._by_name[likeness(draft.name)] - {identity}):
            if other not in self._rows:
                draft.doubt("name", f"may be the same project as {self._known[other]}: departments or parts of the names differ")

    def _own(self, draft: Draft) -> str:
        """The identity by its present name and department: that of the one project known by them, or a new one."""
        own = self._keys(draft)[0]
        known = self._by_key.get(own, set())
        return own if own in self._known or len(known) != 1 else next(iter(known))

    def _former(self, draft: Draft, taken: set[str]) -> str | None:
        """The one project that had the name which this one had before, by its own words or by the map; several are no answer."""
        for key in self._keys(draft)[1:]:
            known = self._by_key.get(key, set()) - taken - self._rows.keys()
            if len(known) == 1:
                return next(iter(known))
            if known:
                names = " and ".join(str(self._known[identity]) for identity in sorted(known))
                draft.doubt("name", f"may be {names}: kept as a project of its own")
        return None

    def _keys(self, draft: Draft) -> list[str]:
        department, renamed = draft.facts.get("department"), self._plan.formerly.get(draft.name)
        before = keys(renamed, department, self._plan.successors) if renamed else []
        return [*keys(draft.name, department, self._plan.successors), *before]

    def _learn(self, identity: str, name: str, department: str | None) -> None:
        self._known.setdefault(identity, Known(identity)).told.append((name, department))
        self._by_name[likeness(name)].add(identity)
        for key in keys(name, department, self._plan.successors):
            self._by_key[key].add(identity)

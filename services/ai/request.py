"""What is asked of a model, and what comes back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pydantic import BaseModel

from services.ai.outcomes import Outcome
from services.errors import BinnacleError

Task = Literal["primary", "fast", "analysis", "code", "embedding"]
Parsed = TypeVar("Parsed", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Request:
    """One question. `template` names a file of services/ai/prompts, which is filled with `values`.

    With a `schema` the answer is JSON of that shape. `fallback` renders an answer without a model: it is used where no model is set up, and
    where none can answer. `conversation` names the turns this question goes on with; `on_text` sees the words as they come.
    """

    task: Task
    template: str
    values: Mapping[str, object]
    module: str
    operation: str
    schema: type[BaseModel] | None = None
    user: str | None = None
    session: str | None = None
    job_id: int | None = None
    fallback: Callable[[], str] | None = None
    conversation: str | None = None
    on_text: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer. `parsed` is of the schema where one was asked for; a fallback's is None unless its text is JSON of that shape.

    `cost_nano` is what all calls for it cost together, None when that of any of them is unknown; `ledger_ids` are their entries.
    `outcome` is "answered", "cached", or why it is not a whole answer of a model (`services.ai.outcomes`).
    """

    text: str
    parsed: BaseModel | None
    model: str
    provider: str
    cached: bool
    cost_nano: int | None
    ledger_ids: tuple[int, ...]
    outcome: Outcome

    def as_a(self, schema: type[Parsed]) -> Parsed:
        """`parsed`, known to be of the schema that was asked for; raises BinnacleError when there is none."""
        if not isinstance(self.parsed, schema):
            raise BinnacleError(f"The answer ({self.outcome}) is no {schema.__name__}.")
        return self.parsed


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector a text, in their order."""

    vectors: list[list[float]] = field(repr=False)
    model: str
    provider: str
    cost_nano: int | None
    ledger_ids: tuple[int, ...]

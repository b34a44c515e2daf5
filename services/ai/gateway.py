"""The one door to every model, for workers only: a page never waits for a model."""

from services.ai.request import Completion, Embeddings, Request, Task
from services.errors import Unavailable

__all__ = ["Completion", "Embeddings", "Request", "Task", "embed", "generate"]


def generate(request: Request) -> Completion:
    """Answer a question within the time-out of its task."""
    if request.fallback is None:
        raise Unavailable("No model is set up for this.")
    text = request.fallback()
    return Completion(text, None, "template", "template", cached=False, cost_nano=0, ledger_ids=(), outcome="template")


def embed(texts: list[str], *, module: str, operation: str, job_id: int | None = None) -> Embeddings:  # noqa: ARG001
    """One vector a text."""
    raise Unavailable("No model is set up for this.")

"""The job of the AI benchmark: one question to the gateway, its words into the job's result."""

from services.ai import gateway
from services.ai.gateway import Request, generate
from workers.running import Running


def preload() -> None:
    """As the module of analyses has it."""
    gateway.preload()


def question(number: int) -> Request:
    """No two are the same, so none is answered from before."""
    values = {"number": number}
    return Request(task="primary", template="benchmark", values=values, module="communities", operation="benchmark", job_id=None)


def ask(job: Running) -> dict[str, object]:
    """Args: number."""
    told = generate(question(int(job.args["number"])))
    return {"outcome": told.outcome, "cost_nano": told.cost_nano}

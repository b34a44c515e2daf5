"""Random lives of jobs, step by step beside a model: terminal stays terminal, one live lease at most. FAULTS=full: 10,000 sequences."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.report import FULL, Fault, scale
from tests.services.jobs.machine import Jobs

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.unmeasured]
STEPS = 20


def test_jobs_live_as_the_model_says(record_property: Callable[[str, object], None]) -> None:
    sequences = scale(100, 10_000)
    told = dict.fromkeys(Jobs.done, 0)
    Jobs.done = told
    # The short run is the same every time; the full one looks elsewhere each time, and prints how to come back to what it finds.
    chosen = settings(
        max_examples=sequences,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=not FULL,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # a sequence that fails is short enough to read; making it shorter took five minutes
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(Jobs, settings=chosen)  # fails at the first row that is not as the model says
    fault = Fault("state_machine", record_property)
    fault.done = f"{told['sequences']} sequences of up to {STEPS} steps, {told['crashes']} of them crashes, beside a model"
    fault.finds("sequences", told["sequences"], "≥", sequences)
    fault.finds("steps compared", told["steps"], "≥", sequences * 10)
    fault.finds("attempts taken for lost", told["rescues"], "≥", sequences / 10)
    fault.finds("overtaken attempts refused", told["fenced"], "≥", sequences / 10)
    fault.holds()

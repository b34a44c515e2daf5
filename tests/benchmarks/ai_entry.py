"""`python -m tests.benchmarks.ai_entry dispatch|work QUEUE`: `python -m workers` with the job of the AI benchmark and its prompt."""

import os
import sys
from pathlib import Path

from services.ai import templates
from workers import __main__ as ours
from workers import registry
from workers.registry import Kind

if __name__ == "__main__":
    registry.KINDS["benchmark.ask"] = Kind("tests.benchmarks.ai_jobs:ask", "default", 60, frequent=True)
    templates.FOLDER = Path(os.environ["PROMPTS"])
    sys.exit(ours.main())

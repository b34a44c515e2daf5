"""`python -m tests.console.serve ui|api PORT`: the real servers, with the smallest page as the console's script."""

import os
import sys
from pathlib import Path

from console.__main__ import serve

if __name__ == "__main__":
    part, port = sys.argv[1:]
    os.environ["PORT" if part == "ui" else "OTLP_PORT"] = port
    serve(part, Path(__file__).parent / "page.py")

"""`python -m tests.console.serve ui PORT`: the real console, with the smallest page as its script."""

import os
import sys
from pathlib import Path

from console.__main__ import serve

if __name__ == "__main__":
    part, port = sys.argv[1:]
    os.environ["PORT"] = port
    serve(part, Path(__file__).parent / "page.py")

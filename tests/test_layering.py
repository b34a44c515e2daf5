"""Who may import whom, how large things may grow: read from the source, so it holds for every file there is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.settings import ROOT

LAYERS = ("console", "pages", "workers", "services", "deploy")
FORBIDDEN = {
    "pages": (
        "sqlalchemy",
        "psycopg2",
        "redis",
        "rq",
        "plotly",
        "workers",
        "deploy",
        "services.db",
        "services.rollups",
        "services.jobs",
        "services.telemetry",
        "services.ai.gateway",
        "services.ai.providers",
    ),
    "console": (
        "sqlalchemy",
        "psycopg2",
        "rq",
        "workers",
        "pages",
        "deploy",
        "services.rollups",
        "services.ai.gateway",
        "services.ai.providers",
    ),
    "workers": ("streamlit", "plotly", "fastapi", "starlette", "console", "pages", "deploy"),
    "services": ("streamlit", "plotly", "fastapi", "starlette", "rq", "console", "pages", "workers", "deploy"),
    "services/metrics": ("services.rollups", "services.ai", "services.telemetry"),
    "deploy": ("streamlit", "fastapi", "starlette", "rq", "console", "pages", "workers"),
}
ONE_HOME = {"google.generativeai": "services/ai/providers/gemini.py", "genai_prices": "services/pricing/unit_prices.py"}
SINGLE_FILE = "services/recorder.py"  # applications copy it as it is
MOST_LINES = {"pages": 60, "console": 350, "workers": 350, "services": 350, "deploy": 350}


def sources(root: Path) -> Iterator[Path]:
    for layer in LAYERS:
        yield from sorted((root / layer).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def breaches(root: Path) -> list[str]:
    """Every rule that a tree breaks, in words."""
    found = []
    for path in sources(root):
        place = path.relative_to(root).as_posix()
        names = imported(path)
        for layer, forbidden in FORBIDDEN.items():
            if place.startswith(f"{layer}/"):
                found += [f"{place} imports {name}" for name in sorted(names) for prefix in forbidden if under(name, prefix)]
        found += [
            f"{place} imports {vendor}, whose home is {home}"
            for vendor, home in ONE_HOME.items()
            if place != home and any(under(n, vendor) for n in names)
        ]
        lines = len(path.read_text().splitlines())
        if lines > MOST_LINES[place.split("/")[0]] and "/migrations/versions/" not in place and place != SINGLE_FILE:
            found.append(f"{place} has {lines} lines")
        if place.startswith("pages/"):
            found += [f"{place}: {word}" for word in ("st.cache_", "def ", "try:", "select ") if word in path.read_text().lower()]
    return found


def test_it_keeps_its_layers_apart() -> None:
    assert len(list(sources(ROOT))) > 60
    assert breaches(ROOT) == []


@pytest.mark.parametrize(
    ("place", "line", "breach"),
    [
        ("pages/x.py", "from services.db import engine", "pages/x.py imports services.db"),
        ("pages/x.py", "import sqlalchemy.orm", "pages/x.py imports sqlalchemy.orm"),
        ("console/x.py", "import rq", "console/x.py imports rq"),
        ("workers/x.py", "from console import server", "workers/x.py imports console"),
        ("services/x.py", "import streamlit as st", "services/x.py imports streamlit"),
        ("services/metrics/x.py", "from services import rollups", "services/metrics/x.py imports services.rollups"),
        ("deploy/x.py", "import workers.run", "deploy/x.py imports workers.run"),
        (
            "services/x.py",
            "import google.generativeai",
            "services/x.py imports google.generativeai, whose home is services/ai/providers/gemini.py",
        ),
        ("pages/x.py", "def f(): ...", "pages/x.py: def "),
        ("pages/x.py", "\n" * 61, "pages/x.py has 61 lines"),
    ],
)
def test_it_notices_a_planted_breach(tmp_path: Path, place: str, line: str, breach: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_text(line)
    assert breach in breaches(tmp_path)

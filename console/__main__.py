"""`python -m console [ui|api]`: the browser's console on PORT, or the telemetry port OTLP_PORT."""

import argparse
import logging
import os
import sys
from pathlib import Path

import uvicorn

from services import log
from services.errors import BinnacleError
from services.settings import ROOT, settings

GRACE_S = 3  # what a request in flight may still take after SIGTERM


def main() -> int:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m console", description=__doc__)
    parser.add_argument("part", nargs="?", choices=("ui", "api"), default="ui")
    part = parser.parse_args().part
    try:
        log.configure(f"console-{part}")
        serve(part)
    except BinnacleError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def serve(part: str, script: Path | None = None) -> None:
    """Run one of the two apps; neither needs a reachable database to start. `script` stands in for the console's own."""
    os.chdir(ROOT)  # before Streamlit is imported: it reads .streamlit/config.toml of the working directory
    from console import server

    # Streamlit gives this logger a handler of its own; it would write one-time links and people's filters into the log.
    logging.getLogger("uvicorn.access").disabled = True
    uvicorn.run(
        server.build_ui(script or server.SCRIPT) if part == "ui" else server.build_api(),
        host=settings().bind_address,
        port=settings().port if part == "ui" else settings().otlp_port,
        log_config=None,
        access_log=False,
        server_header=False,
        # Only an operator who says the console is reached by another address has a proxy whose X-Forwarded-For is worth believing.
        proxy_headers=settings().public_url is not None,
        timeout_graceful_shutdown=GRACE_S,
        ws="websockets-sansio",
        ws_max_size=32 * 1024 * 1024,
        ws_ping_interval=20,
        ws_ping_timeout=20,
    )


if __name__ == "__main__":
    sys.exit(main())

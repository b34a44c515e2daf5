"""Where the browser of the tests is; `python -m tests.chromium` installs one where there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # as root Chromium has none; it only opens our own pages
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def executable() -> str | None:
    """Path of a Chromium: $CHROMIUM, one on PATH, or Playwright's own."""
    found = os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found:
        return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def ensure() -> str:
    """Path of a Chromium, installed first where none is: by the system's packages as root, else by Playwright."""
    found = executable()
    if found is None:
        for command in _ways():
            print(f"Installing Chromium: {' '.join(command)}", flush=True)
            if subprocess.run(command, check=False).returncode == 0:
                found = executable()
        if found is None:
            sys.exit("The tests drive a browser and none could be installed: install Chromium, or set CHROMIUM to its path.")
    return found


def _ways() -> list[list[str]]:
    ways = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        packages = "apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core"
        ways.insert(0, ["sh", "-c", packages])
    return ways


if __name__ == "__main__":
    print(f"Browser of the tests: {ensure()}")

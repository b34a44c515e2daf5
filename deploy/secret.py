"""Secrets and ports that are chosen once and kept in the data folder."""

import os
import secrets
import socket
from pathlib import Path


def kept_secret(path: Path) -> str:
    """The secret stored at `path`, made on first use; only its owner can read the file."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text().strip()


def kept_port(path: Path) -> int:
    """The loopback port stored at `path` while it is free; otherwise another free one, stored in its place."""
    if path.exists():
        port = int(path.read_text())
        if is_free(port):
            return port
    port = free_port()
    path.write_text(str(port))
    return port


def free_port() -> int:
    """A loopback port nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int, address: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now. SO_REUSEADDR: a port in TIME_WAIT counts as free, as it does for servers."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True

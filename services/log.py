"""One line per event on stderr: time, level, process, message."""

import logging
import time

from services.settings import settings


def configure(process: str) -> None:
    """Log UTC times under the name of this process at LOG_LEVEL."""
    formatter = logging.Formatter(f"%(asctime)sZ %(levelname)s {process}[%(process)d] %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=settings().log_level.upper(), handlers=[handler], force=True)

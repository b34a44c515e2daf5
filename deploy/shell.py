"""python -m deploy.shell COMMAND …: run a command with the addresses of this folder's embedded stores in its environment."""

import os
import sys

from deploy.embedded import Postgres, Valkey
from services.errors import BinnacleError, NotFound
from services.settings import settings


def addresses() -> dict[str, str]:
    """DATABASE_URL and REDIS_URL of the console whose data is in DATA_DIR; what the environment names itself stays.

    Raises NotFound where no console ever ran.
    """
    folder = settings().data_dir.expanduser().absolute()
    found = {}
    for name, store in (("DATABASE_URL", Postgres(folder / "postgres")), ("REDIS_URL", Valkey(folder / "valkey"))):
        if os.environ.get(name):
            continue
        if not (store.folder / "port").exists():
            raise NotFound(f"No console has run in {folder}: start one with `make run`, or set {name}.")
        found[name] = store.url(int((store.folder / "port").read_text()))
    return found


def main() -> int:
    """Becomes the command; 2 when there is none or no console."""
    if len(sys.argv) < 2:
        print("Name a command to run, such as `python -m services keys list`.", file=sys.stderr)
        return 2
    try:
        environment = os.environ | addresses()
    except BinnacleError as error:
        print(error, file=sys.stderr)
        return 2
    command = [sys.executable, *sys.argv[2:]] if sys.argv[1] == "python" else sys.argv[1:]
    os.execvpe(command[0], command, environment)  # noqa: S606 - no shell: these are the words as they were given
    return 0


if __name__ == "__main__":
    sys.exit(main())

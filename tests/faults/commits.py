"""A cable to Postgres that is cut in the middle of commits: before they arrive, or after they took but before anybody hears of it."""

from threading import Lock

from tests.workers.cable import Cable


class CommitCutter(Cable):
    """Cuts the connection of every n-th commit, half of them on the way there, half on the way back. `every` 0: of none."""

    def __init__(self, url: str) -> None:
        self.every = 0
        self.cut = {"before": 0, "after": 0}
        self._seen = 0
        self._lock = Lock()
        super().__init__(url)

    def passes(self, data: bytes) -> bool:
        if not self.every or b"COMMIT" not in data:
            return True
        with self._lock:
            return self._spares("before" if data.startswith(b"Q") else "after")

    def _spares(self, way: str) -> bool:
        """Both the request and its answer say COMMIT, so an odd count reaches either."""
        self._seen += 1
        if self._seen % (self.every | 1):
            return True
        self.cut[way] += 1
        return False

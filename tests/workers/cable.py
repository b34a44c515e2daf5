"""A TCP cable that can be pulled: a proxy in front of Postgres or Redis."""

import socket
from contextlib import suppress
from threading import Thread
from urllib.parse import urlsplit


class Cable:
    """Forwards a port of this machine to the host and port of a URL until it is pulled."""

    def __init__(self, url: str, address: str = "127.0.0.1") -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self._open: list[socket.socket] = []
        self._listener = socket.create_server((address, 0))
        self._address: tuple[str, int] = self._listener.getsockname()
        self.url = url.replace(f"{parts.hostname}:{parts.port}", f"{address}:{self._address[1]}")
        self._serve()

    def pull(self) -> None:
        """Cut every connection and refuse new ones."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._open:
            _cut(end)
        self._open.clear()

    def plug(self) -> None:
        self._listener = socket.create_server(self._address)
        self._serve()

    def passes(self, data: bytes) -> bool:  # noqa: ARG002 - for those who look at it
        """Whether this piece gets through; if not, its connection is cut."""
        return True

    def _serve(self) -> None:
        Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target)
            except OSError:
                _cut(near)  # the other end is down, the cable is not
                continue
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while (data := source.recv(65_536)) and self.passes(data):
                sink.sendall(data)
        _cut(sink)


def _cut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()

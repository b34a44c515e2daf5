"""python -m deploy.supervisord: supervisor's daemon, whose programs hear a stop from the instant they exist.

Between fork and exec a program still has the daemon's own signal handlers, which only take note: a stop that falls there is lost
with the exec, and the program runs on until it is killed.
"""

import os
import signal

from supervisor.supervisord import main

STOPS = (signal.SIGTERM, signal.SIGINT)


def end_what_is_stopped_before_exec() -> None:
    """From now on a stop ends a forked process also before its exec; one that falls into the fork itself is kept until then."""
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_end_by_default)


def _hold() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)


def _release() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def _end_by_default() -> None:
    for stop in STOPS:
        signal.signal(stop, signal.SIG_DFL)
    _release()


if __name__ == "__main__":
    end_what_is_stopped_before_exec()
    main()

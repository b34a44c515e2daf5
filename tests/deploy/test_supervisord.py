"""A program hears a stop from the instant it exists, and the daemon that forked it keeps its own way of stopping."""

import signal
import subprocess
import sys

import pytest

from services.settings import ROOT

DAEMON = """
import os, signal, sys, time
from deploy.supervisord import end_what_is_stopped_before_exec

stop, heard = int(sys.argv[1]), []
signal.signal(stop, lambda number, frame: heard.append(number))
end_what_is_stopped_before_exec()
program = os.fork()
if program == 0:
    time.sleep(10)  # on its way to exec
    os._exit(0)
os.kill(program, stop)
ended_by = -os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
os.kill(os.getpid(), stop)
print(ended_by, *heard)
"""


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_before_exec_ends_a_program_and_not_the_daemon(stop: signal.Signals) -> None:
    done = subprocess.run([sys.executable, "-c", DAEMON, str(int(stop))], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(int(stop))] * 2, done.stderr

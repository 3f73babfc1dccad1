"""`python -I -S -B bound.py PARENT COMMAND [ARGUMENT …]`: executes a command that ends with us.

The command keeps the process id. If the parent is killed, the kernel kills it (prctl(2)).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
MISSING, NOT_RUNNABLE = 127, 126


def main(parent: int, command: list[str]) -> int:
    """Execute the command, which does not return; else return what a shell would."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        return 1  # it has ended before we asked to be told of it
    try:
        os.execvp(command[0], command)  # noqa: S606 - the operator's own command
    except FileNotFoundError:
        return MISSING
    except OSError:
        return NOT_RUNNABLE


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))

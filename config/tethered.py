"""Becomes another program that ends with its parent: `python tethered.py PARENT_PID COMMAND ARGUMENT…`.

On Linux the kernel sends it SIGTERM when the parent is gone, however that ended; elsewhere it is merely started.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h; kept across exec


def main() -> None:
    parent_pid, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == int(parent_pid):  # else it died before the line above
        os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()

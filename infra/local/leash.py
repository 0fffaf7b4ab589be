"""Runs a module of ours so that it ends when the process that started it is gone, whatever way that one died.

The starter holds the other end of our standard input: `python -m infra.local.leash MODULE ARGUMENTS...`.
"""

import _thread
import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 20.0
"""From the polite request to the end by force: nobody is left who could do it."""


def main() -> None:
    """Runs the module named on the command line as `python -m` would."""
    module, *arguments = sys.argv[1:]
    threading.Thread(target=_watch, name="leash", daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _watch() -> None:
    while os.read(0, 1024):
        pass
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()

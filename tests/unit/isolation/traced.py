"""The launcher under the tracer of coverage: `traced.py <descriptor> <launcher> <argument …>`.

What it has seen goes to the descriptor whenever the process is about to become another program, or
to end: by then it may write no file. Each dump has its length before it, and the last one has all.
"""

from __future__ import annotations

import os
import runpy
import struct
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from coverage import Coverage

if TYPE_CHECKING:
    from typing import NoReturn

descriptor, launcher = int(sys.argv[1]), sys.argv[2]
os.set_inheritable(descriptor, False)
execute, leave = os.execv, os._exit
folder = os.path.dirname(launcher)
tracer = Coverage(data_file=None, branch=True, config_file=False, include=[f"{folder}/*"])


def tell() -> None:
    dump = tracer.get_data().dumps()
    os.write(descriptor, struct.pack("!I", len(dump)) + dump)


def traced_execute(path: str, arguments: list[str]) -> None:
    tell()
    execute(path, arguments)


def traced_leave(status: int) -> NoReturn:
    tell()
    leave(status)


os.execv, os._exit = traced_execute, traced_leave
sys.argv = sys.argv[2:]
import_module("sqlite3.dump")  # which a dump needs, when no module may be read any more
tracer.start()
runpy.run_path(launcher, run_name="__main__")

"""The program that runs a wheel, under the tracer of coverage: `traced.py <order>`.

It stands in the place of `wheelhost/main.py`. The process has neither the environment nor the
packages of the tests: the tracer is beside the packages that are lent to it, and what it has seen
goes to `seen/` beside this file, which the sandbox was told to let it write.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import uuid
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).parent
order = json.loads(sys.argv[1])
sources = Path(order["own"]["plugbay"]) / "plugbay"
sys.path.append(order["lent"]["msgspec"])

from coverage import Coverage  # noqa: E402 - it is found only now

sys.path.pop()
leave = os._exit
tracer = Coverage(
    data_file=HERE / "seen" / uuid.uuid4().hex,
    branch=True,
    config_file=False,
    include=[f"{sources}/*"],
)


def traced_leave(status: int) -> NoReturn:
    tracer.stop()
    tracer.save()
    leave(status)


os._exit = traced_leave
tracer.start()
runpy.run_path(str(sources / "runtimes" / "wheelhost" / "main.py"), run_name="__main__")

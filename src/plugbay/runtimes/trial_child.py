"""The child process of a trial: `python -I -B -u -m plugbay.runtimes.trial_child <fd> <job>`.

It is confined before it is executed (`plugbay.isolation`). It answers on the descriptor `fd`, one
JSON message a line, so that what the plugin prints disturbs nothing. Three processes: this one
outlives the others and kills what they leave; the second is the first of its own process
namespace, if there is one, and ends everything in it by ending; the third has the plugin.
"""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from plugbay.runtimes._guard import apart, supervise
from plugbay.runtimes._rehearsal import Rehearsal
from plugbay.runtimes._trial_messages import Ended, Job, Message


def main(descriptor: int, job: Job) -> None:
    """Try the plugin of `job` and tell everything on `descriptor`."""
    os.set_inheritable(descriptor, False)
    alone = apart()

    def tell(message: Message) -> None:
        os.write(descriptor, msgspec.json.encode(message) + b"\n")

    def rehearse() -> None:
        tell(asyncio.run(Rehearsal(job, tell).run()))
        os._exit(0)  # a thread that the plugin has left must not hold it up

    def first() -> None:
        code, number = supervise(rehearse, sweep=not alone)
        tell(Ended(code, number))
        os._exit(0)

    if alone:
        supervise(first)
    else:
        first()


if __name__ == "__main__":
    main(int(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Job))

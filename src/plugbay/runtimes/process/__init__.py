"""The runtime `process`: a plugin in a process of its own, by the protocol of go-plugin.

It needs the extra `grpc`; nothing of that is imported before the first process is started.
"""

from plugbay.runtimes.process._km import KmAuthorization as KmAuthorization
from plugbay.runtimes.process._km import KmInfo as KmInfo
from plugbay.runtimes.process._km import KmPlugin as KmPlugin
from plugbay.runtimes.process._km import km_problems as km_problems
from plugbay.runtimes.process._runtime import ProcessRuntime as ProcessRuntime
from plugbay.runtimes.process._trial import describe_program as describe_program
from plugbay.runtimes.process._trial import try_process as try_process

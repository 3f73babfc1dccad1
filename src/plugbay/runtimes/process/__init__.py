"""The runtime `process`: a plugin in a process of its own, by the protocol of go-plugin.

It needs the extra `grpc`; nothing of that is imported before the first process is started.
"""

from plugbay.runtimes.process._instance import ProcessInstance as ProcessInstance
from plugbay.runtimes.process._runtime import ProcessRuntime as ProcessRuntime

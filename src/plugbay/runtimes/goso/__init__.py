"""The runtime `goso`: a Go plugin in a runner's process, which is built for it on demand."""

from plugbay.runtimes.goso._builder import Builder as Builder
from plugbay.runtimes.goso._instance import GosoInstance as GosoInstance
from plugbay.runtimes.goso._runners import Runners as Runners
from plugbay.runtimes.goso._runtime import GosoRuntime as GosoRuntime
from plugbay.runtimes.goso._toolchain import Toolchain as Toolchain
from plugbay.runtimes.goso._trial import run_goso_trial as run_goso_trial

"""How an artifact is executed: `python` in process, its trial in a child process."""

from plugbay.runtimes._config import config_schema as config_schema
from plugbay.runtimes._instance import PythonInstance as PythonInstance
from plugbay.runtimes._leaks import Leak as Leak
from plugbay.runtimes._leaks import LeakReport as LeakReport
from plugbay.runtimes._python import PythonRuntime as PythonRuntime

"""How an artifact is executed: `python` in process, its trial in a child process."""

from plugbay.runtimes._config import config_schema as config_schema
from plugbay.runtimes._instance import PythonInstance as PythonInstance
from plugbay.runtimes._leaks import Leak as Leak
from plugbay.runtimes._leaks import LeakReport as LeakReport
from plugbay.runtimes._python import PythonRuntime as PythonRuntime
from plugbay.runtimes._trial import run_trial as run_trial
from plugbay.runtimes._trial_report import TrialLimits as TrialLimits
from plugbay.runtimes._trial_report import TrialReport as TrialReport
from plugbay.runtimes._watchdog import Blocked as Blocked
from plugbay.runtimes._watchdog import Watchdog as Watchdog

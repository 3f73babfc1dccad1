"""How an artifact is executed: `python` in process, its trial in a child process.

What trials need is imported when first asked for: workers make none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from plugbay.runtimes._config import config_schema as config_schema
from plugbay.runtimes._instance import PythonInstance as PythonInstance
from plugbay.runtimes._leaks import Leak as Leak
from plugbay.runtimes._leaks import LeakReport as LeakReport
from plugbay.runtimes._python import PythonRuntime as PythonRuntime
from plugbay.runtimes._watchdog import Blocked as Blocked
from plugbay.runtimes._watchdog import Watchdog as Watchdog

if TYPE_CHECKING:
    from plugbay.runtimes._trial import run_trial as run_trial
    from plugbay.runtimes._trial_report import TrialLimits as TrialLimits
    from plugbay.runtimes._trial_report import TrialReport as TrialReport

_PARTS = {"run_trial": "_trial", "TrialLimits": "_trial_report", "TrialReport": "_trial_report"}


def __getattr__(name: str) -> object:
    if name not in _PARTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PARTS[name]}"), name)

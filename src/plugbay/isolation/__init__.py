"""Processes with foreign code in them, kept apart: limits, and neither files nor a network.

One launcher confines every such process (the trial of a wheel, programs, runners of Go plugins,
plugins of Kilometers) by what this host offers, and says what it does not.
"""

from plugbay.isolation._kin import Kin as Kin
from plugbay.isolation._pipes import read_pipe as read_pipe
from plugbay.isolation._pipes import write_pipe as write_pipe
from plugbay.isolation._policy import ProcessOverride as ProcessOverride
from plugbay.isolation._policy import ProcessPolicy as ProcessPolicy
from plugbay.isolation._probe import probe as probe
from plugbay.isolation._report import NOTES as NOTES
from plugbay.isolation._report import REMEDIES as REMEDIES
from plugbay.isolation._report import Report as Report
from plugbay.isolation._report import read_report as read_report
from plugbay.isolation._report import refusal as refusal
from plugbay.isolation._sandbox import Isolation as Isolation
from plugbay.isolation._sandbox import Network as Network
from plugbay.isolation._sandbox import Sandbox as Sandbox
from plugbay.isolation._sandbox import find_user as find_user
from plugbay.isolation._sandbox import may_change_user as may_change_user
from plugbay.isolation._view import python as python

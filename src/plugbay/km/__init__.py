"""Plugins of Kilometers (`km`): programs that look on at MCP messages, by the protocol of
go-plugin. They are found in folders of the user's, validated, authorised by their own word,
restarted, and told of every message without the message waiting for them.
"""

from plugbay.km._config import FILE as FILE
from plugbay.km._config import KmConfig as KmConfig
from plugbay.km._config import PublisherConfig as PublisherConfig
from plugbay.km._config import read_config as read_config
from plugbay.km._discovery import DIRECTORIES as DIRECTORIES
from plugbay.km._discovery import PREFIX as PREFIX
from plugbay.km._discovery import WORKING as WORKING
from plugbay.km._discovery import Found as Found
from plugbay.km._discovery import choose as choose
from plugbay.km._discovery import discover as discover
from plugbay.km._expiry import expiry_warning as expiry_warning
from plugbay.km._hooks import KmHooks as KmHooks
from plugbay.km._package import Installed as Installed
from plugbay.km._package import install_package as install_package
from plugbay.km._runtime import KmRuntime as KmRuntime
from plugbay.km._status import State as State
from plugbay.km._status import Status as Status
from plugbay.km._status import ago as ago
from plugbay.km._system import KmSystem as KmSystem
from plugbay.km._validation import check_file as check_file
from plugbay.km._validation import read_trust as read_trust
from plugbay.km._validation import validate as validate
from plugbay.km._voice import Voice as Voice

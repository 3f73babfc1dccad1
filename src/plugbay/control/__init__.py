"""The control plane: desired state, changes over many workers, and the workers themselves.

What only the supervisor needs is imported when first asked for: every worker would carry it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from plugbay.control._agent import Agent as Agent
from plugbay.control._agent import Identity as Identity
from plugbay.control._ask_plugin import Answers as Answers
from plugbay.control._ask_plugin import PluginOperations as PluginOperations
from plugbay.control._caretaker import CarePolicy as CarePolicy
from plugbay.control._errand import Errands as Errands
from plugbay.control._errand import RemoteKeyValue as RemoteKeyValue
from plugbay.control._link import Greeting as Greeting
from plugbay.control._link import LinkServer as LinkServer
from plugbay.control._link import StreamLink as StreamLink
from plugbay.control._link import connect as connect
from plugbay.control._load import Loader as Loader
from plugbay.control._messages import Asked as Asked
from plugbay.control._messages import CollectMetrics as CollectMetrics
from plugbay.control._messages import Deliver as Deliver
from plugbay.control._messages import Facts as Facts
from plugbay.control._messages import Hello as Hello
from plugbay.control._messages import KvCall as KvCall
from plugbay.control._messages import KvReply as KvReply
from plugbay.control._messages import Message as Message
from plugbay.control._messages import Metrics as Metrics
from plugbay.control._messages import PluginEvent as PluginEvent
from plugbay.control._messages import Publish as Publish
from plugbay.control._messages import SlotReport as SlotReport
from plugbay.control._model import Desired as Desired
from plugbay.control._model import Origin as Origin
from plugbay.control._model import PluginSpec as PluginSpec
from plugbay.control._model import RuntimeChoice as RuntimeChoice
from plugbay.control._ports import Beside as Beside
from plugbay.control._ports import Catalog as Catalog
from plugbay.control._ports import Hosts as Hosts
from plugbay.control._ports import Lent as Lent
from plugbay.control._ports import Link as Link
from plugbay.control._ports import Placed as Placed
from plugbay.control._ports import Plane as Plane
from plugbay.control._ports import Table as Table

if TYPE_CHECKING:
    from plugbay.control._supervising import *  # noqa: F403 -- it has nothing but what is public


def __getattr__(name: str) -> object:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("plugbay.control._supervising"), name)

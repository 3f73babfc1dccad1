"""Virtual environments of wheels that run in processes of their own, one for each lock."""

from plugbay.artifacts.environments._environments import Environments as Environments
from plugbay.artifacts.environments._install import Source as Source
from plugbay.artifacts.environments._layer import EnvironmentLayer as EnvironmentLayer
from plugbay.artifacts.environments._layer import unlocked as unlocked
from plugbay.artifacts.environments._lock import LOCKS as LOCKS
from plugbay.artifacts.environments._lock import Lock as Lock
from plugbay.artifacts.environments._lock import read_lock as read_lock

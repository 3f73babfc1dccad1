"""Typed settings from `gateway.toml` and the environment."""

from plugbay.settings._load import load as load
from plugbay.settings._load import parse as parse
from plugbay.settings._model import AdminSettings as AdminSettings
from plugbay.settings._model import ArtifactSettings as ArtifactSettings
from plugbay.settings._model import DiscoverySettings as DiscoverySettings
from plugbay.settings._model import EnvironmentSettings as EnvironmentSettings
from plugbay.settings._model import GridFsSettings as GridFsSettings
from plugbay.settings._model import ListenerSettings as ListenerSettings
from plugbay.settings._model import LogSettings as LogSettings
from plugbay.settings._model import MetricsSettings as MetricsSettings
from plugbay.settings._model import OidcSettings as OidcSettings
from plugbay.settings._model import PluginEntry as PluginEntry
from plugbay.settings._model import PolicySettings as PolicySettings
from plugbay.settings._model import PublisherSettings as PublisherSettings
from plugbay.settings._model import Settings as Settings
from plugbay.settings._model import SigningPolicy as SigningPolicy
from plugbay.settings._model import SigningRule as SigningRule
from plugbay.settings._model import SigningSettings as SigningSettings
from plugbay.settings._model import TlsSettings as TlsSettings
from plugbay.settings._model import TraceSettings as TraceSettings
from plugbay.settings._model import UploadSettings as UploadSettings
from plugbay.settings._overlay import VARIABLE as VARIABLE
from plugbay.settings._overlay import settings_files as settings_files
from plugbay.settings._watch import watch as watch

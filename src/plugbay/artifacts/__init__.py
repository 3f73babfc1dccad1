"""Artifacts: uploads, the content-addressed store and the layers that validate each kind.

It never executes an artifact: the trial is a port, which the runtimes fill.
"""

from plugbay.artifacts._archive import ArchiveLimits as ArchiveLimits
from plugbay.artifacts._artifact import Artifact as Artifact
from plugbay.artifacts._artifact import LayerReport as LayerReport
from plugbay.artifacts._artifact import WheelMetadata as WheelMetadata
from plugbay.artifacts._backing import Backing as Backing
from plugbay.artifacts._backing import BackingReport as BackingReport
from plugbay.artifacts._backing import Stranger as Stranger
from plugbay.artifacts._build import build_wheel as build_wheel
from plugbay.artifacts._check import StoreReport as StoreReport
from plugbay.artifacts._check import check as check
from plugbay.artifacts._check import sweep as sweep
from plugbay.artifacts._declaration import Declaration as Declaration
from plugbay.artifacts._declaration import plugin_id as plugin_id
from plugbay.artifacts._digest import format_repr_digest as format_repr_digest
from plugbay.artifacts._digest import parse_repr_digest as parse_repr_digest
from plugbay.artifacts._finding import Finding as Finding
from plugbay.artifacts._form import Form as Form
from plugbay.artifacts._go_build import GoBuild as GoBuild
from plugbay.artifacts._go_build import GoModule as GoModule
from plugbay.artifacts._kind import KINDS as KINDS
from plugbay.artifacts._kind import Kind as Kind
from plugbay.artifacts._kind import kind_of as kind_of
from plugbay.artifacts._layer import Layer as Layer
from plugbay.artifacts._layer import Subject as Subject
from plugbay.artifacts._layers import binary_layers as binary_layers
from plugbay.artifacts._layers import layers_by_kind as layers_by_kind
from plugbay.artifacts._layers import validation_layers as validation_layers
from plugbay.artifacts._manifest import ManifestLayer as ManifestLayer
from plugbay.artifacts._native._inspect import inspect_go as inspect_go
from plugbay.artifacts._platform import Platform as Platform
from plugbay.artifacts._signature import SignatureLayer as SignatureLayer
from plugbay.artifacts._static import Static as Static
from plugbay.artifacts._store import ArtifactStore as ArtifactStore
from plugbay.artifacts._store import Upload as Upload
from plugbay.artifacts._trial import Describe as Describe
from plugbay.artifacts._trial import Trial as Trial
from plugbay.artifacts._trial import TrialLayer as TrialLayer
from plugbay.artifacts._trial import TrialReport as TrialReport
from plugbay.artifacts._unpack import unpack_wheel as unpack_wheel
from plugbay.artifacts._upkeep import Migration as Migration
from plugbay.artifacts._upkeep import Upkeep as Upkeep
from plugbay.artifacts._upkeep import UpkeepReport as UpkeepReport
from plugbay.artifacts._upload import MAX_BYTES as MAX_BYTES
from plugbay.artifacts._upload import Uploader as Uploader
from plugbay.artifacts._validator import LayerEvent as LayerEvent
from plugbay.artifacts._validator import Validator as Validator

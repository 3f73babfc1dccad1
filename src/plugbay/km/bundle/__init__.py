"""Bundles: plugins for one customer in a file that is signed, expires, and needs no network.

A bundle is an OCI image layout in a tar archive (OCI Image Specification 1.1): other tools can
copy it to a registry and back. Its signature is a manifest that refers to the bundle's.
"""

from plugbay.km.bundle._contents import Contents as Contents
from plugbay.km.bundle._contents import Part as Part
from plugbay.km.bundle._install import install as install
from plugbay.km.bundle._make import make as make
from plugbay.km.bundle._open import Opened as Opened
from plugbay.km.bundle._open import open_bundle as open_bundle

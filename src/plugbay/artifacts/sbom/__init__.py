"""What artifacts are made of: CycloneDX documents, and the search through all of them."""

from plugbay.artifacts.sbom._bills import Bills as Bills
from plugbay.artifacts.sbom._bills import Document as Document
from plugbay.artifacts.sbom._bills import Shipped as Shipped
from plugbay.artifacts.sbom._embedded import Embedded as Embedded
from plugbay.artifacts.sbom._environment import Distribution as Distribution
from plugbay.artifacts.sbom._environment import installed as installed
from plugbay.artifacts.sbom._make import make_bill as make_bill
from plugbay.artifacts.sbom._part import Part as Part
from plugbay.artifacts.sbom._part import parts_of as parts_of
from plugbay.artifacts.sbom._wanted import Wanted as Wanted

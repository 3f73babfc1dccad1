"""Who has made an artifact: signatures, and whom an operator trusts with what.

A signature is a DSSE envelope around an in-toto statement that names the artifact's SHA-256, so
that other tools can read it too; or it is a bundle of Sigstore.
"""

from plugbay.artifacts.signing._check import check as check
from plugbay.artifacts.signing._envelope import Envelope as Envelope
from plugbay.artifacts.signing._envelope import Signature as Signature
from plugbay.artifacts.signing._keys import generate_key as generate_key
from plugbay.artifacts.signing._keys import key_id as key_id
from plugbay.artifacts.signing._keys import load_chain as load_chain
from plugbay.artifacts.signing._keys import load_private_key as load_private_key
from plugbay.artifacts.signing._keys import load_public_key as load_public_key
from plugbay.artifacts.signing._keys import public_pem as public_pem
from plugbay.artifacts.signing._provenance import Provenance as Provenance
from plugbay.artifacts.signing._publisher import Identity as Identity
from plugbay.artifacts.signing._publisher import Publisher as Publisher
from plugbay.artifacts.signing._publisher_files import read_publisher as read_publisher
from plugbay.artifacts.signing._sign import sign as sign
from plugbay.artifacts.signing._sigstore import SigstoreRoot as SigstoreRoot
from plugbay.artifacts.signing._sigstore import require_sigstore as require_sigstore
from plugbay.artifacts.signing._trust import Rule as Rule
from plugbay.artifacts.signing._trust import Trust as Trust
from plugbay.artifacts.signing._verify import verify as verify

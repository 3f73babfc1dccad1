"""What the plugins that protect a gateway have in common: docs/explanation/protection.md.

Who asks (`Identities`), whom to leave in peace (`Networks`), what to do (`Verdict`), and how
that is carried out, counted and told to the others (`Guard`), and what outlives a generation
(`Ledger`).
"""

from plugbay.sdk.protection._asked import asked as asked
from plugbay.sdk.protection._asked import asked_identity as asked_identity
from plugbay.sdk.protection._guard import Guard as Guard
from plugbay.sdk.protection._guard import Mode as Mode
from plugbay.sdk.protection._identity import Identities as Identities
from plugbay.sdk.protection._identity import Identity as Identity
from plugbay.sdk.protection._identity import address_identity as address_identity
from plugbay.sdk.protection._ledger import Ledger as Ledger
from plugbay.sdk.protection._networks import Networks as Networks
from plugbay.sdk.protection._networks import number_of as number_of
from plugbay.sdk.protection._timed import Timed as Timed
from plugbay.sdk.protection._verdict import LIFT as LIFT
from plugbay.sdk.protection._verdict import THREAT as THREAT
from plugbay.sdk.protection._verdict import VERDICT as VERDICT
from plugbay.sdk.protection._verdict import VIOLATION as VIOLATION
from plugbay.sdk.protection._verdict import Action as Action
from plugbay.sdk.protection._verdict import Verdict as Verdict

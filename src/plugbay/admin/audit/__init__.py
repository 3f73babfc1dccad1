"""The audit log: every act, allowed or refused, in a chain that shows when it was touched."""

from plugbay.admin.audit._head import Head as Head
from plugbay.admin.audit._head import HeadKey as HeadKey
from plugbay.admin.audit._head import SignedHead as SignedHead
from plugbay.admin.audit._log import ANCHOR_FILE as ANCHOR_FILE
from plugbay.admin.audit._log import KEY_FILE as KEY_FILE
from plugbay.admin.audit._log import AuditLog as AuditLog
from plugbay.admin.audit._log import Readable as Readable
from plugbay.admin.audit._query import AuditFilter as AuditFilter
from plugbay.admin.audit._query import StoppedLog as StoppedLog
from plugbay.admin.audit._query import export_line as export_line
from plugbay.admin.audit._query import page as page
from plugbay.admin.audit._query import pages as pages
from plugbay.admin.audit._query import read_export as read_export
from plugbay.admin.audit._query import verification as verification
from plugbay.admin.audit._query import verify as verify
from plugbay.admin.audit._record import AuditRecord as AuditRecord
from plugbay.admin.audit._record import canonical as canonical
from plugbay.admin.audit._record import digest_of as digest_of
from plugbay.admin.audit._record import link as link
from plugbay.admin.audit._verify import Finding as Finding
from plugbay.admin.audit._verify import Stored as Stored
from plugbay.admin.audit._verify import Verdict as Verdict
from plugbay.admin.audit._verify import Verification as Verification

"""The admin API: REST under `/admin/api/v1`, with sign-in, permissions and problem details."""

from plugbay.admin._access import Permission as Permission
from plugbay.admin._access import Principal as Principal
from plugbay.admin._access import Role as Role
from plugbay.admin._app import create_admin as create_admin
from plugbay.admin._journal import Journal as Journal
from plugbay.admin._options import AdminOptions as AdminOptions
from plugbay.admin._recent_logs import LogLine as LogLine
from plugbay.admin._recent_logs import RecentLogs as RecentLogs
from plugbay.admin._schema import check_config as check_config
from plugbay.admin._services import Services as Services
from plugbay.admin.access import FIRST_PASSWORD_FILE as FIRST_PASSWORD_FILE
from plugbay.admin.access import FIRST_USER as FIRST_USER
from plugbay.admin.access import OidcRule as OidcRule
from plugbay.admin.access import ensure_first_user as ensure_first_user
from plugbay.admin.audit import AuditLog as AuditLog
from plugbay.admin.audit import AuditRecord as AuditRecord
from plugbay.admin.audit import digest_of as digest_of

"""Who is asking, and what they may do: users, roles, sessions, tokens and what protects them."""

from plugbay.admin.access._credentials import COOKIE as COOKIE
from plugbay.admin.access._credentials import SECURE_COOKIE as SECURE_COOKIE
from plugbay.admin.access._credentials import Credentials as Credentials
from plugbay.admin.access._grant import Grants as Grants
from plugbay.admin.access._grant import Method as Method
from plugbay.admin.access._passwords import Passwords as Passwords
from plugbay.admin.access._roles import NO_PLUGIN as NO_PLUGIN
from plugbay.admin.access._roles import ROLES as ROLES
from plugbay.admin.access._roles import CredentialKind as CredentialKind
from plugbay.admin.access._roles import Permission as Permission
from plugbay.admin.access._roles import Principal as Principal
from plugbay.admin.access._roles import Role as Role
from plugbay.admin.access._roles import granted as granted
from plugbay.admin.access._sessions import Session as Session
from plugbay.admin.access._sessions import SessionLimits as SessionLimits
from plugbay.admin.access._sessions import Sessions as Sessions
from plugbay.admin.access._tokens import Token as Token
from plugbay.admin.access._tokens import Tokens as Tokens
from plugbay.admin.access._users import FIRST_PASSWORD_FILE as FIRST_PASSWORD_FILE
from plugbay.admin.access._users import FIRST_USER as FIRST_USER
from plugbay.admin.access._users import User as User
from plugbay.admin.access._users import Users as Users
from plugbay.admin.access._users import ensure_first_user as ensure_first_user

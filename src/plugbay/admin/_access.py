"""What routes name of `plugbay.admin.access`."""

from plugbay.admin.access import ROLES as ROLES
from plugbay.admin.access import Permission as Permission
from plugbay.admin.access import Principal as Principal
from plugbay.admin.access import Role as Role

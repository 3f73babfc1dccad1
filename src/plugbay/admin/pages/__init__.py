"""The dashboard: pages for people at `/admin`, on the same services and rules as the API."""

from plugbay.admin.pages._rendering import Pages as Pages
from plugbay.admin.pages._rendering import Templates as Templates
from plugbay.admin.pages._router import page_router as page_router

"""Routes and upstreams from and to the documents of other tools: pure mappings.

What a route cannot say is never dropped without a word: each result has its remarks.
"""

from plugbay.control.interchange._calls import Imported as Imported
from plugbay.control.interchange._calls import Options as Options
from plugbay.control.interchange._calls import Remark as Remark
from plugbay.control.interchange._export import export_postman as export_postman
from plugbay.control.interchange._openapi import import_openapi as import_openapi
from plugbay.control.interchange._postman import import_postman as import_postman

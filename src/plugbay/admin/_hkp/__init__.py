"""`/plugins`: plugin management as clients of the HKP gateway know it.

It is another face of the same services: what is changed here is an operation as any other, and
what is told comes from what the workers report. Nothing of it is reachable from the data plane.
"""

from plugbay.admin._hkp._routes import hkp_router as hkp_router

"""HTTP/2 for clients (RFC 9113), framed by h2: each stream is the client of an exchange."""

from plugbay.gateway.http2._negotiation import ByAlpn as ByAlpn
from plugbay.gateway.http2._negotiation import ByPreface as ByPreface

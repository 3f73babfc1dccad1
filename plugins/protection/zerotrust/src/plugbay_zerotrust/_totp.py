"""Time-based one-time passwords (RFC 6238), each for one use."""

from __future__ import annotations

import hmac

from pyotp import random_base32
from pyotp.totp import TOTP

STEP = 30
_WINDOW = (0, -1, 1)


def fresh_secret() -> str:
    """Return a new secret, 160 bits in base 32."""
    return random_base32()


def uri(secret: str, user: str, issuer: str) -> str:
    """Return what an authenticator's QR code says."""
    return TOTP(secret).provisioning_uri(name=user, issuer_name=issuer)


def matching_step(secret: str, code: str, now: float, last: int) -> int:
    """Return the time step of a code that is right and later than `last`; 0 if it is not."""
    if len(code) != 6 or not code.isascii() or not code.isdigit():
        return 0
    generator = TOTP(secret)
    found = 0
    for offset in _WINDOW:
        step = int(now // STEP) + offset
        right = hmac.compare_digest(generator.generate_otp(step), code)
        found = step if right and step > last else found
    return found

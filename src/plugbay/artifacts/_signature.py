"""The layer `signature`: is the artifact by somebody whom the operator trusts with this plugin?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts._finding import Finding
from plugbay.artifacts._threads import in_thread
from plugbay.artifacts.signing import check

if TYPE_CHECKING:
    from plugbay.artifacts._layer import Subject
    from plugbay.artifacts.signing import Provenance, Rule, Trust
    from plugbay.kernel import Clock

REMEDY = "plugbay sign FILE --key KEY, then push it again: the signature FILE.sig goes with it"


class SignatureLayer:
    """Verifies the signature that came along. What is not trusted is refused or warned of, as
    the rule for the plugin and its uploader says; without one it is only written down."""

    name = "signature"
    eager = False

    def __init__(self, trust: Trust, clock: Clock) -> None:
        self._trust, self._clock = trust, clock

    async def inspect(self, subject: Subject) -> list[Finding]:
        """Return one finding if the artifact is not by whom it should be."""
        found = await in_thread(self._verify, subject)
        subject.provenance = found
        if subject.manifest is None:  # a program that says itself what it is, when it runs
            return [_UNNAMED] if self._trust.enforces else []
        rule = self._trust.rule(subject.manifest.id, subject.by)
        if rule.policy == "off":
            return []
        if found is None:
            return [_finding(rule, "the artifact is not signed", "none")]
        if not found.publisher:
            return [_finding(rule, f"the signature does not count: {found.problems[0]}", "one")]
        if rule.publishers and found.publisher not in rule.publishers:
            return [_finding(rule, "it is signed by another publisher", found.publisher)]
        return []

    def _verify(self, subject: Subject) -> Provenance | None:
        if not subject.signature:
            return None
        raw = subject.signature.encode()
        return check(raw, subject.digest, self._trust, now=self._clock.time())


_UNNAMED = Finding(
    "/manifest",
    "whose signature is asked for depends on the plugin, which must be known before it runs",
    expected="a manifest with the upload",
    found="none",
    remedy="plugbay plugin push FILE --manifest plugbay.toml",
)


def _finding(rule: Rule, detail: str, found: str) -> Finding:
    by = " or ".join(rule.publishers) or "a trusted publisher"
    return Finding(
        "/signature",
        detail,
        expected=f"a signature by {by}",
        found=found,
        remedy=REMEDY,
        severity="error" if rule.policy == "enforce" else "warning",
    )

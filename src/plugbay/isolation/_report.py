"""What the launcher says, in words: which protection could not be had, and why that matters."""

from __future__ import annotations

from dataclasses import dataclass

from plugbay.isolation._orders import NEEDED, insisted

NOTES = {
    "files": "this kernel has no Landlock: the plugin can read the files that the gateway's user "
    "can read",
    "network": "no network namespace could be made here: the plugin can reach the network",
    "udp": "no network namespace could be made here: TCP is refused to the plugin, but it can "
    "send by UDP",
    "sockets": "no mount namespace could be made here: the plugin can connect to the Unix sockets "
    "of the gateway's user",
    "pids": "no process namespace could be made here: the plugin can see other processes, and "
    "ends with its keeper only",
    "processes": "the number of the plugin's processes is not limited: the gateway runs as root, "
    "or no user namespace could be made here",
}
"""What is said of a missing protection, by its code."""
_NAMESPACES = (
    "allow user namespaces: user.max_user_namespaces, and where there is AppArmor "
    "kernel.apparmor_restrict_unprivileged_userns=0"
)
REMEDIES = {
    "files": "a kernel from 5.13 on, with landlock in its `lsm=`",
    "network": _NAMESPACES,
    "udp": _NAMESPACES,
    "sockets": _NAMESPACES,
    "pids": _NAMESPACES,
    "processes": 'set processes.user to a user of their own, such as "nobody"',
}
"""What mends it."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a start went: `error` is why nothing was executed, `refused` why nothing was to be."""

    missing: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    error: str = ""
    landlock: int = 0
    """The ABI of Landlock; 0 if nothing was restricted by it."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What to tell of the plugin. That root's processes are not counted is no news of it."""
        return tuple(NOTES[code] for code in self.missing if code in NEEDED or code == "pids")


def read_report(text: str) -> Report:
    """Read all that the launcher has written."""
    missing: list[str] = []
    refused: tuple[str, ...] = ()
    error, landlock = "", 0
    for line in text.splitlines():
        verb, _, said = line.partition(" ")
        if verb == "missing" and said in NOTES:
            missing.append(said)
        elif verb == "refused":
            refused = tuple(insisted(said.split()))
        elif verb == "error":
            error = said
        elif verb == "landlock":
            landlock = int(said)
    return Report(tuple(missing), refused, error, landlock)


def refusal(report: Report) -> str:
    """Say why a process is not started that may run in isolation only."""
    what = "; ".join(NOTES[code] for code in report.refused)
    return f"it must run in isolation, which this host does not allow: {what}"

"""What the launcher is told, as text: one order a line, a verb and its argument."""

# No dataclass, and nothing of `typing`: the launcher imports this at every start.

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

NEEDED = ("files", "network", "udp", "sockets")
"""The protections that `isolation = "require"` insists on, by the code of what is missing."""


class Orders:
    """What a process may use and reach. What is not named is refused; 0 is no limit."""

    __slots__ = (
        *("report", "parent", "directory", "network", "user", "group"),
        *("limits", "read", "write", "hide", "apart", "guard", "require", "dry"),
    )

    def __init__(self) -> None:
        self.report = -1
        """The descriptor on which the launcher says what it could not do."""
        self.parent = 0
        self.directory = "/"
        self.network = "none"
        self.user = self.group = -1
        """Another user to become; -1 is none."""
        self.limits: dict[int, tuple[int, int]] = {}
        self.read: list[str] = []
        self.write: list[str] = []
        self.hide: list[str] = []
        self.apart = False
        """Whether its children get a process namespace of their own."""
        self.guard = True
        """Whether files and the network are guarded at all."""
        self.require = False
        self.dry = False
        """Only see what can be had, and execute nothing."""

    def text(self) -> str:
        """Return them as one argument. Raises `ValueError` for a path with a line feed in it."""
        lines = [f"{name} {getattr(self, name)}" for name in ("report", "parent", "user", "group")]
        lines += [f"directory {self.directory}", f"network {self.network}"]
        lines += [f"limit {what} {soft} {hard}" for what, (soft, hard) in self.limits.items()]
        for name in ("read", "write", "hide"):
            lines += [f"{name} {path}" for path in getattr(self, name)]
        lines += [f"{name} {int(getattr(self, name))}" for name in _FLAGS]
        if any("\n" in line for line in lines):
            raise ValueError("a path has a line feed in it")
        return "\n".join(lines)


_FLAGS = ("apart", "guard", "require", "dry")


def read_orders(text: str) -> Orders:
    """Read what `Orders.text` has written."""
    orders = Orders()
    for line in text.split("\n"):
        verb, _, said = line.partition(" ")
        if verb in ("report", "parent", "user", "group"):
            setattr(orders, verb, int(said))
        elif verb in ("directory", "network"):
            setattr(orders, verb, said)
        elif verb in _FLAGS:
            setattr(orders, verb, said == "1")
        elif verb == "limit":
            what, soft, hard = map(int, said.split())
            orders.limits[what] = (soft, hard)
        else:
            getattr(orders, verb).append(said)
    return orders


def insisted(missing: "Iterable[str]") -> list[str]:
    """Return which of the missing protections are needed."""
    return [code for code in missing if code in NEEDED]

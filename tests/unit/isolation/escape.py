"""Tries to break out, and says of each attempt `ok` or the error's name.

It is run by the tests as a program of its own, as the code of a wheel, and by a script.
"""

import errno
import json
import os
import resource
import socket
import sys

MANY = 10_000


def attempts(target):
    """Yield the name and the work of each attempt."""
    outside = target["outside"]
    yield "inside", lambda: open(target["inside"]).close()
    yield "list", lambda: os.listdir(os.path.dirname(target["inside"]))
    yield "environment", lambda: open(f"/proc/{target['parent']}/environ").close()
    yield "outside", lambda: open(f"{outside}/escaped", "w").close()
    yield "loopback", lambda: connect(("127.0.0.1", target["port"]))
    yield "out", lambda: connect(("192.0.2.1", 9))
    yield "udp", lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 9))
    yield "socket", lambda: connect(target["socket"], socket.AF_UNIX)
    yield "abstract", lambda: connect("\0" + target["abstract"], socket.AF_UNIX)
    yield "signal", lambda: os.kill(target["parent"], 0)
    yield "user", lambda: os.setuid(1)
    yield "own", lambda: open(os.path.join(os.environ["TMPDIR"], "own"), "w").close()
    yield "files", many


def connect(address, family=socket.AF_INET):
    with socket.socket(family) as own:
        own.settimeout(2)
        own.connect(address)


def many():
    opened = []
    try:
        while len(opened) < MANY:
            opened += [os.open("/dev/null", os.O_RDONLY)]
    finally:
        for one in opened:
            os.close(one)


def memory():
    bytearray(2 << 30)


def big_file():
    with open(os.path.join(os.environ["TMPDIR"], "big"), "wb") as file:
        file.truncate(1 << 40)


def bomb(most):
    """Fork children that wait, up to `most`; return how many there could be."""
    reader, writer = os.pipe()
    made = []
    try:
        while len(made) < most:
            child = os.fork()
            if child == 0:
                os.close(writer)
                os.read(reader, 1)
                os._exit(0)
            made.append(child)
    except OSError:
        pass
    finally:
        os.close(writer)
        for child in made:
            os.waitpid(child, 0)
        os.close(reader)
    return len(made)


def said(work):
    try:
        work()
    except MemoryError:
        return "MemoryError"
    except TimeoutError:
        return "late"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "OSError")
    return "ok"


def escape(target):
    found = {}
    opened = len(os.listdir("/proc/self/fd")) - 1
    for name, work in attempts(target):
        found[name] = said(work)
    found["memory"], found["big"] = said(memory), said(big_file)
    found["children"] = bomb(target["bomb"])
    found["opened"], found["core"] = opened, resource.getrlimit(resource.RLIMIT_CORE)[1]
    found["names"] = sorted(os.environ)
    return found


if __name__ == "__main__":
    sys.stderr.write(json.dumps(escape(json.loads(sys.argv[1]))))

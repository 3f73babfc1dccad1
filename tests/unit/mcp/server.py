"""A server that speaks MCP by hand, so that every kind of misbehaviour can be had on demand.

Its tools do what their name says; options make it misbehave from the start.
"""

import json
import os
import signal
import sys
import threading
import time

WRITE = threading.Lock()


def say(message):
    raw = message if isinstance(message, bytes) else json.dumps(message).encode()
    with WRITE:
        sys.stdout.buffer.write(raw + b"\n")
        sys.stdout.buffer.flush()


def result(id, text, **members):
    content = [{"type": "text", "text": text}]
    say({"jsonrpc": "2.0", "id": id, "result": {"content": content, **members}})


def call(id, name, arguments):
    if name == "exit":
        os._exit(arguments.get("code", 3))
    elif name == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif name == "hang up":
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever started us may have it ignored
        os.kill(os.getpid(), signal.SIGHUP)
    elif name == "hold":
        return  # never answered
    elif name == "later":
        threading.Timer(arguments["seconds"], result, (id, "later")).start()
    elif name == "until":
        threading.Thread(target=until, args=(id, arguments["path"]), daemon=True).start()
    elif name == "junk":
        sys.stdout.buffer.write(b"Starting...\n\n{}\n[1, 2]\n")
        result(id, "junk was written")
    elif name == "partial":
        sys.stdout.buffer.write(b'{"jsonrpc":"2.0","id":%d,"result":{"content' % id)
        sys.stdout.buffer.flush()
        os._exit(0)
    elif name == "large":
        result(id, "x" * arguments["size"])
    elif name == "raw":
        say(arguments["line"].encode())
    elif name == "wait":
        ASKED[arguments["id"]] = id  # for an answer to what was not asked
    elif name == "ask":
        say({"jsonrpc": "2.0", "id": arguments["id"], "method": "roots/list"})
        ASKED[arguments["id"]] = id
    else:
        result(id, json.dumps(arguments), isError=False)


def until(id, path):
    while not os.path.exists(path):
        time.sleep(0.02)
    result(id, "released")


ASKED = {}
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("echo", "exit", "secret")]


def answer(message):
    id, method = message.get("id"), message.get("method")
    if method == "tools/call":
        call(id, message["params"]["name"], message["params"].get("arguments", {}))
    elif method == "tools/list":
        say({"jsonrpc": "2.0", "id": id, "result": {"tools": TOOLS}})
    elif method == "initialize":
        version = message["params"].get("protocolVersion", "2025-11-25")
        info = {"name": "by-hand", "version": "1"}
        body = {"protocolVersion": version, "capabilities": {}, "serverInfo": info}
        say({"jsonrpc": "2.0", "id": id, "result": body})
    elif method is None and id in ASKED:
        result(ASKED.pop(id), json.dumps({k: v for k, v in message.items() if k != "jsonrpc"}))
    elif method is not None and id is not None:
        say({"jsonrpc": "2.0", "id": id, "result": {}})


def main():
    if "deaf" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "stderr" in sys.argv:
        sys.stderr.write("listening\n")
    if "pid" in sys.argv:
        sys.stderr.write(f"{os.getpid()}\n")
    for line in sys.stdin.buffer:
        answer(json.loads(line))
    if "deaf" in sys.argv:
        while True:
            time.sleep(60)


main()

"""The MCP servers that the gateway runs, and the plugins before them.

The supervisor, the workers, the host and `monitor` import a few modules each: nothing is imported
here, so that none of them pays for the others.
"""

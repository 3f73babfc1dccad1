"""The process of an MCP server: how it is started, kept going, and ended."""

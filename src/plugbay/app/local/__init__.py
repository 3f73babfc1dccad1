"""Plugins without a gateway, as `plugbay monitor`, `wrap` and `km` run them in one process."""

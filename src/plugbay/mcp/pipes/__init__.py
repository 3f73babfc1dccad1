"""Descriptors that bytes come from and go to, as the event loop has them."""

"""What every connection is made of: its states, buffers, TLS and deadlines."""

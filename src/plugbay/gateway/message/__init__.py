"""The parts of HTTP messages: heads, framing, fields, targets."""

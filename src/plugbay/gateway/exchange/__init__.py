"""One request and its response, from the head to the last byte."""

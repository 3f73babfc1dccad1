"""The program that runs a wheel in a process of its own: the plugin's side of `plugbay.hook.v1`."""

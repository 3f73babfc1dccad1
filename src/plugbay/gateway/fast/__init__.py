"""The usual exchange, straight through: what it cannot take goes over to the general one."""

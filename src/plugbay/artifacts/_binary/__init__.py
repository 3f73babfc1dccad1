"""Native binaries: reading ELF files and Go's build information, and the layers that judge them."""

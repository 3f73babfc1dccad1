"""Reading native binaries: ELF, and what Go writes into it. They are hostile until proven."""

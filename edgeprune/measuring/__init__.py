"""Running artifacts: on this machine, under an emulator, and what their figures are worth."""

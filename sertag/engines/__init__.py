"""Where recordings are tagged."""

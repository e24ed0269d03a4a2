"""The command line: each verb in its own file, which only parses, calls and shows."""

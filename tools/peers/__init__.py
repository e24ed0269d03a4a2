"""Other inference engines beside edgeprune's artifacts, each in a process of its own."""

"""The work of each stage: files and settings in, files out. `edgeprune.pipeline` decides when one runs."""

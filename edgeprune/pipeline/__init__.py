"""The sequence of stages: what each one reads, what it leaves, and when it need not run again."""

"""What a run leaves behind: the evidence, and the views on it."""

"""What is done to a graph between its capture and its code: one small file for each pass."""

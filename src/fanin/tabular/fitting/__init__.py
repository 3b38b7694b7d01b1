"""Training of the table estimators' networks: schedules, losses, selection of the best epoch, members side by side."""

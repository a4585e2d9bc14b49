"""What runs inside the jail. Nothing here imports the rest of the harness: it must be small, and hold no secret."""

"""What runs inside the jail. Nothing here imports the rest of the harness: it must be small, and hold no secret.

Every module that a zygote has loaded makes each of its forks slower (pathlib and shutil by a tenth of a millisecond
each), so these modules import little, and what is rarely needed only where it is.
"""

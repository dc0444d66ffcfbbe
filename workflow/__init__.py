"""Running the DAG: reading it, setting the machine up for it, and the command line."""

from foreframe.running import instructions

instructions.adopt()

"""The learned simulator: a trained study as an environment, under Gymnasium's own interface.

Importing this package registers `foreframe/LearnedDriving-v0`.
"""

import gymnasium

ID = "foreframe/LearnedDriving-v0"

gymnasium.register(ID, entry_point="foreframe.simulator.environment:LearnedDriving")

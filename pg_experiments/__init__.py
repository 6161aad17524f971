"""Policy-gradient experiments: composed by Hydra, many seeds at once, browsed in TensorBoard.

Start reading at `run.py`: the loop of a run fits on its page. The groups under `conf/` are the modules here.
"""

__version__ = "0.1.0"

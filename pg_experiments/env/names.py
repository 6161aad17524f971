"""Names of environments: what another name for one may mean, and what an id of Gymnasium's needs to be installed."""

from __future__ import annotations

from importlib.util import find_spec

import gymnasium
from ale_py import roms
from gymnasium.envs.registration import EnvSpec

from pg_experiments.env.atari import game_of_gymnasium_id
from pg_experiments.env.registered import NAMESPACE
from pg_experiments.support.errors import nearest

# folder of Gymnasium's environments → (extra of this project, module that it installs)
EXTRAS = {"box2d": ("box2d", "Box2D"), "mujoco": ("mujoco", "mujoco")}


def as_key(name: str) -> tuple[str, str] | None:
    """The key and value that choose an environment: `env.id` of Gymnasium, or `env.game` of ale-py.

    Args:
        name: such as `LunarLander-v2`, `lunarlander`, `breakout` or `ALE/Breakout-v5`.

    Returns:
        Such as ("env.id", "LunarLander-v3"); None where no environment has a similar name.
    """
    spec = gymnasium.registry.get(name)
    if spec is not None and not is_of_ale(spec):
        return "env.id", name
    if game := game_of_gymnasium_id(name):
        return "env.game", game
    known = {_plain(game): ("env.game", game) for game in roms.get_all_rom_ids()}
    ids = sorted(id for id, spec in gymnasium.registry.items() if not is_of_ale(spec))
    known |= {_plain(id): ("env.id", id) for id in ids}  # of several versions the last
    plain = _plain(name)
    return known.get(plain if plain in known else nearest(plain, known, cutoff=0.75) or "")


def missing_extra(id: str) -> str | None:
    """The command that installs what an environment of Gymnasium's needs; None where nothing is missing."""
    spec = gymnasium.registry.get(id)
    folder = "" if spec is None else str(spec.entry_point).removeprefix("gymnasium.envs.").partition(".")[0]
    extra, module = EXTRAS.get(folder, ("", ""))
    if not extra or find_spec(module):
        return None
    return f"pip install 'pg-experiments[{extra}]', or in a clone pip install -e '.[{extra}]'"


def is_of_ale(spec: EnvSpec) -> bool:
    """Whether an environment of Gymnasium's is a game of ale-py's."""
    return isinstance(spec.entry_point, str) and spec.entry_point.startswith("ale_py")


def _plain(name: str) -> str:
    own = f"{NAMESPACE}/"
    return name.lower().removeprefix(own).partition("-v")[0].replace("_", "").replace("-", "")

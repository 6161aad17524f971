"""When to show a suggestion: a plugin of pg-experiments.

Importing the package registers two environments with Gymnasium, which differ in their files:
`pg_suggestions/Suggestions-v0` to train on, and `pg_suggestions/SuggestionsEvaluation-v0` that no policy has seen. It
also registers the options of `options.py`; `conf/` has their values. The entry point in `pyproject.toml` has
pg-experiments import it.
"""

from __future__ import annotations

from gymnasium.envs.registration import register

from pg_suggestions import options  # noqa: F401  (which are registered)
from pg_suggestions.environment import EPISODE_LENGTH

for name, part in (("Suggestions", "training"), ("SuggestionsEvaluation", "evaluation")):
    register(
        f"pg_suggestions/{name}-v0",
        entry_point="pg_suggestions.environment:Suggestions",
        kwargs={"part": part},
        max_episode_steps=EPISODE_LENGTH,
        disable_env_checker=True,  # `tests/` check it; at every step it would take longer than the environment
    )

"""A Hydra plugin that adds the configs of this project's plugins to Hydra's search path."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from pg_experiments.support.plugins import loaded


class PluginConfigs(SearchPathPlugin):
    """Appends the folder `conf/` of each loaded plugin to the search path, after the project's."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for plugin in loaded():
            if (directory := plugin.config_directory) is not None:
                search_path.append(provider=f"plugin {plugin.name}", path=f"file://{directory}")

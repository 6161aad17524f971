"""A plugin of Hydra's, by which Hydra finds the configs of this project's own plugins."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from pg_experiments.support.plugins import loaded


class PluginConfigs(SearchPathPlugin):
    """Adds the folder `conf/` of each plugin that has been loaded, after the project's own."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for plugin in loaded():
            if (directory := plugin.config_directory) is not None:
                search_path.append(provider=f"plugin {plugin.name}", path=f"file://{directory}")

"""Sources of interactions: files through a map, and named public data sets."""

from types import ModuleType

from features.sources import complete_journey
from features.workspace import WorkspaceError

#: Named data sets: each module has CHANNELS, size() and tables().
DATASETS: dict[str, ModuleType] = {"complete_journey": complete_journey}


def dataset(name: str) -> ModuleType:
    """Raises WorkspaceError listing the known names."""
    if name not in DATASETS:
        raise WorkspaceError(f"no data set is called {name!r}; known: {', '.join(DATASETS)}")
    return DATASETS[name]

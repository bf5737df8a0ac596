"""The console's own stylesheet and scripts, served and inlined by `serving.console.assets`."""

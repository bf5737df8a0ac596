"""The Jinja templates of the console, filled by `serving.console.render`."""

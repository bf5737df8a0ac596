"""The page's frame, the uplift report and their style sheet, all put inline by `training.reports.html`."""

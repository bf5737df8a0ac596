"""Reports with everything a page has to cope with, for the tests that render them."""

import numpy as np
import pandas as pd

from training.reports import campaign
from training.reports.artefact import Balance, Campaign, OtherContacts, UpliftReport
from training.reports.statistics import Sample

EVIL = '<script>document.title="run"</script>"><img src=x onerror=alert(1)>'
LONG = "A very long campaign name that somebody typed without a thought for phones"
FORMULA = '=HYPERLINK("http://evil.example")'
GROUPS = {"No E-Mail": (6000, 0.10), EVIL: (3000, 0.14), LONG: (3000, 0.07), FORMULA: (3000, 0.10), "fax": (12, 0.5)}


def everything(folder, alarm=False) -> UpliftReport:
    """Raised, lowered, undecided and too few in one table with hostile names, and contacts by other tools."""
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame({"group": name, "bought": (rng.uniform(size=n) < p) * 1, "revenue": rng.gamma(2, 30 * (1 + p), n)})
        for name, (n, p) in GROUPS.items()
    ]
    path = folder / "campaign.csv"
    pd.concat(frames).to_csv(path, index=False)
    shares = None if alarm else {name: float(n) for name, (n, _) in GROUPS.items()}
    found = campaign.report(path, "group", ["bought", "revenue"], shares=shares)
    return found.model_copy(update={"other_contacts": others()})


def others() -> OtherContacts:
    balance = Balance(
        measure="Money a customer in the 28 days before",
        unit="EUR",
        contacted=Sample(400, 226.0, 900.0),
        others=Sample(900, 86.0, 900.0),
        difference=4.67,
    )
    one = Campaign(
        action=EVIL, channel="mail", waves=4, contacts=400, balance=[balance], before=(226.0, 86.0),
        after=(228.0, 88.0), verdict="targeted", sentence=f"{EVIL} was targeted.",
    )  # fmt: skip
    few = one.model_copy(update={"action": "leaflet", "verdict": "too_few", "waves": 1})
    return OtherContacts(days=28, unit="EUR", contacts=412, campaigns=[one, few], sentence="Other tools made contacts.")

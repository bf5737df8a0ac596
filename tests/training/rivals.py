"""What a data scientist would otherwise use for lapse: BG/NBD, a logistic regression, plain LightGBM.

Written on pandas and raw purchases, with nothing of Tactful's features; each may train on cutoffs up to one horizon
before the test, closer than ours, which keeps a window for calibration.
"""

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.habit import Visits, fit_visits, silence

WINDOWS = (7, 14, 30, 60, 90, 180, 365)


def purchases(interactions):
    """customer, day (float days since 1970), value."""
    frame = interactions.select(["customer_id", "occurred_at", "value"]).to_pandas()
    days = (frame["occurred_at"] - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    return pd.DataFrame({"customer": frame["customer_id"], "day": days, "value": frame["value"].fillna(0.0)})


def table(log, cutoff, horizon):
    """Recency, frequency, money, tenure and window counts of who bought in the 365 days before; and who stayed away."""
    before = log[log["day"] < cutoff]
    visits = before.drop_duplicates(["customer", "day"])
    by = visits.groupby("customer")["day"]
    found = pd.DataFrame({"recency": cutoff - by.max(), "tenure": cutoff - by.min(), "frequency": by.size()})
    found["money"] = before.groupby("customer")["value"].sum()
    for days in WINDOWS:
        recent = visits[visits["day"] >= cutoff - days]
        found[f"visits_{days}"] = recent.groupby("customer").size()
        found[f"money_{days}"] = before[before["day"] >= cutoff - days].groupby("customer")["value"].sum()
    found = found.fillna(0.0)[found["recency"] <= 365]
    later = log[(log["day"] >= cutoff) & (log["day"] < cutoff + horizon)]["customer"].unique()
    return found, ~found.index.isin(later)


def predict(log, cutoff, horizon):
    """Rival -> P(no purchase in `horizon` days) as a Series by customer."""
    test, _ = table(log, cutoff, horizon)
    earlier = [cutoff - horizon - 14 * k for k in range(7) if cutoff - horizon - 14 * k >= log["day"].min() + 14]
    tables = [table(log, at, horizon) for at in earlier]
    return {
        "BG/NBD": pd.Series(_habit(log, cutoff, horizon, test.index), test.index),
        "logistic on RFM": pd.Series(_logistic(*tables[0], test), test.index),
        "LightGBM on RFM and windows": pd.Series(_trees(tables, test), test.index),
    }


def _habit(log, cutoff, horizon, customers):
    day = np.floor(log["day"][log["day"] < cutoff])
    by = pd.DataFrame({"customer": log["customer"], "day": day}).dropna().drop_duplicates().groupby("customer")["day"]
    summary = pd.DataFrame({"first": by.min(), "last": by.max(), "count": by.size()})

    def visits(rows):
        return Visits(
            rows["count"].to_numpy(float) - 1,
            (rows["last"] - rows["first"]).to_numpy(float),
            (cutoff - rows["first"]).to_numpy(float),
        )

    parameters = fit_visits(visits(summary))
    return 1 / (1 + np.exp(-silence(parameters, visits(summary.loc[customers]), horizon)))


def _logistic(features, label, test):
    columns = ["recency", "frequency", "money"]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(np.log1p(features[columns].clip(lower=0)), label)
    return model.predict_proba(np.log1p(test[columns].clip(lower=0)))[:, 1]


def _trees(tables, test):
    features = pd.concat([features for features, _ in tables])
    label = np.concatenate([label for _, label in tables])
    model = lgb.LGBMClassifier(
        n_estimators=150,
        learning_rate=0.04,
        num_leaves=15,
        min_child_samples=100,
        verbosity=-1,
        n_jobs=1,
        random_state=0,
    )
    model.fit(features.to_numpy(), label)
    return model.booster_.predict(test.to_numpy())

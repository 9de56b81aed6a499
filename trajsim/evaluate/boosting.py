"""Gradient boosting of patients' features: the one classifier behind all scores that need one."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def boosted_scores(features: Floats, is_case: Bools, others: Floats, *, seed: int) -> Floats:
    """What a classifier, trained on some patients, says of others: log odds of being a case.

    Columns that do not vary among the patients it is trained on are left out.

    Args:
        features: [n, columns] Of the patients to train on; NaN where unknown.
        is_case: [n] What they are.
        others: [m, columns] Patients to score.
        seed: Of the classifier.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    varies = [len(np.unique(column[~np.isnan(column)])) > 1 for column in features.T]
    model = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.1, random_state=seed, early_stopping=False)
    model.fit(features[:, varies], is_case)
    return np.asarray(model.decision_function(others[:, varies]), dtype=np.float64)

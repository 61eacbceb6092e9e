"""Every place in scikit-learn, joblib and boosters that is hooked: a table that applies, undoes, documents, tests itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """What a hook is for."""

    ESTIMATORS = "every subclass, those to come included: fits, predictions and scores are recorded"
    METRIC = "its value is recorded with the run of the model whose predictions it was given"
    SCORER = "its value is recorded with the run of the model that it was given"
    DISPLAY = "what it shows is recorded with the run of the model, or of the one whose predictions it was given"
    FUNCTION = "each call is a run; what is fitted inside is part of it"
    STEPS = "the features that it takes one by one, and their scores, are recorded with its fit"
    OUTPUT = "what it prints of predictions that fitbook makes on its own is not to be seen"
    WARNING = "warnings that are shown during a fit are noted with its run"
    TASKS = "tasks know, in whatever thread or process, which fit and which run they work for"


@dataclass(frozen=True, slots=True)
class HookPoint:
    """One hooked place: applied when ``module`` is imported; there ``since`` this version, or all that are supported."""

    module: str
    path: str
    role: Role
    since: tuple[int, int] = (0, 0)


FIT_METHODS = ("fit", "fit_predict", "fit_transform", "fit_resample")
STREAM_METHODS = ("partial_fit",)
PREDICT_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")
SCORE_METHODS = ("score",)
METHODS = (*FIT_METHODS, *STREAM_METHODS, *PREDICT_METHODS, *SCORE_METHODS)
DISPLAY_METHODS = ("from_estimator", "from_predictions")

METRICS = (
    "accuracy_score",
    "adjusted_mutual_info_score",
    "adjusted_rand_score",
    "auc",
    "average_precision_score",
    "balanced_accuracy_score",
    "brier_score_loss",
    "calinski_harabasz_score",
    "class_likelihood_ratios",
    "classification_report",
    "cohen_kappa_score",
    "completeness_score",
    "confusion_matrix",
    "confusion_matrix_at_thresholds",
    "coverage_error",
    "d2_absolute_error_score",
    "d2_brier_score",
    "d2_log_loss_score",
    "d2_pinball_score",
    "d2_tweedie_score",
    "davies_bouldin_score",
    "dcg_score",
    "det_curve",
    "explained_variance_score",
    "f1_score",
    "fbeta_score",
    "fowlkes_mallows_score",
    "hamming_loss",
    "hinge_loss",
    "homogeneity_completeness_v_measure",
    "homogeneity_score",
    "jaccard_score",
    "label_ranking_average_precision_score",
    "label_ranking_loss",
    "log_loss",
    "matthews_corrcoef",
    "max_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_gamma_deviance",
    "mean_pinball_loss",
    "mean_poisson_deviance",
    "mean_squared_error",
    "mean_squared_log_error",
    "mean_tweedie_deviance",
    "median_absolute_error",
    "metric_at_thresholds",
    "multilabel_confusion_matrix",
    "mutual_info_score",
    "ndcg_score",
    "normalized_mutual_info_score",
    "precision_recall_curve",
    "precision_recall_fscore_support",
    "precision_score",
    "r2_score",
    "rand_score",
    "recall_score",
    "roc_auc_score",
    "roc_curve",
    "root_mean_squared_error",
    "root_mean_squared_log_error",
    "silhouette_score",
    "top_k_accuracy_score",
    "v_measure_score",
    "zero_one_loss",
)

# Metrics that the oldest supported version has not.
SINCE = {"d2_brier_score": (1, 8), "confusion_matrix_at_thresholds": (1, 8), "metric_at_thresholds": (1, 9)}

# The classes of what make_scorer, get_scorer and check_scoring give.
SCORERS = ("_BaseScorer", "_MultimetricScorer", "_PassthroughScorer")
DISPLAYS = (
    "ConfusionMatrixDisplay",
    "DetCurveDisplay",
    "PrecisionRecallDisplay",
    "PredictionErrorDisplay",
    "RocCurveDisplay",
)

CROSS_VALIDATION = (
    "cross_val_predict",
    "cross_val_score",
    "cross_validate",
    "learning_curve",
    "permutation_test_score",
    "validation_curve",
)
STEP_METHOD = "_get_best_new_feature_score"

POINTS = (
    HookPoint("sklearn.base", "BaseEstimator", Role.ESTIMATORS),
    *(HookPoint("sklearn.metrics", name, Role.METRIC, SINCE.get(name, (0, 0))) for name in METRICS),
    *(HookPoint("sklearn.metrics._scorer", name, Role.SCORER) for name in SCORERS),
    *(HookPoint("sklearn.metrics", name, Role.DISPLAY) for name in DISPLAYS),
    HookPoint("sklearn.calibration", "CalibrationDisplay", Role.DISPLAY),
    *(HookPoint("sklearn.model_selection", name, Role.FUNCTION) for name in CROSS_VALIDATION),
    HookPoint("sklearn.inspection", "permutation_importance", Role.FUNCTION),
    HookPoint("sklearn.feature_selection", "SequentialFeatureSelector", Role.STEPS),
    # XGBoost's, LightGBM's and imbalanced-learn's estimators are scikit-learn's BaseEstimators.
    HookPoint("catboost.core", "_CatBoostBase", Role.ESTIMATORS),
    *(HookPoint("lightgbm.basic", name, Role.OUTPUT) for name in ("_log_info", "_log_warning", "_log_native")),
    HookPoint("joblib.parallel", "Parallel", Role.TASKS),
    HookPoint("warnings", "_showwarnmsg", Role.WARNING),
)

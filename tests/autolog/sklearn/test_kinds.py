import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.cluster import DBSCAN, KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.covariance import EmpiricalCovariance
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.manifold import TSNE
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity, NearestNeighbors
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.random_projection import GaussianRandomProjection

from fitbook.autolog.sklearn._kinds import estimator_type, is_model, unwrap


class OwnScaler(StandardScaler):
    pass


class OwnTransformer(TransformerMixin, BaseEstimator):
    def transform(self, X):
        return X


class OwnClassifier(ClassifierMixin, BaseEstimator):
    pass


class OwnPredictor(BaseEstimator):
    def predict(self, X):
        return X


class OwnPCA(PCA):
    pass


class Explosive(OwnPredictor):
    @property
    def estimator(self):
        raise RuntimeError

    @property
    def predict(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("estimator", "kind", "model"),
    [
        (RandomForestClassifier(), "classifier", True),
        (Ridge(), "regressor", True),
        (KMeans(), "clusterer", True),
        (DBSCAN(), "clusterer", True),
        (IsolationForest(), "outlier_detector", True),
        (GaussianMixture(), "density_estimator", True),
        (KernelDensity(), "density_estimator", True),
        (PCA(), "transformer", True),
        (TSNE(), "other", True),
        (PLSRegression(), "regressor", True),
        (EmpiricalCovariance(), "other", True),
        (NearestNeighbors(), "other", True),
        (TransformedTargetRegressor(), "regressor", True),
        (GridSearchCV(Ridge(), {}), "regressor", True),
        (GridSearchCV(PCA(), {}), "search", True),
        (make_pipeline(StandardScaler(), Ridge()), "regressor", True),
        (GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {}), "regressor", True),
        (make_pipeline(Ridge(), StandardScaler()), "transformer", False),
        (make_pipeline(StandardScaler(), "passthrough"), "other", False),
        (Pipeline([]), "transformer", False),
        (StandardScaler(), "transformer", False),
        (LabelEncoder(), "transformer", False),
        (SimpleImputer(), "transformer", False),
        (TfidfVectorizer(), "transformer", False),
        (SelectKBest(), "transformer", False),
        (Nystroem(), "transformer", False),
        (GaussianRandomProjection(), "transformer", False),
        (ColumnTransformer([]), "transformer", False),
        (FeatureUnion([]), "transformer", False),
        (OwnScaler(), "transformer", False),
        (OwnTransformer(), "transformer", False),
        (OwnClassifier(), "classifier", True),
        (OwnPredictor(), "other", True),
        (OwnPCA(), "transformer", True),
        (Explosive(), "other", True),
        (object(), "other", False),
        (None, "other", False),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_kinds(estimator, kind, model):
    assert estimator_type(estimator) == kind
    assert is_model(estimator) is model


def test_unwrap_goes_through_searches_and_pipelines():
    pipeline = make_pipeline(StandardScaler(), Ridge())
    search = GridSearchCV(pipeline, {"ridge__alpha": [1, 2]}, cv=2).fit([[0], [1], [2], [3]], [0, 1, 2, 3])
    model, before = unwrap(search)
    assert model is search.best_estimator_[-1]
    assert before == [search.best_estimator_]


def test_an_unfitted_search_is_itself():
    search = GridSearchCV(Ridge(), {})
    assert unwrap(search) == (search, [])


def test_a_feature_selector_that_predicts_is_a_model():
    from sklearn.feature_selection import RFE, SelectFromModel, SequentialFeatureSelector
    from sklearn.linear_model import LogisticRegression

    assert is_model(RFE(LogisticRegression()))
    assert is_model(SequentialFeatureSelector(LogisticRegression()))  # it can't, but makes hundreds of fits
    assert not is_model(SelectFromModel(LogisticRegression()))

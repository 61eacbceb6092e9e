"""33: a pipeline of texts, columns and a search, as tutorials have it."""

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import classification_report, confusion_matrix
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

words = ["good film", "bad film", "great plot", "awful plot", "fine cast", "poor cast"] * 20
frame = pd.DataFrame({"text": words, "kind": pd.Categorical(["a", "b", "c"] * 40)})
y = pd.Series(["yes", "no"] * 60)
parts = ColumnTransformer([("text", TfidfVectorizer(), "text"), ("kind", OneHotEncoder(), ["kind"])])
train, test, y_train, y_test = train_test_split(frame, y, random_state=0, stratify=y)
search = GridSearchCV(
    Pipeline([("parts", parts), ("model", LogisticRegression())]), {"model__C": [0.1, 10]}, cv=3, n_jobs=2
)
guess = search.fit(train, y_train).predict(test)
print(search.best_params_, search.score(test, y_test))
print(classification_report(y_test, guess), confusion_matrix(y_test, guess))

"""45: a working directory that is gone, and a home that can't be written to."""

import os
import tempfile

from sklearn.linear_model import LinearRegression

os.environ["HOME"] = "/nowhere"
place = tempfile.mkdtemp(dir=".")
os.chdir(place)
os.rmdir(f"../{os.path.basename(place)}")
print(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]).coef_)
try:
    os.getcwd()
except FileNotFoundError as error:
    print(type(error).__name__)

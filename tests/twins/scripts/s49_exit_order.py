"""43: exit hooks, daemon threads and finalizers at the end of the program."""

import atexit
import threading
import weakref

from sklearn.linear_model import LinearRegression

# Finalizers run where the first of them took its place among the exit hooks, be it that of a library.
early = threading.Event()
weakref.finalize(early, print, "early is finalized")
atexit.register(print, "registered first")
model = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
weakref.finalize(model, print, "model is finalized")
stop = threading.Event()
threading.Thread(target=stop.wait, daemon=True).start()
atexit.register(lambda: print("fit at exit", LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]).coef_))


class Talks:
    def __del__(self):
        print("deleted")


talks = Talks()
print("end")

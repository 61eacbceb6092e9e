from __future__ import annotations

import functools
import gc
import inspect
import pickle
import sys
import warnings
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

import cloudpickle
import pytest
from sklearn.utils.metaestimators import available_if

from fitbook.autolog._patch import Patches

calls: list[str] = []


def hook(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def hooked(*args: Any, **kwargs: Any) -> Any:
        calls.append(original.__qualname__)
        return original(*args, **kwargs)

    return hooked


class Base:
    def work(self) -> str:
        return "base"

    @available_if(lambda self: self.able)  # type: ignore[untyped-decorator]
    def sometimes(self) -> str:
        return "now"

    able = True


class Child(Base):
    def work(self) -> str:
        return "child of " + super().work()


def test_a_method_is_wrapped_once_and_put_back_as_the_same_object() -> None:
    patches, before = Patches(), dict(vars(Base))
    assert patches.method(Base, "work", hook)
    assert patches.method(Base, "work", hook)
    calls.clear()
    assert Base().work() == "base"
    assert calls == ["Base.work"]
    assert Base.work is Base.work
    assert pickle.loads(pickle.dumps(Base.work)) is Base.work
    patches.undo()
    assert all(vars(Base)[name] is value for name, value in before.items())
    patches.undo()


def test_the_stack_shows_the_names_of_what_was_wrapped() -> None:
    class Seer:
        def look(self) -> list[str]:
            frame: FrameType | None = sys._getframe()
            names = []
            while frame is not None and len(names) < 2:
                names.append(frame.f_code.co_name)
                frame = frame.f_back
            return names

    patches = Patches()
    patches.method(Seer, "look", hook)
    assert Seer().look() == ["look", "look"]


def test_the_stack_is_told_without_searching_all_modules_for_the_hooks() -> None:
    class Seer:
        def look(self) -> list[inspect.FrameInfo]:
            return inspect.stack()[:2]

    patches = Patches()
    patches.method(Seer, "look", hook)
    hooked = Seer().look()[1]
    assert (hooked.function, hooked.code_context) == ("look", None)
    assert inspect.getmodule(hooked.frame, hooked.filename) is sys.modules["fitbook.autolog._patch"]


def test_a_class_and_its_parent_are_each_wrapped_where_they_define_it() -> None:
    patches = Patches()
    patches.method(Child, "work", hook)
    patches.method(Base, "work", hook)
    calls.clear()
    assert Child().work() == "child of base"
    assert calls == ["Child.work", "Base.work"]
    patches.undo()
    calls.clear()
    assert (Child().work(), calls) == ("child of base", [])


def test_an_inherited_method_is_not_made_an_own_one() -> None:
    assert Patches().method(Child, "sometimes", hook) is False
    assert "sometimes" not in vars(Child)


def test_what_is_no_function_is_left_alone() -> None:
    class Odd:
        work = property(lambda self: 3)
        other = 7

    patches = Patches()
    assert not patches.method(Odd, "work", hook)
    assert not patches.method(Odd, "other", hook)
    assert not patches.method(Odd, "missing", hook)


def test_conditional_methods_stay_conditional() -> None:
    patches, before = Patches(), vars(Base)["sometimes"]
    assert patches.method(Base, "sometimes", hook)
    unable = Base()
    unable.able = False
    calls.clear()
    assert hasattr(Base(), "sometimes")
    assert not hasattr(unable, "sometimes")
    assert Base().sometimes() == "now"
    assert calls == ["Base.sometimes"]
    patches.undo()
    assert vars(Base)["sometimes"] is before


def test_somebody_else_s_patch_on_top_is_left_in_place() -> None:
    patches, original = Patches(), Base.work
    patches.method(Base, "work", hook)
    ours = Base.work

    def theirs(self: Any) -> str:
        return "theirs over " + ours(self)

    Base.work = theirs  # type: ignore[method-assign]
    patches.undo()
    assert Base.work is theirs
    Base.work = original  # type: ignore[method-assign]


def test_a_patched_class_can_still_be_forgotten() -> None:
    patches = Patches()

    class Passing:
        def work(self) -> None:
            return super().__init__()

    reference = weakref.ref(Passing)
    patches.method(Passing, "work", hook)
    del Passing
    gc.collect()
    assert reference() is None
    patches.undo()


def test_a_class_method_is_added_and_taken_away() -> None:
    class Plain:
        pass

    patches, names = Patches(), list(vars(Plain))
    patches.class_method(Plain, "made", lambda cls: cls)
    patches.class_method(Plain, "made", lambda cls: None)
    assert Plain.made() is Plain  # type: ignore[attr-defined]
    patches.undo()
    assert list(vars(Plain)) == names


def test_a_closure_s_variable_is_wrapped_and_the_function_stays() -> None:
    def outer() -> Callable[[], str]:
        def func() -> str:
            return "inner"

        return lambda: func()

    function, patches = outer(), Patches()
    (cell,) = function.__closure__ or ()
    before = cell.cell_contents
    assert patches.cell(function, "func", hook)
    assert patches.cell(function, "func", hook)
    calls.clear()
    assert (function(), len(calls)) == ("inner", 1)
    assert not patches.cell(function, "missing", hook)
    assert not patches.cell(len, "func", hook)
    patches.undo()
    assert cell.cell_contents is before


def test_hooks_of_one_set_are_not_another_s() -> None:
    one, other = Patches(), Patches()
    one.method(Base, "work", hook)
    assert one.is_ours(vars(Base)["work"])
    assert not other.is_ours(vars(Base)["work"])
    one.undo()


def test_cloudpickle_takes_hooked_importable_classes_by_name() -> None:
    patches = Patches()
    patches.method(Base, "work", hook)
    assert cloudpickle.loads(cloudpickle.dumps(Base)) is Base
    patches.undo()


def test_who_counts_frames_does_not_count_hooks() -> None:
    class Warns:
        def method(self) -> None:
            warnings.warn("from where it was called", UserWarning, stacklevel=2)

    patches = Patches()
    patches.method(Warns, "method", hook)
    with pytest.warns(UserWarning, match="from where") as caught:
        Warns().method()
    assert caught[0].filename == __file__
    patches.undo()

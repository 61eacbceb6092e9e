import io

import numpy as np
from PIL import Image

from fitbook.autolog.sklearn._canvas import Canvas, text_width


def pixels(canvas):
    return np.asarray(Image.open(io.BytesIO(canvas.png())))


def inked(canvas):
    """Rows and columns of what is not white, from the top left."""
    rows, columns = np.nonzero((pixels(canvas) != 255).any(axis=2))
    return rows, columns


def test_a_sheet_is_white():
    image = pixels(Canvas(30, 20))
    assert image.shape == (20, 30, 3)
    assert (image == 255).all()


def test_a_box_fills_whole_pixels_from_the_lower_left():
    sheet = Canvas(30, 20)
    sheet.box(2, 1, 5, 4, "#ff0000")
    rows, columns = inked(sheet)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 18, 2, 4)
    assert (pixels(sheet)[16:19, 2:5] == (255, 0, 0)).all()


def test_lines_are_smooth_and_end_where_told():
    sheet = Canvas(60, 60)
    sheet.line([10, 50], [10, 50], "#000000", width=2)
    rows, columns = inked(sheet)
    assert abs(columns.min() - 10) <= 2
    assert abs(columns.max() - 50) <= 2
    assert abs(rows.max() - 50) <= 2  # the lower end, counted from the top
    assert len(np.unique(pixels(sheet))) > 5


def test_dashes_leave_gaps():
    sheet = Canvas(200, 9)
    sheet.line([0, 200], [4, 4], "#000000", width=1, dashed=True)
    row = (pixels(sheet)[:, :, 0] < 200).any(axis=0)
    assert 10 < np.count_nonzero(np.diff(row.astype(int))) < 60


def test_dots_darken_where_they_overlap():
    one, two = Canvas(30, 30), Canvas(30, 30)
    one.dots([15], [15], "#000000", size=8, alpha=0.5)
    two.dots([15, 15], [15, 15], "#000000", size=8, alpha=0.5)
    assert pixels(two)[15, 15, 0] < pixels(one)[15, 15, 0] < 200


def test_what_lies_outside_is_cut_off():
    sheet = Canvas(20, 20)
    sheet.text(-500, 10, "far away")
    sheet.text(15, 10, "half of it is outside")
    sheet.line([-100, 200], [10, 10], "#000000", width=1)
    sheet.dots([0, 99, -9], [0, 99, 5], "#000000", size=5, alpha=0.5)
    sheet.box(-5, -5, 3, 3, "#00ff00")
    assert pixels(sheet).shape == (20, 20, 3)


def test_anchors_of_text():
    ends = {}
    for across in (0.0, 0.5, 1.0):
        sheet = Canvas(200, 40)
        sheet.text(100, 20, "mmmm", across=across)
        _, columns = inked(sheet)
        ends[across] = (columns.min(), columns.max())
    width = text_width(["mmmm", "m"], 9)
    assert abs(ends[0.0][0] - 100) <= 3
    assert abs(ends[1.0][1] - 100) <= 3
    assert abs(sum(ends[0.5]) / 2 - 100) <= 3
    assert abs(ends[0.0][1] - ends[0.0][0] - width) <= 4


def test_upright_text_is_taller_than_wide():
    sheet = Canvas(60, 200)
    sheet.text(30, 100, "upright", upright=True)
    rows, columns = inked(sheet)
    assert np.ptp(rows) > 2 * np.ptp(columns)
    assert abs((rows.min() + rows.max()) / 2 - 100) <= 4


def test_empty_text():
    sheet = Canvas(20, 20)
    sheet.text(5, 5, "")
    assert (pixels(sheet) == 255).all()
    assert text_width([], 9) == 0.0

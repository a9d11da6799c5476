"""Compiled kernels that render one view: crop, colours, resize with blur and flip, as uint8.

Crop, flip, bicubic resize (antialiased, Keys' a = -0.5, as Pillow) and Gaussian blur are linear and separable: each
axis has one banded matrix, the product of all of them, so blur and flip cost next to nothing. Colours are changed on
whichever is smaller, the cropped source or the view. All arithmetic is float32 and rounds once, at the end.

- A box with no more pixels than the view (`_render_small`) is coloured, then resized across and down.
- A larger one (`_render_large`) is first resized down, straight from its bytes: the one pass over the source. Then it
  is resized across, blurred down (on the view, where a tap is a row of it) and coloured.

Buffers are flat so that every inner loop runs over contiguous memory; that is what the compiler turns into SIMD.
The functions are typed once, for read-only images of any strides, and hold no GIL.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba import types

from sightline.views import parameters as p

_FAST = {"nsz", "arcp", "contract", "reassoc", "nnan"}
_ZERO, _ONE, _TOP, _HALF = np.float32(0), np.float32(1), np.float32(255), np.float32(0.5)
_TWO, _FOUR, _SIX = np.float32(2), np.float32(4), np.float32(6)
_SIXTH, _TINY = np.float32(1 / 6), np.float32(1e-6)
_RED, _GREEN, _BLUE = np.float32(0.299), np.float32(0.587), np.float32(0.114)  # ITU-R 601, as Pillow's "L"
_SOLARIZE_FROM = np.uint8(128)
_TRUNCATE = 3.0  # sigmas at which the Gaussian ends
_LANES = 32  # numbers one step of a compiled loop takes
_STRIP = 16  # rows transposed at a time: one cache line of float32
_PERMUTATIONS = p.PERMUTATIONS


@numba.njit(nogil=True, fastmath=_FAST, error_model="numpy")
def _bicubic(x):
    x = abs(x)
    if x < 1.0:
        return (1.5 * x - 2.5) * x * x + 1.0
    if x < 2.0:
        return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return 0.0


@numba.njit(nogil=True)
def _radius(sigma):
    return math.ceil(_TRUNCATE * sigma) if sigma > 0 else 0


@numba.njit(nogil=True)
def _taps(source, size, sigma):
    """Return how many source pixels one pixel of the view may depend on."""
    scale = source / size
    reach = math.ceil(4.0 * max(scale, 1.0)) + math.ceil(2.0 * _radius(sigma) * scale)
    return min(source, int(reach))


@numba.njit(nogil=True, fastmath=_FAST, error_model="numpy")
def _axis(source, size, sigma, flip, starts, weights, plain, first):
    """Write the banded matrix of one axis: row i reads weights.shape[1] pixels from starts[i].

    `plain` float64 (size, taps) and `first` int64 (size) hold the resize alone.
    """
    scale = source / size
    stretch = max(scale, 1.0)
    taps = weights.shape[1]
    for i in range(size):
        center = (i + 0.5) * scale
        low = max(int(center - 2.0 * stretch + 0.5), 0)
        high = min(int(center + 2.0 * stretch + 0.5), source)
        low = max(min(low, source - plain.shape[1]), 0)
        total = 0.0
        for k in range(plain.shape[1]):
            weight = _bicubic((low + k - center + 0.5) / stretch) if low + k < high else 0.0
            plain[i, k] = weight
            total += weight
        first[i] = low
        for k in range(plain.shape[1]):
            plain[i, k] /= total
    radius = _radius(sigma)
    gauss = np.empty(radius + 1)
    total = 0.0
    for j in range(radius + 1):
        gauss[j] = math.exp(-0.5 * (j / sigma) ** 2) if j else 1.0
        total += gauss[j] if j == 0 else 2.0 * gauss[j]
    row = np.empty(taps)
    for i in range(size):
        start = min(first[max(i - radius, 0)], source - taps)
        row[:] = 0.0
        for j in range(-radius, radius + 1):
            near = min(max(i + j, 0), size - 1)  # the edge goes on, as in Pillow
            share = gauss[abs(j)] / total
            at = first[near] - start
            for k in range(min(plain.shape[1], taps - at)):
                row[at + k] += share * plain[near, k]
        to = size - 1 - i if flip else i
        starts[to] = start
        for k in range(taps):
            weights[to, k] = row[k]


@numba.njit(nogil=True, fastmath=_FAST)
def _combine(into, rows, at, stride, weights):
    """into[i] = Σ_k weights[k] · rows[at + k·stride + i], six, four, two or one k at a time: few passes over `into`."""
    length, taps = into.shape[0], weights.shape[0]
    into[:] = _ZERO
    k = 0
    while k < taps:
        a = rows[at + k * stride : at + k * stride + length]
        wa = weights[k]
        if k + 2 > taps:
            for i in range(length):
                into[i] += wa * a[i]
            return
        b = rows[at + (k + 1) * stride : at + (k + 1) * stride + length]
        wb = weights[k + 1]
        if k + 4 > taps:
            for i in range(length):
                into[i] += wa * a[i] + wb * b[i]
            k += 2
            continue
        c = rows[at + (k + 2) * stride : at + (k + 2) * stride + length]
        d = rows[at + (k + 3) * stride : at + (k + 3) * stride + length]
        wc, wd = weights[k + 2], weights[k + 3]
        if k + 6 > taps:
            for i in range(length):
                into[i] += wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i]
            k += 4
            continue
        e = rows[at + (k + 4) * stride : at + (k + 4) * stride + length]
        f = rows[at + (k + 5) * stride : at + (k + 5) * stride + length]
        we, wf = weights[k + 4], weights[k + 5]
        for i in range(length):
            into[i] += wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i] + we * e[i] + wf * f[i]
        k += 6


@numba.njit(nogil=True, fastmath=_FAST)
def _blend(red, green, blue, factor, offset, gray_fraction):
    """v ← clip(factor · v + offset + grey_share · grey(v)): brightness, contrast, saturation and grey."""
    for i in range(red.shape[0]):
        r, g, b = red[i], green[i], blue[i]
        add = offset + gray_fraction * (_RED * r + _GREEN * g + _BLUE * b)
        red[i] = min(max(factor * r + add, _ZERO), _TOP)
        green[i] = min(max(factor * g + add, _ZERO), _TOP)
        blue[i] = min(max(factor * b + add, _ZERO), _TOP)


@numba.njit(nogil=True, fastmath=_FAST)
def _mean_gray(red, green, blue):
    total = _ZERO
    for i in range(red.shape[0]):
        total += _RED * red[i] + _GREEN * green[i] + _BLUE * blue[i]
    return total / np.float32(red.shape[0])


@numba.njit(nogil=True, fastmath=_FAST)
def _ramp(hue, top, chroma):
    k = hue - _SIX * np.floor(hue * _SIXTH)
    return top - chroma * max(_ZERO, min(min(k, _FOUR - k), _ONE))


@numba.njit(nogil=True, fastmath=_FAST, error_model="numpy")
def _turn_hue(red, green, blue, turns):
    """Shift the hue of HSV by `turns`, value and saturation kept; no branches, so that it becomes SIMD."""
    shift = np.float32(turns) * _SIX
    for i in range(red.shape[0]):
        r, g, b = red[i], green[i], blue[i]
        top, bottom = max(max(r, g), b), min(min(r, g), b)
        chroma = top - bottom
        inverse = _ONE / max(chroma, _TINY)
        hue_red, hue_green, hue_blue = (g - b) * inverse, _TWO + (b - r) * inverse, _FOUR + (r - g) * inverse
        hue = hue_red if top == r else (hue_green if top == g else hue_blue)
        hue += shift
        red[i] = _ramp(hue + np.float32(5), top, chroma)
        green[i] = _ramp(hue + np.float32(3), top, chroma)
        blue[i] = _ramp(hue + np.float32(1), top, chroma)


@numba.njit(nogil=True, fastmath=_FAST)
def _color(red, green, blue, row):
    """Apply the jitter in its drawn order, each operation clipped as in torchvision, then grey."""
    order = int(row[p.ORDER])
    if order >= 0:
        for at in range(4):
            operation = _PERMUTATIONS[order, at]
            if operation == 3:
                if row[p.HUE] != 0.0:
                    _turn_hue(red, green, blue, row[p.HUE])
                continue
            factor, offset, share = _ONE, _ZERO, _ZERO
            if operation == 0:
                factor = np.float32(row[p.BRIGHTNESS])
            elif operation == 1:
                factor = np.float32(row[p.CONTRAST])
                offset = (_ONE - factor) * _mean_gray(red, green, blue)
            else:
                factor = np.float32(row[p.SATURATION])
                share = _ONE - factor
            _blend(red, green, blue, factor, offset, share)
    if row[p.GRAY] > 0:
        _blend(red, green, blue, _ZERO, _ZERO, _ONE)


@numba.njit(nogil=True, fastmath=_FAST)
def _store(line, out, solarize):
    """Round a line of float32 to uint8, solarized if asked."""
    for i in range(line.shape[0]):
        out[i] = np.uint8(np.int32(min(max(line[i], _ZERO), _TOP) + _HALF))
    if solarize:
        for i in range(line.shape[0]):
            out[i] = np.uint8(255) - out[i] if out[i] >= _SOLARIZE_FROM else out[i]


@numba.njit(nogil=True, fastmath=_FAST)
def _load(image, row, planes):
    """Write the box of `image`, transposed, to planes: planes[(c·width + x)·height + y]."""
    top, left, height, width = int(row[p.TOP]), int(row[p.LEFT]), int(row[p.HEIGHT]), int(row[p.WIDTH])
    for x in range(width):
        for c in range(3):
            line = planes[(c * width + x) * height : (c * width + x + 1) * height]
            for y in range(height):
                line[y] = image[top + y, left + x, c]


@numba.njit(nogil=True)
def _padded(height):
    """Return the length of three columns of `height`, rounded up so that SIMD loops leave no rest."""
    return (3 * height + _LANES - 1) // _LANES * _LANES


@numba.njit(nogil=True, fastmath=_FAST)
def _gather(planes, height, width, columns):
    """Turn planes[c][x][y] into columns[x][c][y], so that one pass resizes all three channels."""
    length = _padded(height)
    for x in range(width):
        for c in range(3):
            columns[x * length + c * height : x * length + (c + 1) * height] = planes[
                (c * width + x) * height : (c * width + x + 1) * height
            ]
        columns[x * length + 3 * height : (x + 1) * length] = _ZERO


@numba.njit(nogil=True, fastmath=_FAST)
def _transpose(wide, height, size, tall, step, jump):
    """Turn wide[x][c][y] into rows tall[y][x·step + c·jump]; whole strips, so up to _STRIP - 1 rows too many."""
    length, row = _padded(height), 3 * size
    for strip in range(0, height, _STRIP):
        for x in range(size):
            for c in range(3):
                at, to = x * length + c * height + strip, strip * row + x * step + c * jump
                for y in range(_STRIP):  # a constant, for the compiler to unroll
                    tall[to + y * row] = wide[at + y]


@numba.njit(nogil=True)
def _banded(source, size, sigma, flip):
    """Return starts (size) and weights (size, taps) of one axis, as `_axis` describes them."""
    taps, plain = _taps(source, size, sigma), np.empty((size, _taps(source, size, 0.0)))
    starts, weights = np.empty(size, np.int64), np.empty((size, taps), np.float32)
    _axis(source, size, sigma, flip, starts, weights, plain, np.empty(size, np.int64))
    return starts, weights


@numba.njit(nogil=True, fastmath=_FAST)
def _down_from_bytes(rows, stride, row, size, columns):
    """Resize along y: rows of bytes of the box become columns[x][c][y] of as many rows as the view has."""
    height, width = int(row[p.HEIGHT]), int(row[p.WIDTH])
    starts, weights = _banded(height, size, 0.0, False)
    first, line, length = int(row[p.TOP]) * stride + 3 * int(row[p.LEFT]), 3 * width, _padded(size)
    strip = np.empty(_STRIP * line, np.float32)
    for begin in range(0, size, _STRIP):
        many = min(_STRIP, size - begin)
        for y in range(many):
            at = first + starts[begin + y] * stride
            _combine(strip[y * line : (y + 1) * line], rows, at, stride, weights[begin + y])
        for x in range(width):
            for c in range(3):
                to, source = x * length + c * size + begin, 3 * x + c
                for y in range(many):
                    columns[to + y] = strip[y * line + source]
    for x in range(width):
        columns[x * length + 3 * size : (x + 1) * length] = _ZERO


@numba.njit(nogil=True, fastmath=_FAST)
def _across(columns, height, row, size, wide):
    """Resize along x: columns[x][c][y] of the box become wide[x][c][y] of the view."""
    starts, weights = _banded(int(row[p.WIDTH]), size, row[p.SIGMA], row[p.FLIP] > 0)
    length = _padded(height)
    for x in range(size):
        _combine(wide[x * length : (x + 1) * length], columns, starts[x] * length, length, weights[x])


@numba.njit(nogil=True, fastmath=_FAST)
def _down(tall, row, size, out):
    """Resize along y and store."""
    starts, weights = _banded(int(row[p.HEIGHT]), size, row[p.SIGMA], False)
    length = 3 * size
    line = np.empty(length, np.float32)
    for y in range(size):
        _combine(line, tall, starts[y] * length, length, weights[y])
        _store(line, out[y * length : (y + 1) * length], row[p.SOLARIZE] > 0)


@numba.njit(nogil=True, fastmath=_FAST)
def _blur_color_store(tall, row, size, planes, out):
    """Blur along y, change the colours and store; tall[y][c][x] has the view's size already."""
    starts, weights = _banded(size, size, row[p.SIGMA], False)
    length, area = 3 * size, size * size
    line = np.empty(length, np.float32)
    for y in range(size):
        _combine(line, tall, starts[y] * length, length, weights[y])
        for c in range(3):
            plane = planes[c * area + y * size : c * area + (y + 1) * size]
            for x in range(size):
                plane[x] = min(max(line[c * size + x], _ZERO), _TOP)
    red, green, blue = planes[:area], planes[area : 2 * area], planes[2 * area : 3 * area]
    _color(red, green, blue, row)
    for y in range(size):
        for x in range(size):
            line[3 * x] = red[y * size + x]
            line[3 * x + 1] = green[y * size + x]
            line[3 * x + 2] = blue[y * size + x]
        _store(line, out[y * length : (y + 1) * length], row[p.SOLARIZE] > 0)


_FLOATS = types.float32[::1]
_BUFFERS = (_FLOATS, _FLOATS, _FLOATS, _FLOATS, types.uint8[::1])
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_SMALL = types.void(types.Array(types.uint8, 3, "A", readonly=True), types.float64[::1], types.int64, *_BUFFERS)
_LARGE = types.void(_BYTES, types.int64, types.float64[::1], types.int64, *_BUFFERS)


def _render_small(image, row, size, planes, columns, wide, tall, out):
    """Render one view of a box with no more pixels than it; see `render.compiled`."""
    height, width = int(row[p.HEIGHT]), int(row[p.WIDTH])
    area = height * width
    _load(image, row, planes)
    _color(planes[:area], planes[area : 2 * area], planes[2 * area : 3 * area], row)
    _gather(planes, height, width, columns)
    _across(columns, height, row, size, wide)
    _transpose(wide, height, size, tall, 3, 1)
    _down(tall, row, size, out)


def _render_large(rows, stride, row, size, planes, columns, wide, tall, out):
    """Render one view of a box with more pixels than it, in an image whose rows are `stride` bytes apart."""
    _down_from_bytes(rows, stride, row, size, columns)
    _across(columns, size, row, size, wide)
    _transpose(wide, size, size, tall, 1, size)
    _blur_color_store(tall, row, size, planes, out)

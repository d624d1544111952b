//! The inner loops: 16 channels of a pixel at a time.
//!
//! A picture of many channels lies as blocks of 16 channels; within a block its pixels follow one another, row by row,
//! and each pixel is 16 numbers (a [`Lane`]). So a pixel's channels are one vector of the processor, or two, or four;
//! neighbours in a row are neighbours in memory; and a convolution over single pixels reads its input as the one before
//! it wrote it.
//!
//! Functions marked `inline(always)` end up in what [`fearless_simd::dispatch`] compiles once for each set of
//! instructions; a call between the two would lose the registers. So would an iterator over vectors: it is a call that
//! may or may not be inlined, and was not (three times slower). Loops over numbers they are, therefore.
#![expect(clippy::needless_range_loop, reason = "see above")]

use fearless_simd::{Level, Simd, SimdBase, SimdFloat, dispatch, f32x16};

/// Channels that are worked at together.
pub(super) const WIDTH: usize = 16;
/// 16 channels of a pixel.
pub(super) type Lane = [f32; WIDTH];
/// A 3 x 3 kernel for each of 16 channels.
pub(super) type Kernel = [Lane; 9];

/// Where pixels lie: block b, pixel p at `data[b * stride + first + p]`.
#[derive(Clone, Copy)]
pub(super) struct Pixels<'a> {
    pub(super) data: &'a [Lane],
    pub(super) stride: usize,
    pub(super) first: usize,
}

/// Where results go: block b, pixel p at `data[b * stride + first + p]`.
pub(super) struct Room<'a> {
    pub(super) data: &'a mut [Lane],
    pub(super) stride: usize,
    pub(super) first: usize,
}

/// What is done to a sum of 16 channels: the bias is added, and what is below zero is multiplied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail {
    pub(super) bias: Lane,
    pub(super) below: Lane,
}

/// A convolution over single pixels.
#[derive(Debug)]
pub(super) struct Pointwise {
    /// For each group of output blocks and each input channel: a lane for each block of the group. A group has as many
    /// blocks as [`group`] says.
    pub(super) weights: Vec<Lane>,
    /// Input channels, a multiple of 16.
    pub(super) inputs: usize,
    /// One for each output block.
    pub(super) tails: Vec<Tail>,
}

/// Output blocks that go through the registers together, when so many are left.
pub(super) fn group(level: Level, left: usize) -> usize {
    match left {
        4.. if wide(level) => 4,
        2.. if wide(level) => 2,
        _ => 1,
    }
}

/// Whether a lane is one register, and there are 32 of them.
#[cfg(target_arch = "x86_64")]
fn wide(level: Level) -> bool {
    level.as_avx512().is_some()
}

#[cfg(not(target_arch = "x86_64"))]
fn wide(_: Level) -> bool {
    false
}

#[inline(always)]
fn load<S: Simd>(simd: S, lane: &Lane) -> f32x16<S> {
    f32x16::load_array_ref(simd, lane)
}

#[inline(always)]
fn bent<S: Simd>(simd: S, x: f32x16<S>, tail: &Tail) -> Lane {
    let zero = f32x16::splat(simd, 0.0);
    let x = x + load(simd, &tail.bias);
    x.min(zero).mul_add(load(simd, &tail.below), x.max(zero)).to_array()
}

/// Convolves `count` pixels.
pub(super) fn pointwise(level: Level, by: &Pointwise, from: Pixels<'_>, to: &mut Room<'_>, count: usize) {
    let (mut weights, mut tails) = (by.weights.as_slice(), by.tails.as_slice());
    while !tails.is_empty() {
        let size = group(level, tails.len());
        let (own, own_tails);
        (own, weights) = weights.split_at(size * by.inputs);
        (own_tails, tails) = tails.split_at(size);
        dispatch!(level, simd => pointwise_group(simd, (own, own_tails), from, to, count));
        to.first += size * to.stride;
    }
}

#[inline(always)]
fn pointwise_group<S: Simd>(simd: S, by: (&[Lane], &[Tail]), from: Pixels<'_>, to: &mut Room<'_>, count: usize) {
    // Sums that are kept in registers: 24 of 32 with AVX-512 and NEON, 12 of 16 with the others.
    match (<S::f32s as SimdBase<S>>::LEN, by.1.len()) {
        (16, 4) => pointwise_tiles::<S, 6, 4>(simd, by, from, to, count),
        (16, 2) => pointwise_tiles::<S, 12, 2>(simd, by, from, to, count),
        (16, _) => pointwise_tiles::<S, 12, 1>(simd, by, from, to, count),
        (8, _) => pointwise_tiles::<S, 6, 1>(simd, by, from, to, count),
        _ if cfg!(target_arch = "aarch64") => pointwise_tiles::<S, 6, 1>(simd, by, from, to, count),
        _ => pointwise_tiles::<S, 3, 1>(simd, by, from, to, count),
    }
}

#[inline(always)]
fn pointwise_tiles<S: Simd, const P: usize, const V: usize>(
    simd: S,
    by: (&[Lane], &[Tail]),
    from: Pixels<'_>,
    to: &mut Room<'_>,
    count: usize,
) {
    if count < P {
        for at in 0..count {
            pointwise_tile::<S, 1, V>(simd, by, from, to, at);
        }
        return;
    }
    for at in (0..count).step_by(P) {
        // The last tile lies partly over the one before it: those pixels come out the same again.
        pointwise_tile::<S, P, V>(simd, by, from, to, at.min(count - P));
    }
}

#[inline(always)]
fn pointwise_tile<S: Simd, const P: usize, const V: usize>(
    simd: S,
    (weights, tails): (&[Lane], &[Tail]),
    from: Pixels<'_>,
    to: &mut Room<'_>,
    at: usize,
) {
    let zero = f32x16::splat(simd, 0.0);
    let mut sums = [[zero; V]; P];
    let channels = weights.as_chunks::<V>().0.as_chunks::<WIDTH>().0;
    for block in 0..channels.len() {
        let first = block * from.stride + from.first + at;
        let Some(pixels) = from.data.get(first..).and_then(|pixels| pixels.first_chunk::<P>()) else { return };
        for channel in 0..WIDTH {
            let mut weights = [zero; V];
            for v in 0..V {
                weights[v] = load(simd, &channels[block][channel][v]);
            }
            for p in 0..P {
                let x = f32x16::splat(simd, pixels[p][channel]);
                for v in 0..V {
                    sums[p][v] = x.mul_add(weights[v], sums[p][v]);
                }
            }
        }
    }
    for v in 0..V {
        let first = v * to.stride + to.first + at;
        let Some(out) = to.data.get_mut(first..).and_then(|pixels| pixels.first_chunk_mut::<P>()) else { return };
        for p in 0..P {
            out[p] = bent(simd, sums[p][v], &tails[v]);
        }
    }
}

/// The rows above, at and below a row; nothing beyond the picture.
pub(super) type Rows<'a> = [Option<&'a [Lane]>; 3];

/// A row of a 3 x 3 convolution of each channel by itself, with a margin of zeros, for one block of channels.
pub(super) fn depthwise(level: Level, kernel: &Kernel, tail: &Tail, stride: usize, rows: Rows<'_>, out: &mut [Lane]) {
    dispatch!(level, simd => match stride {
        1 => depthwise_row::<_, 1>(simd, kernel, tail, rows, out),
        _ => depthwise_row::<_, 2>(simd, kernel, tail, rows, out),
    });
}

/// Results of such a convolution that are worked at together.
const TILE: usize = 4;

#[inline(always)]
fn depthwise_row<S: Simd, const STRIDE: usize>(
    simd: S,
    kernel: &Kernel,
    tail: &Tail,
    rows: Rows<'_>,
    out: &mut [Lane],
) {
    let width = rows[1].map_or(0, <[Lane]>::len);
    // Results from 1 to here have all their neighbours.
    let whole = ((width + STRIDE).saturating_sub(2) / STRIDE).min(out.len());
    let tiled = if whole > TILE { 1..whole } else { 0..0 };
    for at in tiled.clone().step_by(TILE) {
        depthwise_tile::<S, STRIDE>(simd, kernel, tail, rows, out, at.min(whole - TILE));
    }
    for at in 0..out.len() {
        if !tiled.contains(&at) {
            out[at] = depthwise_at::<S, STRIDE>(simd, kernel, tail, rows, at);
        }
    }
}

/// A single result, which may have neighbours beyond the picture.
#[inline(always)]
fn depthwise_at<S: Simd, const STRIDE: usize>(
    simd: S,
    kernel: &Kernel,
    tail: &Tail,
    rows: Rows<'_>,
    at: usize,
) -> Lane {
    let mut sum = f32x16::splat(simd, 0.0);
    for ky in 0..3 {
        let Some(row) = rows[ky] else { continue };
        for kx in 0..3 {
            // Column -1 wraps around, and there is no such column either.
            if let Some(pixel) = row.get((at * STRIDE + kx).wrapping_sub(1)) {
                sum = load(simd, pixel).mul_add(load(simd, &kernel[3 * ky + kx]), sum);
            }
        }
    }
    bent(simd, sum, tail)
}

#[inline(always)]
fn depthwise_tile<S: Simd, const STRIDE: usize>(
    simd: S,
    kernel: &Kernel,
    tail: &Tail,
    rows: Rows<'_>,
    out: &mut [Lane],
    at: usize,
) {
    let mut sums = [f32x16::splat(simd, 0.0); TILE];
    let first = at * STRIDE - 1;
    for ky in 0..3 {
        let Some(row) = rows[ky] else { continue };
        let Some(pixels) = row.get(first..first + (TILE - 1) * STRIDE + 3) else { return };
        for kx in 0..3 {
            let weight = load(simd, &kernel[3 * ky + kx]);
            for t in 0..TILE {
                sums[t] = load(simd, &pixels[t * STRIDE + kx]).mul_add(weight, sums[t]);
            }
        }
    }
    let Some(out) = out.get_mut(at..).and_then(|out| out.first_chunk_mut::<TILE>()) else { return };
    for t in 0..TILE {
        out[t] = bent(simd, sums[t], tail);
    }
}

/// The largest of each square of two by two pixels.
pub(super) fn largest(level: Level, upper: &[Lane], lower: &[Lane], out: &mut [Lane]) {
    dispatch!(level, simd => largest_row(simd, upper, lower, out));
}

#[inline(always)]
fn largest_row<S: Simd>(simd: S, upper: &[Lane], lower: &[Lane], out: &mut [Lane]) {
    let (upper, lower) = (upper.as_chunks::<2>().0, lower.as_chunks::<2>().0);
    for x in 0..out.len().min(upper.len()).min(lower.len()) {
        let (upper, lower) = (&upper[x], &lower[x]);
        let above = load(simd, &upper[0]).max(load(simd, &upper[1]));
        out[x] = above.max(load(simd, &lower[0]).max(load(simd, &lower[1]))).to_array();
    }
}

/// A row, and one of half its width added to it, each pixel twice.
pub(super) fn add_doubled(level: Level, row: &[Lane], half: &[Lane], out: &mut [Lane]) {
    dispatch!(level, simd => add_doubled_row(simd, row, half, out));
}

#[inline(always)]
fn add_doubled_row<S: Simd>(simd: S, row: &[Lane], half: &[Lane], out: &mut [Lane]) {
    let (out, row) = (out.as_chunks_mut::<2>().0, row.as_chunks::<2>().0);
    for x in 0..out.len().min(row.len()).min(half.len()) {
        let half = load(simd, &half[x]);
        out[x] = [(load(simd, &row[x][0]) + half).to_array(), (load(simd, &row[x][1]) + half).to_array()];
    }
}

/// A row of a dense 3 x 3 convolution of a picture of few channels, for one block of output channels. `lines` are
/// equally long rows of the picture, three for each of its channels, with a pixel of margin at both ends; `weights` are
/// three lanes for each of them.
pub(super) fn stem(level: Level, weights: &[Lane], tail: &Tail, stride: usize, lines: &[f32], out: &mut [Lane]) {
    dispatch!(level, simd => match stride {
        1 => stem_row::<_, 1>(simd, weights, tail, lines, out),
        _ => stem_row::<_, 2>(simd, weights, tail, lines, out),
    });
}

#[inline(always)]
fn stem_row<S: Simd, const STRIDE: usize>(simd: S, weights: &[Lane], tail: &Tail, lines: &[f32], out: &mut [Lane]) {
    // Sums in registers, as above; a lane is two registers with AVX2, four with the others.
    match <S::f32s as SimdBase<S>>::LEN {
        16 => stem_tiles::<S, STRIDE, 12>(simd, weights, tail, lines, out),
        8 => stem_tiles::<S, STRIDE, 6>(simd, weights, tail, lines, out),
        _ => stem_tiles::<S, STRIDE, 3>(simd, weights, tail, lines, out),
    }
}

#[inline(always)]
fn stem_tiles<S: Simd, const STRIDE: usize, const P: usize>(
    simd: S,
    weights: &[Lane],
    tail: &Tail,
    lines: &[f32],
    out: &mut [Lane],
) {
    let count = out.len();
    if count < P {
        for at in 0..count {
            stem_tile::<S, STRIDE, 1>(simd, weights, tail, lines, out, at);
        }
        return;
    }
    for at in (0..count).step_by(P) {
        stem_tile::<S, STRIDE, P>(simd, weights, tail, lines, out, at.min(count - P));
    }
}

#[inline(always)]
fn stem_tile<S: Simd, const STRIDE: usize, const P: usize>(
    simd: S,
    weights: &[Lane],
    tail: &Tail,
    lines: &[f32],
    out: &mut [Lane],
    at: usize,
) {
    let mut sums = [f32x16::splat(simd, 0.0); P];
    let weights = weights.as_chunks::<3>().0;
    let long = lines.len() / weights.len().max(1);
    for of_line in 0..weights.len() {
        let first = of_line * long + at * STRIDE;
        let Some(line) = lines.get(first..first + (P - 1) * STRIDE + 3) else { return };
        for kx in 0..3 {
            let weight = load(simd, &weights[of_line][kx]);
            for p in 0..P {
                sums[p] = f32x16::splat(simd, line[p * STRIDE + kx]).mul_add(weight, sums[p]);
            }
        }
    }
    let Some(out) = out.get_mut(at..).and_then(|out| out.first_chunk_mut::<P>()) else { return };
    for p in 0..P {
        out[p] = bent(simd, sums[p], tail);
    }
}

/// The sum of the products of two equally long rows.
pub(super) fn dot(level: Level, a: &[Lane], b: &[Lane]) -> f32 {
    dispatch!(level, simd => dot_row(simd, a, b))
}

#[inline(always)]
fn dot_row<S: Simd>(simd: S, a: &[Lane], b: &[Lane]) -> f32 {
    // Four sums, so that no product waits for the one before it.
    let mut sums = [f32x16::splat(simd, 0.0); 4];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    for at in 0..a.len().min(b.len()) {
        for i in 0..4 {
            sums[i] = load(simd, &a[at][i]).mul_add(load(simd, &b[at][i]), sums[i]);
        }
    }
    for at in 0..a_rest.len().min(b_rest.len()) {
        sums[0] = load(simd, &a_rest[at]).mul_add(load(simd, &b_rest[at]), sums[0]);
    }
    let [a, b, c, d] = sums;
    ((a + b) + (c + d)).to_array().iter().sum()
}

//! The layers of a network, ready to run, and what they do to a picture.

use fearless_simd::Level;

use super::loops::{self, Kernel, Lane, Pixels, Pointwise, Room, Tail, WIDTH};

/// Size of a picture of many channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) channels: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Size {
    /// Blocks of 16 channels; the last one may be filled up with zeros.
    pub(super) fn blocks(self) -> usize {
        self.channels.div_ceil(WIDTH)
    }

    pub(super) fn pixels(self) -> usize {
        self.rows * self.columns
    }

    pub(super) fn lanes(self) -> usize {
        self.blocks() * self.pixels()
    }

    /// The place of a row of a block.
    fn row(self, block: usize, row: usize) -> std::ops::Range<usize> {
        let first = block * self.pixels() + row * self.columns;
        first..first + self.columns
    }

    /// All rows of all blocks.
    fn places(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.blocks()).flat_map(move |block| (0..self.rows).map(move |row| (block, row)))
    }
}

/// A picture of many channels.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) lanes: &'a [Lane],
    pub(super) size: Size,
}

impl View<'_> {
    fn row(&self, block: usize, row: usize) -> &[Lane] {
        &self.lanes[self.size.row(block, row)]
    }
}

/// What a layer works from: the network's own input, and up to two pictures.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) input: &'a [f32],
    pub(super) pictures: [View<'a>; 2],
}

/// Memory for what lives only while a layer runs.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) lanes: Vec<Lane>,
    pub(super) floats: Vec<f32>,
}

/// A 3 x 3 convolution of each channel by itself, with a margin of zeros. One kernel and tail for each block.
pub(super) struct Depthwise {
    pub(super) kernels: Vec<Kernel>,
    pub(super) tails: Vec<Tail>,
    pub(super) stride: usize,
}

impl Depthwise {
    /// Row `y` of a block of the results, from the `rows` rows of the input.
    fn row<'a>(
        &self,
        level: Level,
        (input, rows): (impl Fn(usize) -> &'a [Lane], usize),
        (block, y): (usize, usize),
        out: &mut [Lane],
    ) {
        let middle = y * self.stride;
        let above = middle.checked_sub(1).map(&input);
        let below = (middle + 1 < rows).then(|| input(middle + 1));
        let rows = [above, Some(input(middle)), below];
        loops::depthwise(level, &self.kernels[block], &self.tails[block], self.stride, rows, out);
    }
}

/// The first convolution: 3 x 3 over all channels of the input, with a margin of zeros.
pub(super) struct Stem {
    /// For each block of output channels and each input channel: 9 lanes.
    pub(super) weights: Vec<Lane>,
    pub(super) tails: Vec<Tail>,
    pub(super) stride: usize,
    pub(super) input: Size,
    /// A number x of the input is looked at as x times the first plus the second.
    pub(super) scale: (f32, f32),
}

impl Stem {
    /// Row `y` of all blocks of the results.
    fn row(&self, level: Level, input: &[f32], y: usize, lines: &mut [f32], to: &mut Room<'_>, columns: usize) {
        let lines = &mut lines[..self.line_floats()];
        for (at, line) in lines.chunks_exact_mut(self.input.columns + 2).enumerate() {
            let (channel, row) = (at / 3, (y * self.stride + at % 3).checked_sub(1));
            let row = row.filter(|row| *row < self.input.rows).map(|row| channel * self.input.rows + row);
            let line = &mut line[1..=self.input.columns];
            match row.and_then(|row| input.get(row * self.input.columns..)) {
                Some(from) => {
                    line.iter_mut().zip(from).for_each(|(line, x)| *line = x * self.scale.0 + self.scale.1);
                }
                None => line.fill(0.0),
            }
        }
        let weights = self.weights.chunks_exact(self.input.channels * 9);
        for (block, (weights, tail)) in weights.zip(&self.tails).enumerate() {
            let first = block * to.stride + to.first;
            loops::stem(level, weights, tail, self.stride, lines, &mut to.data[first..first + columns]);
        }
    }

    fn line_floats(&self) -> usize {
        self.input.channels * 3 * (self.input.columns + 2)
    }
}

/// Convolutions that follow one another, row by row, so that what is between them stays near.
pub(super) struct Separable {
    /// What makes the rows that the next one reads, when that is not a picture.
    pub(super) stem: Option<Stem>,
    pub(super) pointwise: Pointwise,
    pub(super) depthwise: Depthwise,
    /// Whether only the largest of each two by two results is kept.
    pub(super) pooled: bool,
    /// Size of what the first makes and the second reads.
    pub(super) between: Size,
}

/// Rows of what is between that are kept: two rows of results read four.
const KEPT: usize = 4;

impl Separable {
    fn scratch_lanes(&self) -> usize {
        (self.between.blocks() * KEPT + self.stem_blocks() + 2) * self.between.columns
    }

    fn stem_blocks(&self) -> usize {
        if self.stem.is_some() { self.pointwise.inputs / WIDTH } else { 0 }
    }

    fn run(&self, level: Level, from: Source<'_>, to: &mut [Lane], out: Size, scratch: &mut Scratch) {
        let Size { rows, columns, .. } = self.between;
        let (ring, rest) = scratch.lanes.split_at_mut(self.between.blocks() * KEPT * columns);
        let (stem, pair) = rest.split_at_mut(self.stem_blocks() * columns);
        let (upper, lower) = pair[..2 * columns].split_at_mut(columns);
        let together = if self.pooled { 2 } else { 1 };
        let mut made = 0;
        for y in 0..out.rows {
            let last = (y * together + together - 1) * self.depthwise.stride;
            while made < (last + 2).min(rows) {
                self.between(level, from, made, (&mut scratch.floats, stem), ring);
                made += 1;
            }
            for block in 0..self.between.blocks() {
                let kept = |row: usize| {
                    let first = (block * KEPT + row % KEPT) * columns;
                    &ring[first..first + columns]
                };
                let out = &mut to[out.row(block, y)];
                if self.pooled {
                    self.depthwise.row(level, (kept, rows), (block, 2 * y), upper);
                    self.depthwise.row(level, (kept, rows), (block, 2 * y + 1), lower);
                    loops::largest(level, upper, lower, out);
                } else {
                    self.depthwise.row(level, (kept, rows), (block, y), out);
                }
            }
        }
    }

    /// Makes row `y` of what is between.
    fn between(&self, level: Level, from: Source<'_>, y: usize, stem: (&mut [f32], &mut [Lane]), ring: &mut [Lane]) {
        let columns = self.between.columns;
        let [View { lanes: data, size }, _] = from.pictures;
        let mut pixels = Pixels { data, stride: size.pixels(), first: y * columns };
        if let Some(first) = &self.stem {
            let (lines, lanes) = stem;
            first.row(level, from.input, y, lines, &mut Room { data: lanes, stride: columns, first: 0 }, columns);
            pixels = Pixels { data: lanes, stride: columns, first: 0 };
        }
        let room = &mut Room { data: ring, stride: KEPT * columns, first: y % KEPT * columns };
        loops::pointwise(level, &self.pointwise, pixels, room, columns);
    }
}

/// Makes one picture of what was before it.
pub(super) enum Layer {
    Stem(Stem),
    Pointwise(Pointwise),
    Depthwise(Depthwise),
    Separable(Separable),
    /// The largest of each two by two pixels.
    Pool,
    /// The picture, and one of half its size added to it.
    AddDoubled,
}

impl Layer {
    /// Makes room for what lives only while this layer runs.
    pub(super) fn prepare(&self, scratch: &mut Scratch) {
        let (lanes, floats) = match self {
            Self::Stem(stem) => (0, stem.line_floats()),
            Self::Separable(both) => (both.scratch_lanes(), both.stem.as_ref().map_or(0, Stem::line_floats)),
            Self::Pointwise(_) | Self::Depthwise(_) | Self::Pool | Self::AddDoubled => (0, 0),
        };
        scratch.lanes.resize(scratch.lanes.len().max(lanes), [0.0; WIDTH]);
        scratch.floats.resize(scratch.floats.len().max(floats), 0.0);
    }

    /// Makes the picture `to` of size `out`.
    pub(super) fn run(&self, level: Level, from: Source<'_>, to: &mut [Lane], out: Size, scratch: &mut Scratch) {
        let [picture, half] = from.pictures;
        match self {
            Self::Separable(both) => both.run(level, from, to, out, scratch),
            Self::Stem(stem) => {
                for y in 0..out.rows {
                    let room = &mut Room { data: to, stride: out.pixels(), first: y * out.columns };
                    stem.row(level, from.input, y, &mut scratch.floats, room, out.columns);
                }
            }
            Self::Pointwise(pointwise) => {
                let pixels = Pixels { data: picture.lanes, stride: picture.size.pixels(), first: 0 };
                let room = &mut Room { data: to, stride: out.pixels(), first: 0 };
                loops::pointwise(level, pointwise, pixels, room, out.pixels());
            }
            Self::Depthwise(depthwise) => {
                for (block, y) in out.places() {
                    let input = |y| picture.row(block, y);
                    depthwise.row(level, (input, picture.size.rows), (block, y), &mut to[out.row(block, y)]);
                }
            }
            Self::Pool => {
                for (block, y) in out.places() {
                    let (upper, lower) = (picture.row(block, 2 * y), picture.row(block, 2 * y + 1));
                    loops::largest(level, upper, lower, &mut to[out.row(block, y)]);
                }
            }
            Self::AddDoubled => {
                for (block, y) in out.places() {
                    let (row, half) = (picture.row(block, y), half.row(block, y / 2));
                    loops::add_doubled(level, row, half, &mut to[out.row(block, y)]);
                }
            }
        }
    }
}

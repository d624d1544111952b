//! What was read, made ready to run: heads side by side, neighbours in one, weights in lanes, memory shared.

use fearless_simd::Level;

use super::layers::{Depthwise, Layer, Separable, Size, Stem};
use super::loops::{self, Kernel, Lane, Pointwise, Tail, WIDTH};
use super::read::{Answer, Picture, Read, Work};

/// Weights of a convolution over single pixels that may be read again for every row.
const FEW_WEIGHTS: usize = 16 * 1024;
/// Columns from which a row is long enough to be worked at by itself.
const LONG_ROW: usize = 20;

/// A layer and its pictures, by their numbers. Number 0 is the network's input.
pub(super) struct Step {
    pub(super) layer: Layer,
    pub(super) from: usize,
    /// A second picture that is read; the first one when there is none.
    pub(super) other: usize,
    pub(super) to: usize,
}

impl Picture {
    fn reads(&self) -> impl Iterator<Item = usize> {
        let half = if let Some(Work::AddDoubled { half }) = self.work { Some(half) } else { None };
        self.work.iter().map(|_| self.from).chain(half)
    }

    fn factors(&self) -> Vec<f32> {
        self.below.clone().unwrap_or_else(|| vec![1.0; self.size.channels])
    }

    fn tails(&self) -> Vec<Tail> {
        let factors = self.factors();
        let blocks = self.bias.chunks(WIDTH).zip(factors.chunks(WIDTH));
        let lane = |values: &[f32]| lane(|at| values.get(at).copied());
        blocks.map(|(bias, below)| Tail { bias: lane(bias), below: lane(below) }).collect()
    }
}

fn lane(value: impl Fn(usize) -> Option<f32>) -> Lane {
    std::array::from_fn(|at| value(at).unwrap_or(0.0))
}

/// How many pictures and answers read each picture.
fn readers(read: &Read) -> Vec<usize> {
    let mut count = vec![0; read.pictures.len()];
    let pictures = read.pictures.iter().flat_map(Picture::reads);
    for picture in pictures.chain(read.answers.iter().map(Answer::picture)) {
        count[picture] += 1;
    }
    count
}

/// Pairs of a convolution over single pixels and one of each channel by itself that end in answers and read the same
/// picture become one pair: four heads of 1, 1, 4 and 10 channels are one of 16, one lane.
pub(super) fn join_heads(read: &mut Read) {
    for (source, group) in heads(read).into_iter().filter(|(_, group)| group.len() > 1) {
        let firsts: Vec<usize> = group.iter().map(|at| read.pictures[*at].from).collect();
        let first = joined(&read.pictures, &firsts, source);
        read.pictures.push(first);
        let second = joined(&read.pictures, &group, read.pictures.len() - 1);
        read.pictures.push(second);
        let mut begin = 0;
        for old in group {
            for answer in &mut read.answers {
                if let Answer::Pixels { picture, first, .. } = answer
                    && *picture == old
                {
                    (*picture, *first) = (read.pictures.len() - 1, begin);
                }
            }
            begin += read.pictures[old].size.channels;
        }
    }
}

/// The second pictures of such pairs, by the picture that they read.
fn heads(read: &Read) -> Vec<(usize, Vec<usize>)> {
    let count = readers(read);
    let mut heads: Vec<(usize, Vec<usize>)> = Vec::new();
    for (at, picture) in read.pictures.iter().enumerate() {
        let first = &read.pictures[picture.from];
        let pair = matches!(picture.work, Some(Work::Depthwise { stride: 1, .. }))
            && matches!(first.work, Some(Work::Pointwise { .. }))
            && count[picture.from] == 1;
        let only_answers = !read.pictures.iter().any(|other| other.reads().any(|read| read == at));
        if !(pair && only_answers) || picture.size.channels.is_multiple_of(WIDTH) {
            continue;
        }
        match heads.iter_mut().find(|(source, _)| *source == first.from) {
            Some((_, group)) => group.push(at),
            None => heads.push((first.from, vec![at])),
        }
    }
    heads
}

fn joined(pictures: &[Picture], group: &[usize], from: usize) -> Picture {
    let of = group.iter().map(|at| &pictures[*at]);
    let numbers = |picture: &Picture| match &picture.work {
        Some(Work::Pointwise { weights } | Work::Depthwise { weights, .. }) => weights.clone(),
        _ => Vec::new(),
    };
    let weights = of.clone().flat_map(numbers).collect();
    let work = match pictures[group[0]].work {
        Some(Work::Depthwise { stride, .. }) => Work::Depthwise { weights, stride },
        _ => Work::Pointwise { weights },
    };
    Picture {
        size: Size { channels: of.clone().map(|picture| picture.size.channels).sum(), ..pictures[group[0]].size },
        work: Some(work),
        from,
        bias: of.clone().flat_map(|picture| picture.bias.clone()).collect(),
        below: Some(of.flat_map(Picture::factors).collect()),
    }
}

/// The layers that lead to the answers, in the order of running.
pub(super) fn steps(level: Level, read: &Read) -> Vec<Step> {
    let count = readers(read);
    let mut wanted = vec![false; read.pictures.len()];
    read.answers.iter().for_each(|answer| wanted[answer.picture()] = true);
    for (at, picture) in read.pictures.iter().enumerate().rev() {
        if wanted[at] {
            picture.reads().for_each(|read| wanted[read] = true);
        }
    }
    let mut steps: Vec<Step> = Vec::new();
    for (to, picture) in read.pictures.iter().enumerate().filter(|(at, _)| wanted[*at]) {
        let Some(layer) = layer(level, picture, read.pictures[picture.from].size) else { continue };
        let step = Step { layer, from: picture.from, other: picture.reads().last().unwrap_or(0), to };
        let step = with_the_one_before(&mut steps, step, &count, read);
        steps.push(step);
    }
    steps
}

/// The step, or one that does the work of those before it as well, which then are no longer among `steps`.
fn with_the_one_before(steps: &mut Vec<Step>, step: Step, count: &[usize], read: &Read) -> Step {
    let only = |before: &Step| before.to == step.from && count[step.from] == 1;
    let Some(at) = steps.iter().position(only) else { return step };
    let Step { layer, from, other, to } = steps.remove(at);
    let between = read.pictures[to].size;
    let as_one = |both| Step { layer: Layer::Separable(both), from, other: from, to: step.to };
    match (layer, step.layer) {
        (Layer::Pointwise(pointwise), Layer::Depthwise(depthwise))
            if pointwise.weights.len() * WIDTH <= FEW_WEIGHTS && between.columns >= LONG_ROW =>
        {
            let both = Separable { stem: None, pointwise, depthwise, pooled: false, between };
            with_the_one_before(steps, as_one(both), count, read)
        }
        (Layer::Stem(stem), Layer::Separable(both)) if both.stem.is_none() => {
            as_one(Separable { stem: Some(stem), ..both })
        }
        (Layer::Separable(both), Layer::Pool) if !both.pooled && both.depthwise.stride == 1 => {
            as_one(Separable { pooled: true, ..both })
        }
        (layer, own) => {
            steps.insert(at, Step { layer, from, other, to });
            Step { layer: own, ..step }
        }
    }
}

fn layer(level: Level, picture: &Picture, from: Size) -> Option<Layer> {
    let (blocks, tails) = (picture.size.blocks(), picture.tails());
    Some(match picture.work.as_ref()? {
        Work::Pointwise { weights } => {
            let inputs = from.blocks() * WIDTH;
            let weights = by_input(level, weights, from.channels, blocks);
            Layer::Pointwise(Pointwise { weights, inputs, tails })
        }
        Work::Depthwise { weights, stride } => {
            let kernel = |block| -> Kernel { std::array::from_fn(|tap| by_output(weights, 9, block, tap)) };
            Layer::Depthwise(Depthwise { kernels: (0..blocks).map(kernel).collect(), tails, stride: *stride })
        }
        Work::Stem { weights, stride, scale } => {
            let taps = from.channels * 9;
            let of_block = |block| (0..taps).map(move |tap| by_output(weights, taps, block, tap));
            let weights = (0..blocks).flat_map(of_block).collect();
            Layer::Stem(Stem { weights, tails, stride: *stride, input: from, scale: *scale })
        }
        Work::Pool => Layer::Pool,
        Work::AddDoubled { .. } => Layer::AddDoubled,
    })
}

/// Weight `at` of `each` of the 16 outputs of a block.
fn by_output(weights: &[f32], each: usize, block: usize, at: usize) -> Lane {
    lane(|output| weights.get((block * WIDTH + output) * each + at).copied())
}

fn by_input(level: Level, weights: &[f32], inputs: usize, blocks: usize) -> Vec<Lane> {
    let all = inputs.next_multiple_of(WIDTH);
    let mut lanes = Vec::with_capacity(all * blocks);
    let mut block = 0;
    while block < blocks {
        let size = loops::group(level, blocks - block);
        for input in 0..all {
            let known = |block| if input < inputs { by_output(weights, inputs, block, input) } else { [0.0; WIDTH] };
            lanes.extend((block..block + size).map(known));
        }
        block += size;
    }
    lanes
}

/// Gives pictures that are never needed together the same memory: the place of each picture, and the lanes of each
/// place.
pub(super) fn places(read: &Read, steps: &[Step]) -> (Vec<usize>, Vec<usize>) {
    let mut last = vec![0; read.pictures.len()];
    for (now, step) in steps.iter().enumerate() {
        (last[step.from], last[step.other]) = (now, now);
    }
    read.answers.iter().for_each(|answer| last[answer.picture()] = usize::MAX);
    let (mut place, mut lanes) = (vec![0; read.pictures.len()], Vec::<usize>::new());
    let mut free: Vec<usize> = Vec::new();
    for (now, step) in steps.iter().enumerate() {
        let needed = read.pictures[step.to].size.lanes();
        // Best a place that is just large enough, else the largest.
        free.sort_by_key(|at| (lanes[*at] < needed, lanes[*at].abs_diff(needed)));
        let at = if free.is_empty() { lanes.len() } else { free.remove(0) };
        lanes.resize(lanes.len().max(at + 1), 0);
        lanes[at] = lanes[at].max(needed);
        place[step.to] = at;
        for picture in [step.from, step.other] {
            if picture != 0 && last[picture] == now && !free.contains(&place[picture]) {
                free.push(place[picture]);
            }
        }
    }
    (place, lanes)
}

//! An ONNX graph as layers. Answers nothing when the graph has anything that is not known here: then another engine
//! has to run it.
//!
//! Known are convolutions over single pixels, 3 x 3 ones of each channel by itself, one dense 3 x 3 at the beginning;
//! behind each of them anything that bends its result at zero (`Relu`, `PRelu`, or the sums of products that `PRelu`
//! was rewritten to); the largest of two by two pixels; a picture of half the size added; and at the end pixels in
//! another order, `Sigmoid`, or one matrix product with the normalisations around it.

use std::collections::BTreeMap;

use tract_onnx::pb::{GraphProto, NodeProto};

use super::layers::Size;
use crate::sense::vision::convert::{Constant, Values, attribute, float, integer, integers, text};

/// What a layer does, with its numbers as the file has them.
#[derive(Debug)]
pub(super) enum Work {
    Stem { weights: Vec<f32>, stride: usize, scale: (f32, f32) },
    Pointwise { weights: Vec<f32> },
    Depthwise { weights: Vec<f32>, stride: usize },
    Pool,
    AddDoubled { half: usize },
}

/// A picture of many channels, and how it is made. Number 0 is the network's own input.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) size: Size,
    pub(super) work: Option<Work>,
    pub(super) from: usize,
    pub(super) bias: Vec<f32>,
    /// A factor for each channel where it is negative.
    pub(super) below: Option<Vec<f32>>,
}

/// An output of the network.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// The channels of each pixel, pixel by pixel.
    Pixels { picture: usize, first: usize, channels: usize, sigmoid: bool },
    /// A matrix product; its columns are in the order channel, row, column.
    Product { picture: usize, weights: Vec<f32>, bias: Vec<f32> },
}

/// What is known of a graph.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) pictures: Vec<Picture>,
    pub(super) answers: Vec<Answer>,
}

/// What a name in the graph stands for.
#[derive(Debug, Clone)]
enum Meaning {
    /// The network's input x as x times the first plus the second.
    Input(f32, f32),
    /// A picture, each channel times a factor where it is positive and one where it is negative.
    Bent {
        picture: usize,
        above: Vec<f32>,
        below: Vec<f32>,
    },
    /// A picture with each pixel four times.
    Doubled(usize),
    /// A picture with factors and summands for its channels.
    Normal {
        picture: usize,
        scale: Vec<f32>,
        shift: Vec<f32>,
    },
    Answer(Answer),
}

impl Answer {
    /// The picture that it is made of.
    pub(super) fn picture(&self) -> usize {
        let (Self::Pixels { picture, .. } | Self::Product { picture, .. }) = self;
        *picture
    }
}

struct Reader {
    constants: BTreeMap<String, Constant>,
    names: BTreeMap<String, Meaning>,
    pictures: Vec<Picture>,
}

/// Reads a graph for an input of `shape`, up to `outputs`.
pub(super) fn read(
    graph: &GraphProto,
    constants: BTreeMap<String, Constant>,
    shape: [usize; 4],
    outputs: &[&str],
) -> Option<Read> {
    let [1, channels, rows, columns] = shape else { return None };
    if shape.contains(&0) {
        return None;
    }
    let mut inputs = graph.input.iter().filter(|input| !constants.contains_key(&input.name));
    let (input, None) = (inputs.next()?, inputs.next()) else { return None };
    let size = Size { channels, rows, columns };
    let picture = Picture { size, work: None, from: 0, bias: Vec::new(), below: None };
    let names = [(input.name.clone(), Meaning::Input(1.0, 0.0))].into();
    let mut reader = Reader { constants, names, pictures: vec![picture] };
    for node in &graph.node {
        if node.op_type == "Constant" {
            continue;
        }
        let meaning = reader.node(node)?;
        reader.names.insert(node.output.first()?.clone(), meaning);
    }
    let answer = |name: &&str| match reader.names.remove(*name) {
        Some(Meaning::Answer(answer)) => Some(answer),
        _ => None,
    };
    let answers = outputs.iter().map(answer).collect::<Option<_>>()?;
    Some(Read { pictures: reader.pictures, answers })
}

impl Reader {
    fn node(&mut self, node: &NodeProto) -> Option<Meaning> {
        let (first, second) = (node.input.first()?, node.input.get(1));
        match (node.op_type.as_str(), second) {
            ("Conv", Some(_)) => self.convolution(node),
            ("Relu", None) => self.bend(first, |_, below| below.fill(0.0)),
            ("PRelu", Some(slope)) => {
                let slope = self.factors(slope, first)?;
                self.bend(first, |_, below| below.iter_mut().zip(&slope).for_each(|(below, slope)| *below *= slope))
            }
            ("Sub", Some(second)) => self.input(first, |(scale, shift), by| (scale, shift - by), second),
            ("Mul", Some(second)) => self.times(first, second),
            ("Add", Some(second)) => self.sum(first, second),
            ("MaxPool", None) => self.pool(node),
            ("Resize", Some(_)) => self.resize(node),
            ("Transpose", None) if integers(node, "perm") == Some(&[0, 2, 3, 1]) => {
                let picture = self.plain(first)?;
                let channels = self.pictures[picture].size.channels;
                Some(Meaning::Answer(Answer::Pixels { picture, first: 0, channels, sigmoid: false }))
            }
            ("Reshape", Some(shape)) => self.reshape(first, shape),
            ("Sigmoid", None) => match self.names.get(first)?.clone() {
                Meaning::Answer(Answer::Pixels { picture, first, channels, sigmoid: false }) => {
                    Some(Meaning::Answer(Answer::Pixels { picture, first, channels, sigmoid: true }))
                }
                _ => None,
            },
            ("BatchNormalization", Some(_)) => self.normalise(node),
            ("Flatten", None) if integer(node, "axis").unwrap_or(1) == 1 => match self.names.get(first)?.clone() {
                normal @ Meaning::Normal { .. } => Some(normal),
                _ => {
                    let picture = self.plain(first)?;
                    let channels = self.pictures[picture].size.channels;
                    Some(Meaning::Normal { picture, scale: vec![1.0; channels], shift: vec![0.0; channels] })
                }
            },
            ("Gemm", Some(weights)) => self.product(node, weights),
            _ => None,
        }
    }

    fn floats(&self, name: &str) -> Option<&[f32]> {
        self.constants.get(name)?.as_floats()
    }

    /// One factor for each channel of what `of` stands for.
    fn factors(&self, name: &str, of: &str) -> Option<Vec<f32>> {
        let Meaning::Bent { above, .. } = self.names.get(of)? else { return None };
        let constant = self.constants.get(name)?;
        let values = constant.as_floats()?;
        match (values, constant.dims.as_slice()) {
            ([one], _) => Some(vec![*one; above.len()]),
            (_, [channels, 1, 1] | [1, channels, 1, 1]) if *channels == above.len() => Some(values.to_vec()),
            _ => None,
        }
    }

    fn bend(&self, name: &str, change: impl FnOnce(&mut [f32], &mut [f32])) -> Option<Meaning> {
        let mut meaning = self.names.get(name)?.clone();
        let Meaning::Bent { above, below, .. } = &mut meaning else { return None };
        // What is positive stays positive and the other way round, or the next bend would mean something else.
        if above.iter().chain(below.iter()).any(|factor| *factor < 0.0) {
            return None;
        }
        change(above, below);
        Some(meaning)
    }

    fn input(&self, name: &str, change: impl FnOnce((f32, f32), f32) -> (f32, f32), by: &str) -> Option<Meaning> {
        let Meaning::Input(scale, shift) = self.names.get(name)? else { return None };
        let [by] = self.floats(by)? else { return None };
        let (scale, shift) = change((*scale, *shift), *by);
        Some(Meaning::Input(scale, shift))
    }

    fn times(&self, first: &str, second: &str) -> Option<Meaning> {
        if matches!(self.names.get(first)?, Meaning::Input(..)) {
            return self.input(first, |(scale, shift), by| (scale * by, shift * by), second);
        }
        let factors = self.factors(second, first)?;
        let Meaning::Bent { picture, mut above, mut below } = self.names.get(first)?.clone() else { return None };
        for side in [&mut above, &mut below] {
            side.iter_mut().zip(&factors).for_each(|(side, factor)| *side *= factor);
        }
        Some(Meaning::Bent { picture, above, below })
    }

    fn sum(&mut self, first: &str, second: &str) -> Option<Meaning> {
        match (self.names.get(first)?.clone(), self.names.get(second)?.clone()) {
            (Meaning::Bent { .. }, Meaning::Doubled(half)) => self.add_doubled(first, half),
            (Meaning::Doubled(half), Meaning::Bent { .. }) => self.add_doubled(second, half),
            (
                Meaning::Bent { picture, mut above, mut below },
                Meaning::Bent { picture: same, above: more_above, below: more_below },
            ) if picture == same => {
                above.iter_mut().zip(more_above).for_each(|(above, more)| *above += more);
                below.iter_mut().zip(more_below).for_each(|(below, more)| *below += more);
                Some(Meaning::Bent { picture, above, below })
            }
            _ => None,
        }
    }

    fn add_doubled(&mut self, picture: &str, half: usize) -> Option<Meaning> {
        let from = self.plain(picture)?;
        let (size, doubled) = (self.pictures[from].size, self.pictures[half].size);
        if (Size { rows: 2 * doubled.rows, columns: 2 * doubled.columns, ..doubled }) != size {
            return None;
        }
        self.made(size, Work::AddDoubled { half }, from, Vec::new())
    }

    /// The picture that a name stands for, which from now on is bent as the name says.
    fn plain(&mut self, name: &str) -> Option<usize> {
        let Meaning::Bent { picture, above, below } = self.names.get(name)? else { return None };
        if above.iter().any(|above| (above - 1.0).abs() > 1e-6) {
            return None;
        }
        let known = &mut self.pictures[*picture].below;
        match known {
            Some(known) => (known == below).then_some(*picture),
            None => {
                *known = Some(below.clone());
                Some(*picture)
            }
        }
    }

    fn made(&mut self, size: Size, work: Work, from: usize, bias: Vec<f32>) -> Option<Meaning> {
        if size.lanes() == 0 {
            return None;
        }
        // Only convolutions can bend what they make.
        let fixed = matches!(work, Work::Pool | Work::AddDoubled { .. });
        let below = fixed.then(|| vec![1.0; size.channels]);
        self.pictures.push(Picture { size, work: Some(work), from, bias, below });
        let ones = vec![1.0; size.channels];
        Some(Meaning::Bent { picture: self.pictures.len() - 1, above: ones.clone(), below: ones })
    }

    fn convolution(&mut self, node: &NodeProto) -> Option<Meaning> {
        let (input, weights_name) = (node.input.first()?, node.input.get(1)?);
        let constant = self.constants.get(weights_name)?;
        let [outputs, each, height, width] = *constant.dims.as_slice() else { return None };
        let weights = constant.as_floats()?.to_vec();
        let bias = match node.input.get(2) {
            Some(bias) => self.floats(bias)?.to_vec(),
            None => vec![0.0; outputs],
        };
        let scale = match self.names.get(input)? {
            Meaning::Input(scale, shift) => Some((*scale, *shift)),
            _ => None,
        };
        let from = if scale.is_some() { 0 } else { self.plain(input)? };
        let size = self.pictures[from].size;
        let groups = integer(node, "group").unwrap_or(1);
        let stride = match integers(node, "strides") {
            None | Some([1, 1]) => 1,
            Some([2, 2]) => 2,
            Some(_) => return None,
        };
        let pads = integers(node, "pads").unwrap_or(&[0; 4]);
        let spread = integers(node, "dilations").is_some_and(|by| by != [1, 1]);
        if spread || attribute(node, "auto_pad").is_some() || bias.len() != outputs {
            return None;
        }
        let made = Size { channels: outputs, rows: size.rows.div_ceil(stride), columns: size.columns.div_ceil(stride) };
        let alone = usize::try_from(groups) == Ok(size.channels) && outputs == size.channels && each == 1;
        let work = match (height, width, pads, scale) {
            (1, 1, [0, 0, 0, 0], None) if groups == 1 && stride == 1 && each == size.channels => {
                Work::Pointwise { weights }
            }
            (3, 3, [1, 1, 1, 1], None) if alone => Work::Depthwise { weights, stride },
            (3, 3, [1, 1, 1, 1], Some(scale)) if groups == 1 && each == size.channels => {
                Work::Stem { weights, stride, scale }
            }
            _ => return None,
        };
        self.made(made, work, from, bias)
    }

    fn pool(&mut self, node: &NodeProto) -> Option<Meaning> {
        let two = Some([2, 2].as_slice());
        let plain = ["ceil_mode", "storage_order"].iter().all(|name| integer(node, name).unwrap_or(0) == 0)
            && integers(node, "pads").is_none_or(|pads| pads.iter().all(|pad| *pad == 0))
            && integers(node, "dilations").is_none_or(|by| by == [1, 1])
            && attribute(node, "auto_pad").is_none();
        if integers(node, "kernel_shape") != two || integers(node, "strides") != two || !plain {
            return None;
        }
        let from = self.plain(node.input.first()?)?;
        let size = self.pictures[from].size;
        let made = Size { rows: size.rows / 2, columns: size.columns / 2, ..size };
        self.made(made, Work::Pool, from, Vec::new())
    }

    fn resize(&mut self, node: &NodeProto) -> Option<Meaning> {
        let scales = self.floats(node.input.get(2)?)?;
        let nearest = text(node, "mode") == Some("nearest")
            && text(node, "coordinate_transformation_mode") == Some("asymmetric")
            && text(node, "nearest_mode") == Some("floor");
        if scales != [1.0, 1.0, 2.0, 2.0] || node.input.len() > 3 || !nearest {
            return None;
        }
        Some(Meaning::Doubled(self.plain(node.input.first()?)?))
    }

    /// Pixels as rows of their channels; anything else is not known here.
    fn reshape(&self, name: &str, shape: &str) -> Option<Meaning> {
        let Meaning::Answer(answer @ Answer::Pixels { channels, .. }) = self.names.get(name)? else { return None };
        let Values::Whole(shape) = &self.constants.get(shape)?.values else { return None };
        let channels = i64::try_from(*channels).ok()?;
        (shape.as_slice() == [1, -1, channels]).then(|| Meaning::Answer(answer.clone()))
    }

    /// Scale and shift of each channel of a normalisation.
    fn norm(&self, node: &NodeProto) -> Option<(Vec<f32>, Vec<f32>)> {
        let [_, gamma, beta, mean, variance] = node.input.as_slice() else { return None };
        let epsilon = float(node, "epsilon").unwrap_or(1e-5);
        let (gamma, beta) = (self.floats(gamma)?, self.floats(beta)?);
        let (mean, variance) = (self.floats(mean)?, self.floats(variance)?);
        let scale: Vec<f32> = gamma.iter().zip(variance).map(|(gamma, v)| gamma / (v + epsilon).sqrt()).collect();
        let shift: Vec<f32> = beta.iter().zip(mean).zip(&scale).map(|((beta, mean), s)| beta - mean * s).collect();
        (scale.len() == beta.len() && shift.len() == gamma.len()).then_some((scale, shift))
    }

    fn normalise(&mut self, node: &NodeProto) -> Option<Meaning> {
        let (scale, shift) = self.norm(node)?;
        let name = node.input.first()?;
        if let Meaning::Answer(Answer::Product { .. }) = self.names.get(name)? {
            let Some(Meaning::Answer(Answer::Product { picture, mut weights, mut bias })) = self.names.remove(name)
            else {
                return None;
            };
            if bias.len() != scale.len() || bias.is_empty() {
                return None;
            }
            let each = (weights.len() / bias.len()).max(1);
            weights.chunks_exact_mut(each).zip(&scale).for_each(|(row, s)| row.iter_mut().for_each(|w| *w *= s));
            bias.iter_mut().zip(scale.iter().zip(&shift)).for_each(|(bias, (s, t))| *bias = *bias * s + t);
            return Some(Meaning::Answer(Answer::Product { picture, weights, bias }));
        }
        let picture = self.plain(name)?;
        (self.pictures[picture].size.channels == scale.len()).then_some(Meaning::Normal { picture, scale, shift })
    }

    fn product(&mut self, node: &NodeProto, weights: &str) -> Option<Meaning> {
        let Meaning::Normal { picture, scale, shift } = self.names.remove(node.input.first()?)? else { return None };
        let ones = ["alpha", "beta"].iter().all(|name| float(node, name).unwrap_or(1.0) == 1.0);
        if integer(node, "transB") != Some(1) || integer(node, "transA").unwrap_or(0) != 0 || !ones {
            return None;
        }
        let size = self.pictures[picture].size;
        let bias = node.input.get(2).map(|bias| self.floats(bias).map(<[f32]>::to_vec));
        // The largest constant by far, which nothing else reads.
        let constant = self.constants.remove(weights)?;
        let ([outputs, each], Values::Floats(mut weights)) = (constant.dims.as_slice(), constant.values) else {
            return None;
        };
        let mut bias = bias.unwrap_or_else(|| Some(vec![0.0; *outputs]))?;
        if *each != size.channels * size.pixels() || bias.len() != *outputs || bias.is_empty() {
            return None;
        }
        for (row, bias) in weights.chunks_exact_mut(*each).zip(&mut bias) {
            let channels = row.chunks_exact_mut(size.pixels()).zip(scale.iter().zip(&shift));
            for (channel, (scale, shift)) in channels {
                *bias += channel.iter().sum::<f32>() * shift;
                channel.iter_mut().for_each(|weight| *weight *= scale);
            }
        }
        Some(Meaning::Answer(Answer::Product { picture, weights, bias }))
    }
}

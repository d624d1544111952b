//! Small convolutional networks, run 16 channels at a time.
//!
//! The face networks are chains of a few kinds of layers, and an engine for any graph leaves much of what a processor
//! can do with those: see docs/decisions/2026-11-28-network-speed.md. A graph of nothing else than these kinds (`read`)
//! is put in order once (`plan`) and run here; any other graph is not known here and belongs to the general engine.
//!
//! On one thread, in memory that is made once. Pictures in it are overwritten by the next run's and when the network
//! goes; what the input and the outputs were is overwritten at the end of each run.

use std::collections::BTreeMap;

use fearless_simd::Level;
use prost::Message;
use tract_onnx::pb::ModelProto;

mod layers;
mod loops;
mod plan;
mod read;
#[cfg(test)]
mod tests;

use self::layers::{Scratch, Size, Source, View};
use self::loops::{Lane, WIDTH};
use self::plan::Step;
use self::read::Answer;
use super::convert::Constant;
use crate::types::wipe;

/// A network, ready to run.
pub(super) struct ConvNet {
    level: Level,
    steps: Vec<Step>,
    pictures: Pictures,
    scratch: Scratch,
    ends: Vec<End>,
    results: Vec<Vec<f32>>,
}

/// Where every picture lies.
struct Pictures {
    sizes: Vec<Size>,
    place: Vec<usize>,
    places: Vec<Vec<Lane>>,
}

/// How an output comes from a picture.
enum End {
    /// Some channels of each pixel, pixel by pixel.
    Pixels { picture: usize, first: usize, channels: usize, sigmoid: bool },
    /// A matrix product; its rows lie as the picture does.
    Product { picture: usize, rows: Vec<Lane>, bias: Vec<f32> },
}

impl ConvNet {
    /// Makes an ONNX file ready for inputs of `shape` (pictures, channels, rows, columns). Nothing when the bytes are
    /// no file of a network that is known here, or the processor has no vectors.
    pub(super) fn load(model: &[u8], shape: [usize; 4], outputs: &[&str]) -> Option<Self> {
        let level = Level::new();
        if level.is_fallback() {
            return None;
        }
        Self::load_for(level, model, shape, outputs)
    }

    fn load_for(level: Level, model: &[u8], shape: [usize; 4], outputs: &[&str]) -> Option<Self> {
        let mut graph = ModelProto::decode(model).ok()?.graph?;
        let mut constants = BTreeMap::new();
        for tensor in std::mem::take(&mut graph.initializer) {
            constants.insert(tensor.name.clone(), Constant::read(&tensor).ok()?);
        }
        let mut read = read::read(&graph, constants, shape, outputs)?;
        plan::join_heads(&mut read);
        let steps = plan::steps(level, &read);
        let (place, lanes) = plan::places(&read, &steps);
        let mut scratch = Scratch::default();
        steps.iter().for_each(|step| step.layer.prepare(&mut scratch));
        let sizes: Vec<Size> = read.pictures.iter().map(|picture| picture.size).collect();
        let ends: Vec<End> = read.answers.into_iter().map(|answer| End::new(answer, &sizes)).collect();
        let places = lanes.iter().map(|lanes| vec![[0.0; WIDTH]; *lanes]).collect();
        let results = ends.iter().map(|_| Vec::new()).collect();
        Some(Self { level, steps, pictures: Pictures { sizes, place, places }, scratch, ends, results })
    }

    /// Runs the network over one input, as long as its shape says, and shows `look` its outputs.
    pub(super) fn run<R>(&mut self, input: &[f32], look: impl FnOnce(&[&[f32]]) -> R) -> R {
        let Self { level, steps, pictures, scratch, ends, results } = self;
        for step in steps {
            let (size, place) = (pictures.sizes[step.to], pictures.place[step.to]);
            let mut lanes = std::mem::take(&mut pictures.places[place]);
            let source = Source { input, pictures: [pictures.view(step.from), pictures.view(step.other)] };
            step.layer.run(*level, source, &mut lanes[..size.lanes()], size, scratch);
            pictures.places[place] = lanes;
        }
        for (end, result) in ends.iter().zip(&mut *results) {
            result.clear();
            end.run(*level, pictures, result);
        }
        let views: Vec<&[f32]> = results.iter().map(Vec::as_slice).collect();
        let seen = look(&views);
        wipe(&mut scratch.floats);
        results.iter_mut().for_each(|result| wipe(result));
        seen
    }
}

impl Drop for ConvNet {
    fn drop(&mut self) {
        wipe(&mut self.scratch.lanes);
        self.pictures.places.iter_mut().for_each(|place| wipe(place));
    }
}

impl Pictures {
    /// The network's input, number 0, is none of them.
    fn view(&self, picture: usize) -> View<'_> {
        let size = self.sizes[picture];
        let lanes = if picture == 0 { &[] } else { &self.places[self.place[picture]][..size.lanes()] };
        View { lanes, size }
    }
}

impl End {
    fn new(answer: Answer, sizes: &[Size]) -> Self {
        match answer {
            Answer::Pixels { picture, first, channels, sigmoid } => Self::Pixels { picture, first, channels, sigmoid },
            Answer::Product { picture, weights, bias } => {
                let size = sizes[picture];
                let mut rows = Vec::with_capacity(bias.len() * size.lanes());
                for row in weights.chunks_exact(size.channels * size.pixels()) {
                    for (block, pixel) in (0..size.lanes()).map(|at| (at / size.pixels(), at % size.pixels())) {
                        let weight = |at| row.get((block * WIDTH + at) * size.pixels() + pixel).copied();
                        rows.push(std::array::from_fn(|at| weight(at).unwrap_or(0.0)));
                    }
                }
                Self::Product { picture, rows, bias }
            }
        }
    }

    fn run(&self, level: Level, pictures: &Pictures, result: &mut Vec<f32>) {
        match self {
            Self::Pixels { picture, first, channels, sigmoid } => {
                let View { lanes, size } = pictures.view(*picture);
                for pixel in 0..size.pixels() {
                    let value = |channel: usize| lanes[channel / WIDTH * size.pixels() + pixel][channel % WIDTH];
                    result.extend((*first..first + channels).map(value));
                }
                if *sigmoid {
                    result.iter_mut().for_each(|value| *value = 1.0 / (1.0 + (-*value).exp()));
                }
            }
            Self::Product { picture, rows, bias } => {
                let lanes = pictures.view(*picture).lanes;
                let rows = rows.chunks_exact(lanes.len());
                result.extend(rows.zip(bias).map(|(row, bias)| loops::dot(level, row, lanes) + bias));
            }
        }
    }
}

//! The inference engines: the one file that runs networks.
//!
//! A network of nothing but the layers that the face networks have is run by `convnet`, any other by the general
//! engine. One network, one picture at a time, one thread: a run is synchronous and takes from a millisecond to a fifth
//! of a second, so it belongs on a thread of its own. What runs between input and output of the general engine is its
//! memory and is freed, not overwritten.

use tract_onnx::prelude::{
    Datum, Framework, InferenceFact, InferenceModelExt, IntoRunnable, Tensor, TractResult, TypedSimpleState, tvec,
};

use super::convnet::ConvNet;

/// A network, ready to run.
pub struct Network {
    runner: Runner,
    shape: [usize; 4],
}

enum Runner {
    Convolutions(Box<ConvNet>),
    General(Box<General>),
}

/// A network in the general engine.
pub(super) struct General {
    state: TypedSimpleState,
    shape: [usize; 4],
    outputs: usize,
}

/// What the engine said.
#[derive(Debug, thiserror::Error)]
#[error("{step}")]
pub struct NetworkError {
    step: &'static str,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

fn at<T>(step: &'static str, result: TractResult<T>) -> Result<T, NetworkError> {
    result.map_err(|source| NetworkError { step, source: source.into() })
}

impl Network {
    /// Reads an ONNX file and makes it ready for inputs of `shape` (pictures, channels, rows, columns). Outputs come in
    /// the order of `outputs`. Takes 40 to 250 ms for face networks.
    ///
    /// # Errors
    ///
    /// When the bytes are no network that the engine knows how to run, or it has no such output.
    pub fn load(model: &[u8], shape: [usize; 4], outputs: &[&str]) -> Result<Self, NetworkError> {
        let runner = match ConvNet::load(model, shape, outputs) {
            Some(known) => Runner::Convolutions(Box::new(known)),
            None => Runner::General(Box::new(General::load(model, shape, outputs)?)),
        };
        Ok(Self { runner, shape })
    }

    /// How many numbers an input has.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Runs the network over one input and shows `look` its outputs.
    ///
    /// # Errors
    ///
    /// When `input` has not [`Self::input_len`] numbers, or the engine fails.
    pub fn run<R>(&mut self, input: &[f32], look: impl FnOnce(&[&[f32]]) -> R) -> Result<R, NetworkError> {
        match &mut self.runner {
            Runner::Convolutions(network) if input.len() == self.shape.iter().product::<usize>() => {
                Ok(network.run(input, look))
            }
            Runner::Convolutions(_) => Err(NetworkError {
                step: "giving the network its input",
                source: format!("{} numbers are not as many as {:?} has", input.len(), self.shape).into(),
            }),
            Runner::General(network) => network.run(input, look),
        }
    }
}

impl General {
    pub(super) fn load(model: &[u8], shape: [usize; 4], outputs: &[&str]) -> Result<Self, NetworkError> {
        let engine = tract_onnx::onnx();
        let graph = at("reading the network", engine.model_for_read(&mut &*model))?;
        let graph = at("naming its outputs", graph.with_outputs_by_name(outputs))?;
        let fact = InferenceFact::dt_shape(f32::datum_type(), shape);
        let graph = at("setting the shape of its input", graph.with_input_fact(0, fact))?;
        let graph = at("optimising the network", graph.into_optimized())?;
        let plan = at("making the network ready", graph.into_runnable())?;
        let state = at("making the network ready", plan.spawn())?;
        Ok(Self { state, shape, outputs: outputs.len() })
    }

    pub(super) fn run<R>(&mut self, input: &[f32], look: impl FnOnce(&[&[f32]]) -> R) -> Result<R, NetworkError> {
        let input = at("giving the network its input", Tensor::from_shape(&self.shape, input))?;
        let outputs = at("running the network", self.state.run(tvec!(input.into())))?;
        let views: TractResult<Vec<&[f32]>> =
            outputs.iter().take(self.outputs).map(|output| output.try_as_plain_ram()?.as_slice::<f32>()).collect();
        Ok(look(&at("reading its outputs", views)?))
    }
}

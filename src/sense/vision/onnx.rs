//! The inference engine: the one file that runs networks.
//!
//! One network, one picture at a time, one thread: a run is synchronous and takes from a millisecond to a fifth of a
//! second, so it belongs on a thread of its own. What runs between input and output is the engine's memory and is
//! freed, not overwritten.

use tract_onnx::prelude::{
    Datum, Framework, InferenceFact, InferenceModelExt, IntoRunnable, Tensor, TractResult, TypedSimpleState, tvec,
};

/// A network, ready to run.
pub struct Network {
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
        let input = at("giving the network its input", Tensor::from_shape(&self.shape, input))?;
        let outputs = at("running the network", self.state.run(tvec!(input.into())))?;
        let views: TractResult<Vec<&[f32]>> =
            outputs.iter().take(self.outputs).map(|output| output.try_as_plain_ram()?.as_slice::<f32>()).collect();
        Ok(look(&at("reading its outputs", views)?))
    }
}

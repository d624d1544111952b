//! One-time rewrites of published graphs into ones that the engine runs, and runs well.
//!
//! Input and output are ONNX files. What is done, in this order, and why:
//!
//! 1. Weights that are stored as blocks of 8-bit numbers (`DequantizeLinear` with `block_size`, then `Reshape`) become
//!    32-bit floats: no engine at hand loads the blocks. ONNX operator `DequantizeLinear`, version 21.
//! 2. `Dropout` goes: it does nothing when a network is used.
//! 3. `BatchNormalization` behind a convolution is worked into the convolution's weights.
//! 4. `PRelu(x)` with slope a becomes a·x + (1 − a)·`Relu`(x), for which the engine has fast kernels.
//! 5. Outputs lose their written sizes, so that a detector can be loaded for any size of input.
//!
//! A `TensorFlow` Lite file becomes an ONNX one whose pictures have their channels first; its `PRelu`s stay, because
//! the engine gains nothing by their rewriting there.
//!
//! The same bytes in give the same bytes out, so that the result has a digest as well.

use std::collections::{BTreeMap, BTreeSet};

mod from_tflite;

use prost::Message;
use tract_onnx::pb::tensor_shape_proto::Dimension;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    attribute_proto, tensor_shape_proto, type_proto,
};

use super::tflite::TfliteError;

const FLOAT: i32 = 1;
const UINT8: i32 = 2;
const INT8: i32 = 3;
const INT32: i32 = 6;
const INT64: i32 = 7;
/// The operator set of the result: the first that has all that is left, per-channel constants included.
const OPERATOR_SET: i64 = 13;
/// The file format of the result.
const IR_VERSION: i64 = 8;

/// Why a graph cannot be rewritten.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The bytes are no ONNX file.
    #[error("this is no ONNX file")]
    NotOnnx(#[source] prost::DecodeError),
    /// The bytes are no TensorFlow Lite file, or of a network that is not known here.
    #[error("this TensorFlow Lite file cannot be converted")]
    Tflite(#[from] TfliteError),
    /// The file has no graph.
    #[error("the ONNX file has no graph")]
    NoGraph,
    /// A tensor is not of the kind that is expected there.
    #[error("tensor {name:?} {what}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// A published graph, of an ONNX or a `TensorFlow` Lite file, as one that the engine runs.
///
/// # Errors
///
/// When the bytes are neither, or hold something that is not known here.
pub fn convert(published: &[u8]) -> Result<Vec<u8>, ConvertError> {
    if published.get(4..8) == Some(b"TFL3") {
        return Ok(as_model(from_tflite::graph(&super::tflite::read(published)?)?).encode_to_vec());
    }
    let mut model = ModelProto::decode(published).map_err(ConvertError::NotOnnx)?;
    let graph = model.graph.take().ok_or(ConvertError::NoGraph)?;
    let mut work = Work::read(graph)?;
    work.unfold()?;
    work.drop_dropout();
    work.fold_batch_normalisation()?;
    work.prelu_as_relu()?;
    Ok(as_model(work.finish()).encode_to_vec())
}

/// The same network for inputs of one size, as other engines want it written.
///
/// # Errors
///
/// When the bytes are no ONNX file.
pub fn for_size(model: &[u8], [pictures, channels, rows, columns]: [u32; 4]) -> Result<Vec<u8>, ConvertError> {
    let mut model = ModelProto::decode(model).map_err(ConvertError::NotOnnx)?;
    let graph = model.graph.as_mut().ok_or(ConvertError::NoGraph)?;
    let size = |size: u32| Dimension {
        value: Some(tensor_shape_proto::dimension::Value::DimValue(size.into())),
        ..Dimension::default()
    };
    for input in &mut graph.input {
        if let Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), .. }) = &mut input.r#type {
            tensor.shape = Some(TensorShapeProto { dim: [pictures, channels, rows, columns].map(size).to_vec() });
        }
    }
    Ok(model.encode_to_vec())
}

fn as_model(graph: GraphProto) -> ModelProto {
    ModelProto {
        ir_version: IR_VERSION,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPERATOR_SET }],
        graph: Some(graph),
        ..ModelProto::default()
    }
}

/// A constant of the graph.
#[derive(Debug, Clone)]
pub(super) struct Constant {
    pub(super) dims: Vec<usize>,
    pub(super) values: Values,
}

/// Its numbers.
#[derive(Debug, Clone)]
pub(super) enum Values {
    Floats(Vec<f32>),
    Whole(Vec<i64>),
}

impl Constant {
    fn floats(dims: Vec<usize>, values: Vec<f32>) -> Self {
        Self { dims, values: Values::Floats(values) }
    }

    pub(super) fn read(tensor: &TensorProto) -> Result<Self, ConvertError> {
        let wrong = |what| ConvertError::Tensor { name: tensor.name.clone(), what };
        let dims: Vec<usize> = tensor
            .dims
            .iter()
            .map(|dim| usize::try_from(*dim))
            .collect::<Result<_, _>>()
            .map_err(|_| wrong("has a negative size"))?;
        let values = match tensor.data_type {
            FLOAT if tensor.raw_data.is_empty() => Values::Floats(tensor.float_data.clone()),
            FLOAT => Values::Floats(words(&tensor.raw_data).map(f32::from_le_bytes).collect()),
            INT64 if tensor.raw_data.is_empty() => Values::Whole(tensor.int64_data.clone()),
            INT64 => Values::Whole(words(&tensor.raw_data).map(i64::from_le_bytes).collect()),
            INT32 if !tensor.raw_data.is_empty() => {
                Values::Whole(words(&tensor.raw_data).map(|word| i64::from(i32::from_le_bytes(word))).collect())
            }
            UINT8 if !tensor.raw_data.is_empty() => {
                Values::Whole(tensor.raw_data.iter().map(|byte| i64::from(*byte)).collect())
            }
            INT8 if !tensor.raw_data.is_empty() => {
                Values::Whole(tensor.raw_data.iter().map(|byte| i64::from(byte.cast_signed())).collect())
            }
            INT32 | UINT8 | INT8 => Values::Whole(tensor.int32_data.iter().map(|value| i64::from(*value)).collect()),
            _ => return Err(wrong("is of a kind of number that is not known here")),
        };
        let constant = Self { dims, values };
        let expected = constant.dims.iter().try_fold(1_usize, |all, dim| all.checked_mul(*dim));
        if expected == Some(constant.len()) { Ok(constant) } else { Err(wrong("has not as many numbers as its shape")) }
    }

    fn len(&self) -> usize {
        match &self.values {
            Values::Floats(values) => values.len(),
            Values::Whole(values) => values.len(),
        }
    }

    pub(super) fn as_floats(&self) -> Option<&[f32]> {
        match &self.values {
            Values::Floats(values) => Some(values),
            Values::Whole(_) => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "8-bit weights")]
    fn float_at(&self, at: usize) -> f32 {
        match &self.values {
            Values::Floats(values) => values[at],
            Values::Whole(values) => values[at] as f32,
        }
    }

    pub(super) fn write(&self, name: String) -> TensorProto {
        #[expect(clippy::cast_possible_wrap, reason = "a size that was read from an i64")]
        let dims = self.dims.iter().map(|dim| *dim as i64).collect();
        let (data_type, raw_data) = match &self.values {
            Values::Floats(values) => (FLOAT, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Values::Whole(values) => (INT64, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        };
        TensorProto { name, dims, data_type, raw_data, ..TensorProto::default() }
    }
}

/// Little-endian words of N bytes.
fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// A graph that is being rewritten.
struct Work {
    graph: GraphProto,
    constants: BTreeMap<String, Constant>,
}

impl Work {
    fn read(mut graph: GraphProto) -> Result<Self, ConvertError> {
        let mut constants = BTreeMap::new();
        for tensor in std::mem::take(&mut graph.initializer) {
            constants.insert(tensor.name.clone(), Constant::read(&tensor)?);
        }
        Ok(Self { graph, constants })
    }

    fn constant(&self, name: &str) -> Result<&Constant, ConvertError> {
        self.constants.get(name).ok_or_else(|| ConvertError::Tensor {
            name: name.to_owned(),
            what: "is computed, and should be a constant",
        })
    }

    fn is_constant(&self, node: &NodeProto) -> bool {
        node.input.iter().all(|name| self.constants.contains_key(name))
    }

    fn unfold(&mut self) -> Result<(), ConvertError> {
        let nodes = std::mem::take(&mut self.graph.node);
        for node in nodes {
            let constant = match (node.op_type.as_str(), self.is_constant(&node)) {
                ("DequantizeLinear", true) => Some(self.dequantised(&node)?),
                ("Reshape", true) => Some(self.reshaped(&node)?),
                _ => None,
            };
            match (constant, node.output.first()) {
                (Some(constant), Some(name)) => {
                    self.constants.insert(name.clone(), constant);
                }
                _ => self.graph.node.push(node),
            }
        }
        Ok(())
    }

    /// Weights of 8 bits as floats: (value − zero point) × scale, a scale for each block along an axis.
    fn dequantised(&self, node: &NodeProto) -> Result<Constant, ConvertError> {
        let name = |at: usize| node.input.get(at).map(String::as_str).unwrap_or_default();
        let (values, scales) = (self.constant(name(0))?, self.constant(name(1))?);
        let zeros = if node.input.len() > 2 { Some(self.constant(name(2))?) } else { None };
        let wrong = |what| ConvertError::Tensor { name: name(0).to_owned(), what };
        let rank = values.dims.len();
        let axis = integer(node, "axis").unwrap_or(1);
        let axis = usize::try_from(axis).ok().filter(|axis| *axis < rank || rank == 0);
        let axis = axis.ok_or_else(|| wrong("is scaled along an axis it has not"))?;
        let block = integer(node, "block_size").and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
        let place = Blocks::new(&values.dims, axis, block, scales.len())
            .ok_or_else(|| wrong("has not the number of scales that its blocks ask for"))?;
        if zeros.is_some_and(|zeros| zeros.len() != scales.len()) {
            return Err(wrong("has not as many zero points as scales"));
        }
        let floats = (0..values.len()).map(|at| {
            let block = place.block_of(at);
            let zero = zeros.map_or(0.0, |zeros| zeros.float_at(block));
            (values.float_at(at) - zero) * scales.float_at(block)
        });
        Ok(Constant::floats(values.dims.clone(), floats.collect()))
    }

    fn reshaped(&self, node: &NodeProto) -> Result<Constant, ConvertError> {
        let (from, shape) = (node.input.first(), node.input.get(1));
        let constant = self.constant(from.map(String::as_str).unwrap_or_default())?;
        let name = shape.map(String::as_str).unwrap_or_default();
        let wrong = |what| ConvertError::Tensor { name: name.to_owned(), what };
        let Values::Whole(dims) = &self.constant(name)?.values else { return Err(wrong("is no shape")) };
        let dims: Option<Vec<usize>> = dims.iter().map(|dim| usize::try_from(*dim).ok()).collect();
        let dims = dims.filter(|dims| dims.iter().product::<usize>() == constant.len());
        let dims = dims.ok_or_else(|| wrong("is a shape for another number of values"))?;
        Ok(Constant { dims, values: constant.values.clone() })
    }

    fn drop_dropout(&mut self) {
        let mut same: BTreeMap<String, String> = BTreeMap::new();
        let nodes = std::mem::take(&mut self.graph.node);
        for mut node in nodes {
            for input in &mut node.input {
                if let Some(other) = same.get(input) {
                    input.clone_from(other);
                }
            }
            match (node.op_type.as_str(), node.input.first(), node.output.first()) {
                ("Dropout", Some(input), Some(output)) => {
                    same.insert(output.clone(), input.clone());
                }
                _ => self.graph.node.push(node),
            }
        }
    }

    /// A convolution whose only reader is a normalisation takes it into its weights: w·s and (b − mean)·s + beta with
    /// s = gamma / √(variance + ε), one for each output channel.
    fn fold_batch_normalisation(&mut self) -> Result<(), ConvertError> {
        let mut nodes: Vec<NodeProto> = Vec::new();
        let readers = readers(&self.graph);
        for mut node in std::mem::take(&mut self.graph.node) {
            let input = node.input.first().cloned().unwrap_or_default();
            let before = nodes.iter().position(|other| other.op_type == "Conv" && other.output.first() == Some(&input));
            match before {
                Some(at) if node.op_type == "BatchNormalization" && readers.get(&input) == Some(&1) => {
                    let mut convolution = nodes.remove(at);
                    self.fold_into(&mut convolution, &node)?;
                    convolution.output = vec![std::mem::take(&mut node.output[0])];
                    nodes.push(convolution);
                }
                _ => nodes.push(node),
            }
        }
        self.graph.node = nodes;
        Ok(())
    }

    fn fold_into(&mut self, convolution: &mut NodeProto, norm: &NodeProto) -> Result<(), ConvertError> {
        let [_, gamma, beta, mean, variance] = norm.input.as_slice() else {
            return Err(ConvertError::Tensor {
                name: norm.name.clone(),
                what: "is a normalisation without its numbers",
            });
        };
        let floats =
            |name: &str| self.constant(name).map(|constant| (0..constant.len()).map(|at| constant.float_at(at)));
        let epsilon = float(norm, "epsilon").unwrap_or(1e-5);
        let scales: Vec<f32> = floats(gamma)?.zip(floats(variance)?).map(|(g, v)| g / (v + epsilon).sqrt()).collect();
        let weights_name = convolution.input.get(1).cloned().unwrap_or_default();
        let weights = self.constant(&weights_name)?;
        let wrong = |what| ConvertError::Tensor { name: weights_name.clone(), what };
        let values = weights.as_floats().ok_or_else(|| wrong("is no weight"))?;
        if weights.dims.first() != Some(&scales.len()) || values.is_empty() {
            return Err(wrong("has not as many channels as its normalisation"));
        }
        let each = values.len() / scales.len();
        let scaled = values.iter().enumerate().map(|(at, value)| value * scales[at / each]).collect();
        let bias: Vec<f32> = match convolution.input.get(2) {
            Some(name) => floats(name)?.collect(),
            None => vec![0.0; scales.len()],
        };
        let shifted = bias.iter().zip(floats(mean)?).zip(&scales).zip(floats(beta)?);
        let shifted = shifted.map(|(((bias, mean), scale), beta)| (bias - mean) * scale + beta).collect();
        let (folded, bias) =
            (Constant::floats(weights.dims.clone(), scaled), Constant::floats(vec![scales.len()], shifted));
        convolution.input.truncate(1);
        for (constant, what) in [(folded, "weight"), (bias, "bias")] {
            let name = format!("{weights_name}/folded-{what}");
            convolution.input.push(name.clone());
            self.constants.insert(name, constant);
        }
        Ok(())
    }

    fn prelu_as_relu(&mut self) -> Result<(), ConvertError> {
        for node in std::mem::take(&mut self.graph.node) {
            let [x, slope] = node.input.as_slice() else {
                self.graph.node.push(node);
                continue;
            };
            if node.op_type != "PRelu" {
                self.graph.node.push(node);
                continue;
            }
            let (x, out) = (x.clone(), node.output.first().cloned().unwrap_or_default());
            let slopes = self.constant(slope)?;
            let values: Vec<f32> = (0..slopes.len()).map(|at| slopes.float_at(at)).collect();
            let rest = values.iter().map(|slope| 1.0 - slope).collect();
            let dims = if values.len() > 1 { vec![values.len(), 1, 1] } else { Vec::new() };
            let names = ["slope", "rest", "relu", "above", "all"].map(|part| format!("{out}/{part}"));
            let [slope, rest_name, relu, above, all] = names;
            self.constants.insert(slope.clone(), Constant::floats(dims.clone(), values));
            self.constants.insert(rest_name.clone(), Constant::floats(dims, rest));
            self.graph.node.extend([
                operator("Relu", &[&x], &relu),
                operator("Mul", &[&relu, &rest_name], &above),
                operator("Mul", &[&x, &slope], &all),
                operator("Add", &[&above, &all], &out),
            ]);
        }
        Ok(())
    }

    /// The graph with the constants that are still read, and no other input than the picture.
    fn finish(mut self) -> GraphProto {
        let read: BTreeSet<&String> = self.graph.node.iter().flat_map(|node| &node.input).collect();
        self.graph.input.retain(|input| !self.constants.contains_key(&input.name) && read.contains(&input.name));
        let used = self.constants.iter().filter(|(name, _)| read.contains(name));
        self.graph.initializer = used.map(|(name, constant)| constant.write(name.clone())).collect();
        self.graph.value_info.clear();
        for output in &mut self.graph.output {
            if let Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), .. }) = &mut output.r#type {
                tensor.shape = None;
            }
        }
        self.graph
    }
}

/// Which scale a number has: blocks of `block` along one axis, or one scale for each place of the axis, or one for all.
struct Blocks {
    inner: usize,
    along: usize,
    block: usize,
    blocks_along: usize,
}

impl Blocks {
    fn new(dims: &[usize], axis: usize, block: usize, scales: usize) -> Option<Self> {
        let along = dims.get(axis).copied().unwrap_or(1);
        let inner = dims.iter().skip(axis + 1).product();
        let outer: usize = dims.iter().take(axis).product();
        let place = match (block, scales) {
            (0, 1) => Self { inner, along, block: usize::MAX, blocks_along: 0 },
            (0, _) if scales == along => Self { inner, along, block: 1, blocks_along: 0 },
            (0, _) => return None,
            _ => Self { inner, along, block, blocks_along: along.div_ceil(block) },
        };
        let blocked = place.blocks_along > 0;
        (!blocked || scales == outer * place.blocks_along * inner).then_some(place)
    }

    fn block_of(&self, at: usize) -> usize {
        let (outer, along, inner) = (at / self.inner / self.along, at / self.inner % self.along, at % self.inner);
        if self.blocks_along == 0 {
            along / self.block
        } else {
            (outer * self.blocks_along + along / self.block) * self.inner + inner
        }
    }
}

fn operator(kind: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: kind.to_owned(),
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        name: output.to_owned(),
        ..NodeProto::default()
    }
}

/// How many nodes and outputs read each value.
fn readers(graph: &GraphProto) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    let nodes = graph.node.iter().flat_map(|node| node.input.iter().cloned());
    for name in nodes.chain(graph.output.iter().map(|output| output.name.clone())) {
        *count.entry(name).or_insert(0) += 1;
    }
    count
}

pub(super) fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

pub(super) fn integer(node: &NodeProto, name: &str) -> Option<i64> {
    attribute(node, name)
        .filter(|found| found.r#type == attribute_proto::AttributeType::Int as i32)
        .map(|found| found.i)
}

pub(super) fn float(node: &NodeProto, name: &str) -> Option<f32> {
    attribute(node, name).map(|found| found.f)
}

pub(super) fn integers<'a>(node: &'a NodeProto, name: &str) -> Option<&'a [i64]> {
    attribute(node, name).map(|found| found.ints.as_slice())
}

pub(super) fn text<'a>(node: &'a NodeProto, name: &str) -> Option<&'a str> {
    attribute(node, name).and_then(|found| std::str::from_utf8(&found.s).ok())
}

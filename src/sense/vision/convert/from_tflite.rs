//! A `TensorFlow` Lite graph as an ONNX graph: channels before rows and columns.

use tract_onnx::pb::tensor_shape_proto::Dimension;
use tract_onnx::pb::{
    AttributeProto, GraphProto, NodeProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto,
    tensor_shape_proto, type_proto,
};

use super::super::tflite::{self, Graph, Kind, Operator, TfliteError, Window};
use super::{Constant, FLOAT, Values, operator};

/// The name of the picture.
const INPUT: &str = "input";

/// Rewrites it.
pub(super) fn graph(from: &Graph) -> Result<GraphProto, TfliteError> {
    let mut work = Work { from, nodes: Vec::new(), constants: Vec::new() };
    for step in &from.operators {
        work.step(step)?;
    }
    let [number, rows, columns, channels] = work.shape(from.input)?;
    let mut outputs = Vec::new();
    for output in &from.outputs {
        let name = from.tensors[*output].name.clone();
        let mut flat = operator("Flatten", &[&work.name(*output)], &name);
        flat.attribute.push(whole("axis", 1));
        work.nodes.push(flat);
        outputs.push(value(&name, None));
    }
    Ok(GraphProto {
        name: "graph".to_owned(),
        node: work.nodes,
        initializer: work.constants,
        input: vec![value(INPUT, Some([number, channels, rows, columns]))],
        output: outputs,
        ..GraphProto::default()
    })
}

struct Work<'a> {
    from: &'a Graph,
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Work<'_> {
    /// A tensor's name in the result. Names of the file may be empty or stand twice.
    fn name(&self, tensor: usize) -> String {
        if tensor == self.from.input { INPUT.to_owned() } else { format!("t{tensor}") }
    }

    fn shape<const N: usize>(&self, tensor: usize) -> Result<[usize; N], TfliteError> {
        let shape = self.from.tensors[tensor].shape.as_slice();
        shape.try_into().map_err(|_| TfliteError::Unknown("a picture of other than four dimensions"))
    }

    fn floats(&self, tensor: usize) -> Result<&[f32], TfliteError> {
        match &self.from.tensors[tensor].constant {
            Some(tflite::Constant::Floats(values)) => Ok(values),
            _ => Err(TfliteError::Unknown("weights that are no constants")),
        }
    }

    fn add(&mut self, kind: &str, inputs: &[&str], output: usize, attributes: Vec<AttributeProto>) {
        let mut node = operator(kind, inputs, &self.name(output));
        node.attribute = attributes;
        self.nodes.push(node);
    }

    fn keep(&mut self, name: &str, dims: Vec<usize>, values: Values) {
        self.constants.push(Constant { dims, values }.write(name.to_owned()));
    }

    fn step(&mut self, step: &Operator) -> Result<(), TfliteError> {
        let (inputs, output) = (step.inputs.as_slice(), step.output);
        match (step.kind, inputs) {
            (Kind::Convolution(window), [picture, weights, bias]) => {
                self.convolution(window, [*picture, *weights, *bias], output, false)
            }
            (Kind::Depthwise(window), [picture, weights, bias]) => {
                self.convolution(window, [*picture, *weights, *bias], output, true)
            }
            (Kind::MaxPool(window, size), [picture]) => {
                let attributes = vec![wholes("kernel_shape", &size)];
                let attributes = [attributes, self.moves(window, *picture, size)?].concat();
                let name = self.name(*picture);
                self.add("MaxPool", &[&name], output, attributes);
                Ok(())
            }
            (Kind::Add, [one, other]) => {
                let (one, other) = (self.name(*one), self.name(*other));
                self.add("Add", &[&one, &other], output, Vec::new());
                Ok(())
            }
            (Kind::PRelu, [picture, slopes]) => {
                let values = self.floats(*slopes)?.to_vec();
                let (name, picture) = (self.name(*slopes), self.name(*picture));
                self.keep(&name, vec![values.len(), 1, 1], Values::Floats(values));
                self.add("PRelu", &[&picture, &name], output, Vec::new());
                Ok(())
            }
            (Kind::Pad, [picture, around]) => self.pad(*picture, *around, output),
            _ => Err(TfliteError::Unknown("an operator with another number of inputs")),
        }
    }

    fn convolution(
        &mut self,
        window: Window,
        [picture, weights, bias]: [usize; 3],
        output: usize,
        depthwise: bool,
    ) -> Result<(), TfliteError> {
        let [first, rows, columns, last] = self.shape(weights)?;
        let [.., channels] = self.shape::<4>(picture)?;
        let (out, each, group) = if depthwise { (last, 1, channels) } else { (first, last, 1) };
        let values = self.floats(weights)?;
        let at = |o: usize, i: usize, row: usize, column: usize| {
            let (first, last) = if depthwise { (0, o) } else { (o, i) };
            ((first * rows + row) * columns + column) * if depthwise { out } else { each } + last
        };
        let mut turned = Vec::with_capacity(values.len());
        for o in 0..out {
            for i in 0..each {
                for row in 0..rows {
                    for column in 0..columns {
                        turned.push(values[at(o, i, row, column)]);
                    }
                }
            }
        }
        let bias_values = self.floats(bias)?.to_vec();
        let names = [self.name(picture), self.name(weights), self.name(bias)];
        self.keep(&names[1], vec![out, each, rows, columns], Values::Floats(turned));
        self.keep(&names[2], vec![out], Values::Floats(bias_values));
        let kernel = vec![wholes("kernel_shape", &[rows, columns]), whole("group", group)];
        let attributes = [kernel, self.moves(window, picture, [rows, columns])?].concat();
        self.add("Conv", &names.each_ref().map(String::as_str), output, attributes);
        Ok(())
    }

    /// Strides, and what is put around: half of what is missing before, the rest behind.
    fn moves(&self, window: Window, picture: usize, size: [usize; 2]) -> Result<Vec<AttributeProto>, TfliteError> {
        let [_, rows, columns, _] = self.shape::<4>(picture)?;
        let around = |length: usize, size: usize, stride: usize| {
            let needed = (length.div_ceil(stride).saturating_sub(1)) * stride + size;
            let missing = if window.same { needed.saturating_sub(length) } else { 0 };
            [missing / 2, missing - missing / 2]
        };
        let [above, below] = around(rows, size[0], window.stride[0]);
        let [left, right] = around(columns, size[1], window.stride[1]);
        Ok(vec![wholes("strides", &window.stride), wholes("pads", &[above, left, below, right])])
    }

    fn pad(&mut self, picture: usize, around: usize, output: usize) -> Result<(), TfliteError> {
        let Some(tflite::Constant::Whole(values)) = &self.from.tensors[around].constant else {
            return Err(TfliteError::Unknown("zeros around that are no constants"));
        };
        let [number, rows, columns, channels] = *values.as_chunks::<2>().0 else {
            return Err(TfliteError::Unknown("zeros around other than four dimensions"));
        };
        let order = [number, channels, rows, columns];
        let pads = order.iter().map(|pair| pair[0]).chain(order.iter().map(|pair| pair[1])).map(i64::from);
        let (pads, name, picture) = (pads.collect(), self.name(around), self.name(picture));
        self.keep(&name, vec![8], Values::Whole(pads));
        self.add("Pad", &[&picture, &name], output, Vec::new());
        Ok(())
    }
}

#[expect(clippy::cast_possible_wrap, reason = "sizes of a small network")]
fn whole(name: &str, value: usize) -> AttributeProto {
    let r#type = attribute_proto::AttributeType::Int as i32;
    AttributeProto { name: name.to_owned(), r#type, i: value as i64, ..AttributeProto::default() }
}

#[expect(clippy::cast_possible_wrap, reason = "sizes of a small network")]
fn wholes(name: &str, values: &[usize]) -> AttributeProto {
    let r#type = attribute_proto::AttributeType::Ints as i32;
    let ints = values.iter().map(|value| *value as i64).collect();
    AttributeProto { name: name.to_owned(), r#type, ints, ..AttributeProto::default() }
}

fn value(name: &str, shape: Option<[usize; 4]>) -> ValueInfoProto {
    #[expect(clippy::cast_possible_wrap, reason = "sizes of a small network")]
    let size = |size: usize| Dimension {
        value: Some(tensor_shape_proto::dimension::Value::DimValue(size as i64)),
        ..Dimension::default()
    };
    let shape = shape.map(|shape| TensorShapeProto { dim: shape.map(size).to_vec() });
    let tensor = type_proto::Tensor { elem_type: FLOAT, shape };
    let r#type = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: name.to_owned(), r#type: Some(r#type), ..ValueInfoProto::default() }
}

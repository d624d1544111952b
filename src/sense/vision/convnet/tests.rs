//! Every network that is run here gives what the general engine gives for the same file: on every set of vector
//! instructions that this machine has, for sizes that fit no tile, and for the real networks.

use std::path::PathBuf;

use proptest::prelude::*;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, NodeProto, OperatorSetIdProto, TensorShapeProto, TypeProto, ValueInfoProto,
    attribute_proto::AttributeType, type_proto,
};

use super::*;
use crate::sense::vision::convert::Values;
use crate::sense::vision::onnx::General;
use crate::sense::vision::yunet;

/// The sets of instructions, the best one first.
fn levels() -> Vec<Level> {
    let best = Level::new();
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "there is one set only"))]
    let mut levels = vec![best];
    #[cfg(target_arch = "x86_64")]
    {
        levels.extend(best.as_avx2().map(Level::Avx2));
        levels.extend(best.as_sse4_2().map(Level::Sse4_2));
        levels.extend(best.as_sse2().map(Level::Sse2));
    }
    levels
}

/// Numbers between -1 and 1 that follow from a seed.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f32::from(state.to_be_bytes()[0]) / 127.5 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Writes an ONNX file.
struct Writer {
    graph: GraphProto,
    seed: u64,
    size: Size,
    shape: [usize; 4],
}

fn whole(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i, ..AttributeProto::default() }
}

fn wholes(name: &str, ints: &[i64]) -> AttributeProto {
    let r#type = AttributeType::Ints as i32;
    AttributeProto { name: name.into(), r#type, ints: ints.to_vec(), ..AttributeProto::default() }
}

fn word(name: &str, text: &str) -> AttributeProto {
    let r#type = AttributeType::String as i32;
    AttributeProto { name: name.into(), r#type, s: text.as_bytes().into(), ..AttributeProto::default() }
}

fn value(name: &str, shape: Option<[usize; 4]>) -> ValueInfoProto {
    let size = |size: usize| Dimension {
        value: Some(dimension::Value::DimValue(i64::try_from(size).unwrap())),
        ..Dimension::default()
    };
    let shape = shape.map(|shape| TensorShapeProto { dim: shape.map(size).to_vec() });
    let tensor = type_proto::Tensor { elem_type: 1, shape };
    let r#type = Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() });
    ValueInfoProto { name: name.into(), r#type, ..ValueInfoProto::default() }
}

impl Writer {
    fn new(shape: [usize; 4], seed: u64) -> Self {
        let [_, channels, rows, columns] = shape;
        let graph = GraphProto { input: vec![value("in", Some(shape))], ..GraphProto::default() };
        Self { graph, seed, size: Size { channels, rows, columns }, shape }
    }

    /// As small as there are many, so that sums of products stay about as large as what they are sums of: in long
    /// chains they would grow otherwise, and so would the last digit, in which engines differ.
    fn constant(&mut self, dims: &[usize]) -> String {
        self.seed += 1;
        let each: usize = dims.iter().skip(1).product();
        let size = 1.5 / (each as f32).sqrt();
        let values = numbers(dims.iter().product(), self.seed).iter().map(|x| x * size).collect();
        self.kept(dims, Values::Floats(values))
    }

    fn kept(&mut self, dims: &[usize], values: Values) -> String {
        let name = format!("c{}", self.graph.initializer.len());
        self.graph.initializer.push(Constant { dims: dims.to_vec(), values }.write(name.clone()));
        name
    }

    fn node(&mut self, kind: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        let name = format!("n{}", self.graph.node.len());
        let input = inputs.iter().map(|input| (*input).to_owned()).collect();
        let output = vec![name.clone()];
        let node =
            NodeProto { op_type: kind.into(), name: name.clone(), input, output, attribute, ..NodeProto::default() };
        self.graph.node.push(node);
        name
    }

    fn convolution(&mut self, from: &str, kernel: usize, outputs: usize, groups: usize, stride: usize) -> String {
        let weights = self.constant(&[outputs, self.size.channels / groups, kernel, kernel]);
        let bias = self.constant(&[outputs]);
        let (stride_i, pad) = (i64::try_from(stride).unwrap(), i64::try_from(kernel / 2).unwrap());
        let attributes = vec![
            wholes("kernel_shape", &[2 * pad + 1; 2]),
            wholes("pads", &[pad; 4]),
            wholes("strides", &[stride_i; 2]),
            whole("group", i64::try_from(groups).unwrap()),
        ];
        let Size { rows, columns, .. } = self.size;
        self.size = Size { channels: outputs, rows: rows.div_ceil(stride), columns: columns.div_ceil(stride) };
        self.node("Conv", &[from, &weights, &bias], attributes)
    }

    /// `PRelu`, as itself or as the sum that it is rewritten to.
    fn prelu(&mut self, from: &str, rewritten: bool) -> String {
        self.seed += 1;
        let slopes = numbers(self.size.channels, self.seed);
        let dims = [self.size.channels, 1, 1];
        let rest = slopes.iter().map(|slope| 1.0 - slope).collect();
        let slopes = self.kept(&dims, Values::Floats(slopes));
        if !rewritten {
            return self.node("PRelu", &[from, &slopes], Vec::new());
        }
        let rest = self.kept(&dims, Values::Floats(rest));
        let relu = self.node("Relu", &[from], Vec::new());
        let above = self.node("Mul", &[&relu, &rest], Vec::new());
        let all = self.node("Mul", &[from, &slopes], Vec::new());
        self.node("Add", &[&above, &all], Vec::new())
    }

    fn pool(&mut self, from: &str) -> String {
        self.size = Size { rows: self.size.rows / 2, columns: self.size.columns / 2, ..self.size };
        self.node("MaxPool", &[from], vec![wholes("kernel_shape", &[2, 2]), wholes("strides", &[2, 2])])
    }

    /// The pixels' channels one after the other.
    fn end(&mut self, from: &str, sigmoid: bool) -> String {
        let moved = self.node("Transpose", &[from], vec![wholes("perm", &[0, 2, 3, 1])]);
        let shape = self.kept(&[3], Values::Whole(vec![1, -1, i64::try_from(self.size.channels).unwrap()]));
        let rows = self.node("Reshape", &[&moved, &shape], Vec::new());
        if sigmoid { self.node("Sigmoid", &[&rows], Vec::new()) } else { rows }
    }

    fn file(mut self, outputs: &[&str]) -> Vec<u8> {
        self.graph.output = outputs.iter().map(|name| value(name, None)).collect();
        let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 13 }];
        ModelProto { ir_version: 8, opset_import, graph: Some(self.graph), ..ModelProto::default() }.encode_to_vec()
    }
}

/// The largest difference to the general engine, by the size of what is compared.
fn worst(file: &[u8], shape: [usize; 4], outputs: &[&str], level: Level) -> f32 {
    let input: Vec<f32> = numbers(shape.iter().product(), 99).iter().map(|x| x * 2.0).collect();
    let golden = General::load(file, shape, outputs)
        .unwrap()
        .run(&input, |golden| golden.iter().map(|golden| golden.to_vec()).collect::<Vec<_>>());
    let mut network = ConvNet::load_for(level, file, shape, outputs).expect("a network that is known");
    let mut all = 0.0_f32;
    // Twice: what the first run left behind must not matter.
    for _ in 0..2 {
        network.run(&input, |ours| {
            for (golden, ours) in golden.as_ref().unwrap().iter().zip(ours) {
                assert_eq!(golden.len(), ours.len());
                let scale = golden.iter().fold(1.0_f32, |scale, value| scale.max(value.abs()));
                let differences = golden.iter().zip(*ours).map(|(golden, ours)| (golden - ours).abs() / scale);
                all = differences.fold(all, |all, one| if one.is_nan() { f32::INFINITY } else { all.max(one) });
            }
        });
    }
    all
}

/// What may follow in a chain.
#[derive(Debug, Clone)]
enum Link {
    Pointwise(usize),
    Depthwise(usize),
    Relu,
    PRelu(bool),
    Pool,
    /// A smaller picture of the one so far, added to it.
    Pyramid,
}

fn link() -> impl Strategy<Value = Link> {
    prop_oneof![
        3 => prop_oneof![Just(1_usize), Just(16), Just(24), Just(32), Just(48), Just(64), Just(112), 1..70_usize]
            .prop_map(Link::Pointwise),
        3 => (1..=2_usize).prop_map(Link::Depthwise),
        2 => Just(Link::Relu),
        2 => any::<bool>().prop_map(Link::PRelu),
        1 => Just(Link::Pool),
        1 => Just(Link::Pyramid),
    ]
}

/// A chain of layers as a file, and the names of its outputs.
fn chain(shape: [usize; 4], stem: (usize, usize), links: &[Link], seed: u64) -> (Vec<u8>, Vec<String>) {
    let mut writer = Writer::new(shape, seed);
    let mut name = writer.convolution("in", 3, stem.0, 1, stem.1);
    let mut bent = false;
    for link in links {
        let Size { channels, rows, columns } = writer.size;
        let was_bent = std::mem::replace(&mut bent, matches!(link, Link::Relu | Link::PRelu(_) | Link::Pool));
        name = match link {
            Link::Pointwise(outputs) => writer.convolution(&name, 1, *outputs, 1, 1),
            Link::Depthwise(stride) => writer.convolution(&name, 3, channels, channels, *stride),
            Link::Relu if !was_bent => writer.node("Relu", &[&name], Vec::new()),
            Link::PRelu(rewritten) if !was_bent => writer.prelu(&name, *rewritten),
            Link::Pool if rows > 1 && columns > 1 => writer.pool(&name),
            Link::Pyramid if rows % 2 == 0 && columns % 2 == 0 => {
                let half = writer.pool(&name);
                let half = writer.convolution(&half, 1, channels, 1, 1);
                let scales = writer.kept(&[4], Values::Floats(vec![1.0, 1.0, 2.0, 2.0]));
                let attributes = vec![
                    word("mode", "nearest"),
                    word("coordinate_transformation_mode", "asymmetric"),
                    word("nearest_mode", "floor"),
                ];
                let doubled = writer.node("Resize", &[&half, "", &scales], attributes);
                writer.size = Size { channels, rows, columns };
                bent = true;
                writer.node("Add", &[&name, &doubled], Vec::new())
            }
            Link::Relu | Link::PRelu(_) | Link::Pool | Link::Pyramid => {
                bent = was_bent;
                name
            }
        };
    }
    // Heads of few channels, as a detector has them.
    let size = writer.size;
    let mut outputs = Vec::new();
    for (channels, sigmoid) in [(1, true), (4, false), (10, false)] {
        writer.size = size;
        let head = writer.convolution(&name, 1, channels, 1, 1);
        let head = writer.convolution(&head, 3, channels, channels, 1);
        outputs.push(writer.end(&head, sigmoid));
    }
    writer.size = size;
    outputs.push(writer.end(&name, false));
    let names: Vec<&str> = outputs.iter().map(String::as_str).collect();
    (writer.file(&names), outputs)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_chain_of_known_layers_gives_what_the_general_engine_gives(
        channels in 1..5_usize,
        (rows, columns) in (3..40_usize, 3..60_usize),
        stem in (prop_oneof![Just(16_usize), Just(32), 1..40_usize], 1..=2_usize),
        links in proptest::collection::vec(link(), 0..9),
        seed in any::<u32>(),
    ) {
        let shape = [1, channels, rows, columns];
        let (file, outputs) = chain(shape, stem, &links, seed.into());
        let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
        for level in levels() {
            let worst = worst(&file, shape, &outputs, level);
            prop_assert!(worst < 1e-4, "{level:?}: {worst}");
        }
    }
}

/// The end of an embedder: a normalisation, one matrix product, a normalisation.
#[test]
fn a_product_with_its_normalisations_gives_what_the_general_engine_gives() {
    let shape = [1, 3, 9, 11];
    let mut writer = Writer::new(shape, 5);
    let name = writer.convolution("in", 3, 24, 1, 1);
    let pixels = writer.size.channels * writer.size.pixels();
    let name = normalised(&mut writer, &name, 24);
    let flat = writer.node("Flatten", &[&name], vec![whole("axis", 1)]);
    let (weights, bias) = (writer.constant(&[7, pixels]), writer.constant(&[7]));
    let name = writer.node("Gemm", &[&flat, &weights, &bias], vec![whole("transB", 1)]);
    let name = normalised(&mut writer, &name, 7);
    let shape = writer.shape;
    let file = writer.file(&[&name]);
    for level in levels() {
        let worst = worst(&file, shape, &[&name], level);
        assert!(worst < 1e-4, "{level:?}: {worst}");
    }
}

fn normalised(writer: &mut Writer, name: &str, channels: usize) -> String {
    let [gamma, beta, mean] = [0; 3].map(|_| writer.constant(&[channels]));
    let variance = numbers(channels, 77).iter().map(|x| x.abs() + 0.5).collect();
    let variance = writer.kept(&[channels], Values::Floats(variance));
    writer.node("BatchNormalization", &[name, &gamma, &beta, &mean, &variance], Vec::new())
}

#[test]
fn a_graph_with_anything_else_is_left_to_the_general_engine() {
    let shape = [1, 3, 12, 12];
    let known = |change: &dyn Fn(&mut Writer, &str) -> String| {
        let mut writer = Writer::new(shape, 3);
        let name = writer.convolution("in", 3, 16, 1, 1);
        let name = change(&mut writer, &name);
        let name = writer.end(&name, false);
        ConvNet::load_for(Level::new(), &writer.file(&[&name]), shape, &[&name]).is_some()
    };
    assert!(known(&|_, name| name.to_owned()));
    assert!(!known(&|writer, name| writer.convolution(name, 5, 16, 16, 1)), "a kernel of 5 x 5");
    assert!(!known(&|writer, name| writer.convolution(name, 3, 16, 1, 1)), "a second dense kernel");
    assert!(!known(&|writer, name| writer.convolution(name, 3, 16, 4, 1)), "four groups");
    assert!(!known(&|writer, name| writer.node("Tanh", &[name], Vec::new())));
    assert!(!known(&|writer, name| writer.node("Add", &[name, name], Vec::new())), "a picture twice");
    assert!(!known(&|writer, name| {
        let relu = writer.node("Relu", &[name], Vec::new());
        let bent = writer.convolution(&relu, 1, 16, 1, 1);
        let plain = writer.convolution(name, 1, 16, 1, 1);
        writer.node("Add", &[&bent, &plain], Vec::new())
    }));
    assert!(ConvNet::load(b"no file", shape, &["n0"]).is_none());
}

fn models() -> Option<PathBuf> {
    let folder = std::env::var_os("SMARTSTORE_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from);
    folder.join("yunet-2023mar.onnx").is_file().then_some(folder)
}

#[test]
fn the_real_networks_are_known_and_give_what_the_general_engine_gives() {
    let Some(folder) = models() else {
        eprintln!("SKIPPED: no networks; fetch them with `smartstore models fetch`");
        return;
    };
    let detector = std::fs::read(folder.join("yunet-2023mar.onnx")).unwrap();
    let embedder = std::fs::read(folder.join("sface-2021dec.onnx")).unwrap();
    for level in levels() {
        for (file, shape, outputs) in [
            (&detector, [1, 3, 96, 160], yunet::OUTPUTS.as_slice()),
            (&detector, [1, 3, 320, 320], yunet::OUTPUTS.as_slice()),
            (&embedder, [1, 3, 112, 112], ["fc1"].as_slice()),
        ] {
            let worst = worst(file, shape, outputs, level);
            assert!(worst < 1e-4, "{shape:?} {level:?}: {worst}");
        }
    }
}

//! `TensorFlow` Lite files: what is needed of them to convert a small network of floats.
//!
//! A file is a `FlatBuffers` table tree (root offset first, tables with a vtable of field offsets before them, all
//! little-endian, offsets unsigned and forward; FlatBuffers, "Internals"). Which field of which table is what: the
//! schema of `TensorFlow` Lite, version 3. Every offset is checked; what is outside of the file is not there.

/// Why a file is no network that is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TfliteError {
    /// The file has not the identifier of the format.
    #[error("this is no TensorFlow Lite file")]
    NotTflite,
    /// An offset or a length points outside.
    #[error("the file is broken")]
    Broken,
    /// Something in it is not known here.
    #[error("the network has {0}, which is not known here")]
    Unknown(&'static str),
}

type Result<T> = std::result::Result<T, TfliteError>;

/// A network as a list of operators, in the order in which they run.
#[derive(Debug)]
pub struct Graph {
    /// Every value, computed or constant.
    pub tensors: Vec<Tensor>,
    /// What is computed.
    pub operators: Vec<Operator>,
    /// The tensor that the picture is put into.
    pub input: usize,
    /// The tensors that are the answer.
    pub outputs: Vec<usize>,
}

/// A value.
#[derive(Debug)]
pub struct Tensor {
    /// Sizes; of pictures: number, rows, columns, channels.
    pub shape: Vec<usize>,
    /// Its name.
    pub name: String,
    /// Its numbers, of a constant.
    pub constant: Option<Constant>,
}

/// Numbers of a constant.
#[derive(Debug)]
pub enum Constant {
    /// 32-bit floats.
    Floats(Vec<f32>),
    /// 32-bit whole numbers.
    Whole(Vec<i32>),
}

/// One step.
#[derive(Debug)]
pub struct Operator {
    /// What is done.
    pub kind: Kind,
    /// With which tensors.
    pub inputs: Vec<usize>,
    /// Into which tensor.
    pub output: usize,
}

/// What an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A convolution: picture, weights (out, rows, columns, in), bias.
    Convolution(Window),
    /// A convolution of each channel with weights of its own (1, rows, columns, out).
    Depthwise(Window),
    /// The largest of a window of rows and columns.
    MaxPool(Window, [usize; 2]),
    /// A sum.
    Add,
    /// Slopes for what is below zero, by channel.
    PRelu,
    /// Zeros around: (before, after) for each dimension.
    Pad,
}

/// How a window moves over a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Zeros are put around so that the result has `ceil(size / stride)` places.
    pub same: bool,
    /// Rows and columns between two places.
    pub stride: [usize; 2],
}

const IDENTIFIER: &[u8] = b"TFL3";
const FLOAT32: u8 = 0;
const INT32: u8 = 2;
const ADD: i32 = 0;
const CONV_2D: i32 = 3;
const DEPTHWISE_CONV_2D: i32 = 4;
const MAX_POOL_2D: i32 = 17;
const PAD: i32 = 34;
const PRELU: i32 = 54;

/// Reads a file.
///
/// # Errors
///
/// When it is none, is broken, or holds something that is not known here.
pub fn read(bytes: &[u8]) -> Result<Graph> {
    if bytes.get(4..8) != Some(IDENTIFIER) {
        return Err(TfliteError::NotTflite);
    }
    let file = File(bytes);
    let model = file.table_at(0)?;
    let codes = model.tables(1)?.iter().map(Table::code).collect::<Result<Vec<_>>>()?;
    let [graph] = model.tables(2)?[..] else { return Err(TfliteError::Unknown("other than one graph")) };
    let buffers = model.tables(4)?;
    let tensors = graph.tables(0)?.iter().map(|tensor| tensor.tensor(&buffers)).collect::<Result<Vec<_>>>()?;
    let operators = graph.tables(3)?.iter().map(|operator| operator.operator(&codes)).collect::<Result<Vec<_>>>()?;
    let [input] = graph.places(1)?[..] else { return Err(TfliteError::Unknown("several inputs")) };
    let outputs = graph.places(2)?;
    let used = operators.iter().flat_map(|operator| operator.inputs.iter().chain([&operator.output]));
    if used.chain(&outputs).chain([&input]).any(|place| *place >= tensors.len()) {
        return Err(TfliteError::Broken);
    }
    Ok(Graph { tensors, operators, input, outputs })
}

#[derive(Clone, Copy)]
struct File<'a>(&'a [u8]);

impl<'a> File<'a> {
    fn bytes<const N: usize>(self, at: usize) -> Result<[u8; N]> {
        self.0.get(at..).and_then(<[u8]>::first_chunk).copied().ok_or(TfliteError::Broken)
    }

    fn u32(self, at: usize) -> Result<usize> {
        usize::try_from(u32::from_le_bytes(self.bytes(at)?)).map_err(|_| TfliteError::Broken)
    }

    fn u16(self, at: usize) -> Result<usize> {
        Ok(usize::from(u16::from_le_bytes(self.bytes(at)?)))
    }

    /// Where the offset at `at` leads.
    fn follow(self, at: usize) -> Result<usize> {
        at.checked_add(self.u32(at)?).filter(|to| *to < self.0.len()).ok_or(TfliteError::Broken)
    }

    /// The table that the offset at `at` leads to.
    fn table_at(self, at: usize) -> Result<Table<'a>> {
        let at = self.follow(at)?;
        let back = i32::from_le_bytes(self.bytes(at)?);
        let vtable = i64::try_from(at).ok().and_then(|at| usize::try_from(at - i64::from(back)).ok());
        Ok(Table { file: self, at, vtable: vtable.ok_or(TfliteError::Broken)? })
    }
}

#[derive(Clone, Copy)]
struct Table<'a> {
    file: File<'a>,
    at: usize,
    vtable: usize,
}

impl<'a> Table<'a> {
    /// Where a field stands; `None`: it has its default.
    fn field(&self, number: usize) -> Result<Option<usize>> {
        let place = 4 + 2 * number;
        if place >= self.file.u16(self.vtable)? {
            return Ok(None);
        }
        let offset = self.file.u16(self.vtable + place)?;
        Ok((offset != 0).then_some(self.at + offset))
    }

    fn byte(&self, number: usize) -> Result<u8> {
        self.field(number)?.map_or(Ok(0), |at| self.file.bytes::<1>(at).map(|[byte]| byte))
    }

    fn int(&self, number: usize) -> Result<i32> {
        self.field(number)?.map_or(Ok(0), |at| self.file.bytes(at).map(i32::from_le_bytes))
    }

    /// Start and number of elements of a vector.
    fn vector(&self, number: usize, width: usize) -> Result<(usize, usize)> {
        let Some(at) = self.field(number)? else { return Ok((0, 0)) };
        let at = self.file.follow(at)?;
        let count = self.file.u32(at)?;
        let end = count.checked_mul(width).and_then(|bytes| bytes.checked_add(at + 4));
        if end.is_none_or(|end| end > self.file.0.len()) {
            return Err(TfliteError::Broken);
        }
        Ok((at + 4, count))
    }

    fn tables(&self, number: usize) -> Result<Vec<Table<'a>>> {
        let (start, count) = self.vector(number, 4)?;
        (0..count).map(|place| self.file.table_at(start + 4 * place)).collect()
    }

    /// A vector of whole numbers that are places in a list, or sizes.
    fn places(&self, number: usize) -> Result<Vec<usize>> {
        let (start, count) = self.vector(number, 4)?;
        (0..count).map(|place| self.file.u32(start + 4 * place)).collect()
    }

    fn raw(&self, number: usize) -> Result<&'a [u8]> {
        let (start, count) = self.vector(number, 1)?;
        Ok(&self.file.0[start..start + count])
    }

    /// Of an operator code: the newer field, or the byte that older files have.
    fn code(&self) -> Result<i32> {
        Ok(self.int(3)?.max(i32::from(self.byte(0)?)))
    }

    fn tensor(&self, buffers: &[Table<'a>]) -> Result<Tensor> {
        let shape = self.places(0)?;
        let name = String::from_utf8_lossy(self.raw(3)?).into_owned();
        let buffer = usize::try_from(self.int(2)?).map_err(|_| TfliteError::Broken)?;
        let bytes = buffers.get(buffer).ok_or(TfliteError::Broken)?.raw(0)?;
        let (words, rest) = bytes.as_chunks::<4>();
        let constant = match (bytes.is_empty(), self.byte(1)?) {
            (true, _) => None,
            (_, FLOAT32) => Some(Constant::Floats(words.iter().map(|word| f32::from_le_bytes(*word)).collect())),
            (_, INT32) => Some(Constant::Whole(words.iter().map(|word| i32::from_le_bytes(*word)).collect())),
            _ => return Err(TfliteError::Unknown("numbers that are neither floats nor whole")),
        };
        let count = shape.iter().try_fold(1_usize, |all, size| all.checked_mul(*size));
        if constant.is_some() && (count != Some(words.len()) || !rest.is_empty()) {
            return Err(TfliteError::Broken);
        }
        Ok(Tensor { shape, name, constant })
    }

    fn operator(&self, codes: &[i32]) -> Result<Operator> {
        let code = usize::try_from(self.int(0)?).ok().and_then(|place| codes.get(place)).ok_or(TfliteError::Broken)?;
        let options = self.field(4)?.map(|at| self.file.table_at(at)).transpose()?;
        let options = || options.ok_or(TfliteError::Broken);
        let kind = match *code {
            CONV_2D => Kind::Convolution(options()?.undilated([4, 5])?.window(3)?),
            DEPTHWISE_CONV_2D => Kind::Depthwise(options()?.undilated([5, 6])?.window(4)?),
            MAX_POOL_2D => options()?.pool()?,
            ADD => {
                no_activation(options()?.byte(0)?)?;
                Kind::Add
            }
            PRELU => Kind::PRelu,
            PAD => Kind::Pad,
            _ => return Err(TfliteError::Unknown("an operator")),
        };
        let [output] = self.places(2)?[..] else {
            return Err(TfliteError::Unknown("an operator with several outputs"));
        };
        Ok(Operator { kind, inputs: self.places(1)?, output })
    }

    fn undilated(&self, fields: [usize; 2]) -> Result<&Self> {
        for field in fields {
            if self.field(field)?.is_some() && self.int(field)? != 1 {
                return Err(TfliteError::Unknown("a dilated convolution"));
            }
        }
        Ok(self)
    }

    /// Padding is field 0, strides are 1 (columns) and 2 (rows).
    fn window(&self, activation: usize) -> Result<Window> {
        no_activation(self.byte(activation)?)?;
        let stride = |field| usize::try_from(self.int(field)?).ok().filter(|s| *s > 0).ok_or(TfliteError::Broken);
        Ok(Window { same: self.byte(0)? == 0, stride: [stride(2)?, stride(1)?] })
    }

    fn pool(&self) -> Result<Kind> {
        let window = self.window(5)?;
        let size = |field| usize::try_from(self.int(field)?).ok().filter(|s| *s > 0).ok_or(TfliteError::Broken);
        Ok(Kind::MaxPool(window, [size(4)?, size(3)?]))
    }
}

fn no_activation(code: u8) -> Result<()> {
    if code == 0 { Ok(()) } else { Err(TfliteError::Unknown("an operator with an activation of its own")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_of_the_format_is_refused() {
        assert_eq!(read(b"").unwrap_err(), TfliteError::NotTflite);
        assert_eq!(read(b"\x08\0\0\0TFL2aaaaaaaaaaaa").unwrap_err(), TfliteError::NotTflite);
        assert_eq!(read(b"\xff\xff\xff\xffTFL3").unwrap_err(), TfliteError::Broken);
        // A table whose list of fields is itself, and empty.
        let empty = read(b"\x08\0\0\0TFL3\0\0\0\0").unwrap_err();
        assert_eq!(empty, TfliteError::Unknown("other than one graph"));
    }
}

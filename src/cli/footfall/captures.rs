//! Several capture files as one, in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::types::wipe;
use crate::wire::dot11::Link;
use crate::wire::pcap::Capture;

/// One file with its next record.
struct Source {
    path: PathBuf,
    capture: Capture<BufReader<File>>,
    frame: Vec<u8>,
    /// The next record's number and time; `None` at the end.
    next: Option<(u64, i64)>,
    is_begun: bool,
}

/// The next frame of all files.
pub(super) struct Next<'a> {
    /// Which file, in the order they were named.
    pub(super) file: usize,
    /// Its place in that file, from 1.
    pub(super) number: u64,
    pub(super) at_us: i64,
    pub(super) link: Link,
    pub(super) bytes: &'a [u8],
    /// Whether a file was being written between the frame before and this one: something was listening.
    pub(super) is_within: bool,
}

/// See the module.
pub(super) struct Captures {
    sources: Vec<Source>,
    order: BinaryHeap<Reverse<(i64, usize)>>,
    /// The source whose frame was given last and has to go on.
    given: Option<usize>,
    /// What was wrong with files that could be read in part.
    broken: Vec<anyhow::Error>,
}

impl Captures {
    /// Opens all files; the first that is no capture ends it.
    pub(super) fn open(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let sources = paths.iter().map(|path| Source::open(path)).collect::<anyhow::Result<Vec<_>>>()?;
        let mut captures = Self { sources, order: BinaryHeap::new(), given: None, broken: Vec::new() };
        for file in 0..captures.sources.len() {
            captures.go_on(file);
        }
        Ok(captures)
    }

    fn go_on(&mut self, file: usize) {
        let source = &mut self.sources[file];
        if let Err(error) = source.go_on() {
            self.broken.push(error);
        }
        if let Some((_, at_us)) = source.next {
            self.order.push(Reverse((at_us, file)));
        }
    }

    /// The next frame, until there is none.
    pub(super) fn next(&mut self) -> Option<Next<'_>> {
        if let Some(file) = self.given.take() {
            self.go_on(file);
        }
        let Reverse((at_us, file)) = self.order.pop()?;
        self.given = Some(file);
        let is_within = self.sources.iter().any(|source| source.is_begun && source.next.is_some());
        let source = &mut self.sources[file];
        source.is_begun = true;
        let (number, _) = source.next?;
        Some(Next { file, number, at_us, link: source.capture.link(), bytes: &source.frame, is_within })
    }

    /// Whether every file could be read to its end.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let count = self.broken.len();
        match self.broken.into_iter().next() {
            None => Ok(()),
            Some(first) if count == 1 => Err(first),
            Some(first) => Err(first.context(format!("{count} files are broken, the first"))),
        }
    }
}

/// Frames hold addresses: they do not stay in memory.
impl Drop for Source {
    fn drop(&mut self) {
        wipe(&mut self.frame);
    }
}

impl Source {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("{}: cannot be opened", path.display()))?;
        let capture = Capture::open(BufReader::new(file)).with_context(|| format!("{}, at byte 0", path.display()))?;
        Ok(Self { path: path.to_owned(), capture, frame: Vec::new(), next: None, is_begun: false })
    }

    fn go_on(&mut self) -> anyhow::Result<()> {
        self.next = None;
        match self.capture.next_record() {
            Ok(None) => Ok(()),
            Ok(Some(record)) => {
                self.frame.clear();
                self.frame.extend_from_slice(record.frame);
                self.next = Some((record.number, record.at_us));
                Ok(())
            }
            Err(error) => {
                let place = format!("{}, at byte {}", self.path.display(), self.capture.offset());
                Err(anyhow::Error::new(error).context(place))
            }
        }
    }
}

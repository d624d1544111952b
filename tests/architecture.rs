//! The house, kept tidy by a test: the layer table of `src/lib.rs`, the never-arrows, the budgets, and the small rules
//! that no compiler and no lint knows.
//!
//! Each rule is a function from a [`tree::Tree`] to findings. It is run twice: over the real tree, where it must find
//! nothing, and over a few planted lines, where it must find what was planted. A rule that is in the way of good code
//! is changed here, in the open, with the reason beside it; it is never worked around.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this crate is a test"
)]

#[path = "architecture/arrows.rs"]
mod arrows;
#[path = "architecture/budgets.rs"]
mod budgets;
#[path = "architecture/folders.rs"]
mod folders;
#[path = "architecture/layers.rs"]
mod layers;
#[path = "architecture/paths.rs"]
mod paths;
#[path = "architecture/tree.rs"]
mod tree;
#[path = "architecture/words.rs"]
mod words;

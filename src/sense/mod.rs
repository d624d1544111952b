//! Pure algorithms: what sensors saw becomes what a shop wants to know.
//!
//! Time is an argument and so are the bytes; nothing here reads a clock, a file or a socket.

pub mod footfall;
pub mod mirror;
pub mod vision;

//! The library's parsers, from the same sources and without the rest of it: built in a minute, and coverage is theirs.

// So that the targets name `spotter` here as in the library's own tests.
extern crate self as spotter;

pub mod classifier;
#[path = "../../src/decode/mod.rs"]
pub mod decode;
#[path = "../../src/encoding.rs"]
pub mod encoding;
#[path = "../../src/event/mod.rs"]
pub mod event;
#[path = "../../src/preprocess/mod.rs"]
pub mod preprocess;
pub mod targets;

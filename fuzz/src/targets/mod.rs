//! A function a parser: any bytes in, a panic where a promise is broken. The engine runs them (`fuzz/run`), and
//! `tests/hostile/smoke.rs` runs the same ones without it.

mod event;
mod manifest;
mod picture;

pub use event::{check as event_value, event};
pub use manifest::manifest;
pub use picture::{exif, picture};

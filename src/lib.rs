//! Spotter: a picture lands in a bucket, a function fires, and what was in the picture becomes a record.
//!
//! The way of one picture, one module a step:
//!
//! ```text
//! notification ─► event ─► pipeline ─► objects ─► decode ─► preprocess ─► classifier ─► record ─► records
//! ```
//!
//! [`function`] is the way in (an event in any envelope, answered in its own shape); [`pipeline`] takes one
//! object from its event to its outcome. `ARCHITECTURE.md` says what each module must not know, and
//! `tests/architecture.rs` keeps it so.

pub mod ask;
#[cfg(feature = "cli")]
pub mod backfill;
pub mod classifier;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod decode;
#[cfg(feature = "cli")]
pub mod doctor;
pub mod encoding;
pub mod event;
#[cfg(feature = "cli")]
pub mod export;
pub mod filter;
pub mod function;
pub mod init;
#[cfg(feature = "cli")]
pub mod local;
pub mod metrics;
pub mod model_source;
pub mod notify;
pub mod objects;
pub mod page;
pub mod pipeline;
pub mod preprocess;
pub mod record;
pub mod records;
pub mod secret;
pub mod telemetry;
#[cfg(feature = "cli")]
pub mod worker;

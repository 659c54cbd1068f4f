//! What a model is to see of encoded bytes, from no more of them than it takes.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::classifier::Model;
use crate::decode::{Limits, Picture, Rejection, RejectionKind, decode, decode_reduced};
use crate::preprocess::Found;

pub struct Look<'a> {
    pub found: Found<'a>,
    /// Width and height of the picture, upright.
    pub dimensions: (u32, u32),
}

/// Looks at a reduced picture first, where the model takes one, and at the whole one if that does not show enough.
///
/// # Errors
/// As [`decode`]; and where preprocessing fails, which it would each time.
pub fn look<'a>(bytes: &[u8], model: &'a Model, limits: Limits) -> Result<Look<'a>, Rejection> {
    let first = decode_reduced(bytes, model.channels(), limits, model.least_side())?;
    let (dimensions, is_whole) = (first.whole, first.is_whole());
    let find = |picture: Picture| {
        catch_unwind(AssertUnwindSafe(|| model.find(Cow::Owned(picture)))).map_err(|_| gave_up(model, dimensions))
    };
    let found = find(first.picture)?;
    if is_whole || found.is_fine() {
        return Ok(Look { found, dimensions });
    }
    drop(found);
    Ok(Look { found: find(decode(bytes, model.channels(), limits)?)?, dimensions })
}

pub(super) fn gave_up(model: &Model, dimensions: (u32, u32)) -> Rejection {
    let sentence = format!("model {} gave up on this picture", model.id());
    Rejection { kind: RejectionKind::Broken, sentence, dimensions: Some(dimensions) }
}

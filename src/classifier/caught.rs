//! tract panics on some networks. That is an error like its others, and no words on somebody's terminal.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use tract_onnx::prelude::{TractError, TractResult};

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// What errors that were panics begin with.
pub(super) const GAVE_UP: &str = "tract gave up: ";

/// Runs what may panic, without a word on stderr if it does.
pub(super) fn caught<T>(work: impl FnOnce() -> TractResult<T>) -> TractResult<T> {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !CATCHING.get() {
                before(panic);
            }
        }));
    });
    let outer = CATCHING.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    CATCHING.set(outer);
    done.unwrap_or_else(|panic| Err(TractError::msg(format!("{GAVE_UP}{}", words(&*panic)))))
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_words() {
        for depth in 0..2 {
            let error = caught(|| {
                let inner = caught(|| -> TractResult<()> { panic!("{} of {depth}", "axis") }).unwrap_err();
                assert!(CATCHING.get());
                TractResult::<()>::Err(inner)
            });
            assert_eq!(error.unwrap_err().to_string(), format!("tract gave up: axis of {depth}"));
            assert!(!CATCHING.get());
        }
        assert_eq!(caught(|| Ok(7)).unwrap(), 7);
    }
}

//! The flags that say which keys are looked at.

use clap::Args;

use crate::filter::{Filter, Glob};

#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Look only at keys like this, as in a .gitignore: *.png, photos/** [env: SPOTTER_INCLUDE, with commas between]
    #[arg(long, value_name = "GLOB")]
    include: Vec<Glob>,
    /// Leave out keys like this, whatever includes them [env: SPOTTER_EXCLUDE, with commas between]
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<Glob>,
}

impl FilterArgs {
    /// Each flag replaces what its variable said.
    pub(super) fn replace(&self, filter: &mut Filter) {
        if !self.include.is_empty() {
            filter.include.clone_from(&self.include);
        }
        if !self.exclude.is_empty() {
            filter.exclude.clone_from(&self.exclude);
        }
    }
}

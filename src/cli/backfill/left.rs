//! What failed and is left to the next round of `--every`: the rows may be there, while what follows a record (tags,
//! telling others) is not done.

use std::collections::BTreeSet;

use crate::backfill::Wanted;

#[derive(Default)]
pub(super) struct Left {
    pub(super) objects: Keys,
    /// Whose rows say that they are gone: no round finds them in the listing, nor as orphans.
    pub(super) absences: Keys,
}

#[derive(Default)]
pub(super) struct Keys {
    /// A run without `--every` has no next round.
    kept: bool,
    keys: BTreeSet<String>,
}

impl Left {
    pub(super) fn new(kept: bool) -> Left {
        let keys = || Keys { kept, keys: BTreeSet::new() };
        Left { objects: keys(), absences: keys() }
    }

    pub(super) fn count(&self) -> usize {
        self.objects.keys.len() + self.absences.keys.len()
    }
}

impl Keys {
    pub(super) fn ended(&mut self, key: &str, failed: bool) {
        if !failed {
            self.keys.remove(key);
        } else if self.kept {
            self.keys.insert(key.to_owned());
        }
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.keys.iter().cloned().collect()
    }

    pub(super) fn wanted(&self) -> Vec<Wanted> {
        self.keys.iter().map(|key| Wanted { key: key.clone(), size: None }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_left_until_it_is_done() {
        let mut left = Left::new(true);
        left.objects.ended("a", true);
        left.absences.ended("a", true);
        left.absences.ended("b", true);
        left.objects.ended("b", false);
        assert_eq!((left.count(), left.absences.all()), (3, vec!["a".to_owned(), "b".to_owned()]));
        left.absences.ended("a", false);
        assert_eq!(
            (left.objects.wanted(), left.absences.all()),
            (vec![Wanted { key: "a".into(), size: None }], vec!["b".into()])
        );
        let mut once = Left::new(false);
        once.objects.ended("a", true);
        assert_eq!(once.count(), 0);
    }
}

//! Which keys are looked at: globs that include and globs that exclude.
//!
//! As in a `.gitignore`: a glob without a `/` is held against the last segment of a key (`*.png` finds
//! `photos/7.png`), any other against the whole key, from its start (`photos/*.png` does not find `old/photos/7.png`).
//! `*` and `?` stop at a `/`, `**` does not; a glob that ends in `/` means all that is below (`photos/` is
//! `photos/**`). `[a-z]`, `[!a-z]`, `{png,jpg}` and `\*` mean what they mean in a shell. Case matters. `?` is one byte:
//! a letter outside ASCII has several.

use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};

/// What is looked at: keys that one of `include` finds (all, if there is none) and none of `exclude`.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub include: Vec<Glob>,
    pub exclude: Vec<Glob>,
}

impl Filter {
    pub fn allows(&self, key: &str) -> bool {
        let found = |globs: &[Glob]| globs.iter().any(|glob| glob.finds(key));
        (self.include.is_empty() || found(&self.include)) && !found(&self.exclude)
    }
}

/// One glob, compiled.
#[derive(Clone)]
pub struct Glob {
    text: String,
    /// Held against the last segment only.
    of_name: bool,
    matcher: GlobMatcher,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{glob}\" is not a glob: {problem}")]
pub struct GlobError {
    glob: String,
    problem: String,
}

impl Glob {
    fn finds(&self, key: &str) -> bool {
        let name = key.rsplit('/').next().unwrap_or_default();
        self.matcher.is_match(if self.of_name { name } else { key })
    }

    /// Several, with commas between. A comma inside `{…}` or `[…]` belongs to the glob, and so does `\,`.
    ///
    /// # Errors
    /// The first that is no glob.
    pub fn list(text: &str) -> Result<Vec<Glob>, GlobError> {
        let globs = split(text);
        globs.iter().map(|glob| glob.trim()).filter(|glob| !glob.is_empty()).map(str::parse).collect()
    }
}

fn split(text: &str) -> Vec<String> {
    let mut globs = vec![String::new()];
    let (mut braces, mut in_class, mut escaped) = (0usize, false, false);
    for letter in text.chars() {
        match letter {
            _ if escaped => {}
            '[' => in_class = true,
            ']' => in_class = false,
            '{' if !in_class => braces += 1,
            '}' if !in_class => braces = braces.saturating_sub(1),
            ',' if braces == 0 && !in_class => {
                globs.push(String::new());
                continue;
            }
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
        if let Some(glob) = globs.last_mut() {
            glob.push(letter);
        }
    }
    globs
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Glob, GlobError> {
        let error = |problem: String| GlobError { glob: text.to_owned(), problem };
        if text.is_empty() {
            return Err(error("it is empty".into()));
        }
        let below = if text.ends_with('/') { "**" } else { "" };
        let glob = GlobBuilder::new(&format!("{text}{below}"))
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|problem| error(problem.kind().to_string()))?;
        Ok(Glob { text: text.to_owned(), of_name: !text.contains('/'), matcher: glob.compile_matcher() })
    }
}

/// As it was written.
impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &str, exclude: &str) -> Filter {
        Filter { include: Glob::list(include).unwrap(), exclude: Glob::list(exclude).unwrap() }
    }

    fn finds(glob: &str, key: &str) -> bool {
        glob.parse::<Glob>().unwrap().finds(key)
    }

    #[test]
    fn without_a_slash_it_is_about_the_last_segment() {
        assert!(finds("*.png", "7.png") && finds("*.png", "photos/2026/7.png") && finds("7.*", "a/7.png"));
        assert!(!finds("*.png", "7.png/raw") && !finds("*.png", "7.PNG") && !finds("photos", "photos/7.png"));
        assert!(finds("{a,b}?.png", "x/a1.png") && !finds("{a,b}?.png", "x/c1.png"));
        assert!(finds("[!0-4].png", "7.png") && !finds("[!0-4].png", "3.png"));
        assert!(finds("fünf*", "x/fünf 5.jpg") && finds("五*", "五.png") && finds("a+b %2B?.png", "a+b %2B1.png"));
    }

    #[test]
    fn with_a_slash_it_is_about_the_whole_key() {
        assert!(finds("photos/*.png", "photos/7.png"));
        assert!(!finds("photos/*.png", "old/photos/7.png") && !finds("photos/*.png", "photos/2026/7.png"));
        assert!(finds("photos/**", "photos/2026/7.png") && finds("photos/**", "photos/7.png"));
        assert!(!finds("photos/**", "photos") && !finds("photos/**", "photos2/7.png"));
        assert!(finds("**/thumbs/*", "a/b/thumbs/7.png") && finds("**/thumbs/*", "thumbs/7.png"));
        assert!(finds("a/**/7.png", "a/7.png") && finds("a/**/7.png", "a/b/c/7.png"));
        assert!(finds("photos/", "photos/2026/7.png") && !finds("photos/", "old/photos/7.png"));
        assert!(finds("/7.png", "/7.png") && !finds("/7.png", "7.png"), "a key may start with a slash");
    }

    #[test]
    fn keys_are_not_paths() {
        for key in ["..", "a/..", "./7.png", "a//7.png", "7.", "a/7.", "c:\\7.png", "a\nb.png"] {
            assert!(finds("**", key), "{key:?}");
        }
        assert!(finds("7.", "a/7.") && finds("a//*.png", "a//7.png") && !finds("7.png", "./8.png"));
        assert!(finds(r"\*.png", "*.png") && !finds(r"\*.png", "7.png"));
    }

    #[test]
    fn what_is_included_and_not_excluded_is_looked_at() {
        assert!(Filter::default().allows("anything") && Filter::default().allows(""));
        let filter = filter("*.png,photos/**", "thumbs/**, *.tmp.png");
        assert!(filter.allows("7.png") && filter.allows("photos/7.jpg"));
        assert!(!filter.allows("7.jpg") && !filter.allows("thumbs/7.png") && !filter.allows("photos/7.tmp.png"));
    }

    #[test]
    fn a_list_is_split_at_the_commas_between_globs() {
        let texts = |list: &str| Glob::list(list).unwrap().iter().map(|glob| glob.text.clone()).collect::<Vec<_>>();
        assert_eq!(texts("*.png, *.{jpg,jpeg} ,[,;]?,"), ["*.png", "*.{jpg,jpeg}", "[,;]?"]);
        assert_eq!(texts(r"a\,b.png"), [r"a\,b.png"]);
        assert!(finds(r"a\,b.png", "a,b.png"));
        assert_eq!(texts(" , "), [""; 0]);
    }

    #[test]
    fn what_is_no_glob_is_told() {
        for bad in ["[", "a{b", "[z-a]", "x\\", ""] {
            let error = bad.parse::<Glob>().unwrap_err().to_string();
            assert!(error.contains("is not a glob: ") && error.contains(bad), "{error}");
        }
        assert!(Glob::list("*.png,[").is_err());
    }
}

//! Which files of a repository are wanted: patterns in the manner of `.gitignore`, as in git's sparse checkouts.
//!
//! The last pattern that matches a path decides. A path that none matches goes with its directory, and what goes with
//! no directory is left out.

use std::collections::HashMap;

use globset::{GlobBuilder, GlobMatcher};

/// Patterns of wanted files.
#[derive(Debug, Default)]
pub(crate) struct Sparse {
    /// Empty: everything is wanted.
    rules: Vec<Rule>,
    text: String,
}

#[derive(Debug)]
struct Rule {
    matcher: GlobMatcher,
    wanted: bool,
    directories_only: bool,
}

/// A pattern that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the sparse pattern `{pattern}` is malformed: {reason}")]
pub(crate) struct BadPattern {
    pattern: String,
    reason: String,
}

/// Longer lists and patterns are a mistake.
const MAX_PATTERNS: usize = 1000;
const MAX_PATTERN: usize = 4096;

impl Sparse {
    /// All files.
    pub(crate) fn everything() -> Self {
        Self::default()
    }

    /// The files that `patterns` match; without patterns, all.
    pub(crate) fn of(patterns: &[String]) -> Result<Self, BadPattern> {
        let mut sparse = Self::default();
        for pattern in patterns {
            let bad = |reason: String| BadPattern { pattern: pattern.chars().take(100).collect(), reason };
            if sparse.rules.len() >= MAX_PATTERNS || pattern.len() > MAX_PATTERN {
                return Err(bad(format!(
                    "more than {MAX_PATTERNS} patterns, or more than {MAX_PATTERN} bytes in one"
                )));
            }
            if pattern.contains(['\n', '\r', '\0']) {
                return Err(bad("it holds a line end".into()));
            }
            if pattern.trim().is_empty() || pattern.starts_with('#') {
                continue;
            }
            sparse.rules.push(Rule::of(pattern.trim_end()).map_err(|error| bad(error.kind().to_string()))?);
            sparse.text.push_str(pattern.trim_end());
            sparse.text.push('\n');
        }
        match sparse.rules.is_empty() && !patterns.is_empty() {
            true => Err(BadPattern { pattern: patterns[0].clone(), reason: "no pattern is left".into() }),
            false => Ok(sparse),
        }
    }

    /// Whether every file is wanted.
    pub(crate) fn is_everything(&self) -> bool {
        self.rules.is_empty()
    }

    /// The patterns as git keeps them.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Decides about files one after the other.
    pub(crate) fn selection(&self) -> Selection<'_> {
        Selection { sparse: self, directories: HashMap::new() }
    }

    /// What the patterns say of one path, its directories not asked.
    fn verdict(&self, path: &str, directory: bool) -> Option<bool> {
        let mut rules = self.rules.iter().rev();
        let rule = rules.find(|rule| (directory || !rule.directories_only) && rule.matcher.is_match(path));
        rule.map(|rule| rule.wanted)
    }
}

impl Rule {
    fn of(pattern: &str) -> Result<Self, globset::Error> {
        let (wanted, pattern) = match pattern.strip_prefix('!') {
            Some(rest) => (false, rest),
            None => (true, pattern),
        };
        let (directories_only, pattern) = match pattern.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        let anchored = pattern.contains('/');
        let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
        let glob = if anchored { literal_braces(pattern) } else { format!("**/{}", literal_braces(pattern)) };
        let glob = GlobBuilder::new(&glob).literal_separator(true).backslash_escape(true).build()?;
        Ok(Self { matcher: glob.compile_matcher(), wanted, directories_only })
    }
}

/// Braces mean nothing to git, and alternatives to the library.
fn literal_braces(pattern: &str) -> String {
    let mut literal = String::with_capacity(pattern.len());
    let (mut escaped, mut in_class) = (false, false);
    for c in pattern.chars() {
        if matches!(c, '{' | '}') && !escaped && !in_class {
            literal.push('\\');
        }
        match c {
            '[' if !escaped => in_class = true,
            ']' if !escaped => in_class = false,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        literal.push(c);
    }
    literal
}

/// Remembers what was decided about directories.
pub(crate) struct Selection<'a> {
    sparse: &'a Sparse,
    directories: HashMap<String, bool>,
}

impl Selection<'_> {
    /// Whether the file at `path` is wanted.
    pub(crate) fn takes(&mut self, path: &str) -> bool {
        self.sparse.is_everything() || self.sparse.verdict(path, false).unwrap_or_else(|| self.parent(path))
    }

    fn parent(&mut self, path: &str) -> bool {
        // From the outermost directory inwards: each goes with the one around it unless a pattern says otherwise.
        let mut verdict = false;
        for (end, _) in path.match_indices('/') {
            let directory = &path[..end];
            verdict = match self.directories.get(directory) {
                Some(known) => *known,
                None => {
                    let decided = self.sparse.verdict(directory, true).unwrap_or(verdict);
                    self.directories.insert(directory.to_owned(), decided);
                    decided
                }
            };
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_as_git_reads_them() {
        let files =
            ["README", "a/README", "a/b/x.rs", "a/b/y.txt", "a/build/o", "build/o", "docs/a/b/z", "{x}"];
        let cases: [(&str, &[&str], &[&str]); 16] = [
            ("nothing", &[], &files),
            ("a name anywhere", &["README"], &["README", "a/README"]),
            ("a name at the root", &["/README"], &["README"]),
            ("a directory anywhere", &["build/"], &["a/build/o", "build/o"]),
            ("a directory at the root", &["/build/"], &["build/o"]),
            ("a path", &["a/b"], &["a/b/x.rs", "a/b/y.txt"]),
            ("a path is anchored", &["b/x.rs"], &[]),
            ("an extension", &["*.rs"], &["a/b/x.rs"]),
            ("a star stays in its directory", &["/a/*"], &["a/README", "a/b/x.rs", "a/b/y.txt", "a/build/o"]),
            ("two stars do not", &["/docs/**/z"], &["docs/a/b/z"]),
            ("all but", &["/a/", "!/a/b/"], &["a/README", "a/build/o"]),
            ("all but, and again", &["/a/", "!/a/b/", "*.txt"], &["a/README", "a/b/y.txt", "a/build/o"]),
            ("a file named before its directory", &["!/a/README", "/a/build/", "/a/README/"], &["a/build/o"]),
            ("a directory pattern takes no file", &["README/"], &[]),
            ("braces are letters", &["{x}"], &["{x}"]),
            ("climbing matches nothing", &["../x"], &[]),
        ];
        for (name, patterns, want) in cases {
            let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            let sparse = Sparse::of(&patterns).unwrap();
            let mut selection = sparse.selection();
            let got: Vec<&str> = files.into_iter().filter(|file| selection.takes(file)).collect();
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let long = "x".repeat(5000);
        for (name, pattern) in
            [("a class", "[z-a]"), ("a line end", "a\nb"), ("too long", &long), ("a comment", "# x")]
        {
            assert!(Sparse::of(&[pattern.to_owned()]).is_err(), "{name}");
        }
    }
}

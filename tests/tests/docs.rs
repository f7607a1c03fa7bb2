//! What the documentation shows is true: its examples are valid, run, and print what it says; its links lead
//! somewhere.
//!
//! A block of YAML that begins with `version:` is a whole file. A comment right above it says what is done with it:
//!
//! - `<!-- run: WORKFLOW [ARGUMENTS] -> LINE -->`: it runs as `o/example`, and some step prints the line.
//! - `<!-- repo: OWNER/REPO -->`: it lies in the set of all runs of its document.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a document that cannot be read fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use tako_tests::binary::workspace;
use tako_tests::home::Home;

/// A whole file in a document.
struct Example {
    document: PathBuf,
    /// Line of its fence, from 1.
    line: usize,
    role: Role,
    text: String,
}

enum Role {
    /// It is only checked.
    Shown,
    /// It lies in the set under this name.
    Repository(String),
    /// It runs.
    Run { arguments: Vec<String>, prints: String },
}

impl Example {
    fn place(&self) -> String {
        format!("{}:{}", self.document.display(), self.line)
    }
}

#[test]
fn examples_are_valid() {
    let home = Home::new();
    let file = home.path().join("tako.yml");
    for example in examples() {
        fs::write(&file, &example.text).unwrap();
        let finished = home.tako(&["validate", file.to_str().unwrap()]);
        assert_eq!(finished.code, Some(0), "{}: {}", example.place(), finished.stderr);
        assert!(is_clean(&finished.stderr), "{}: {}", example.place(), finished.stderr);
    }
}

#[test]
fn examples_are_clean() {
    let home = Home::new();
    let file = home.path().join("tako.yml");
    for example in examples() {
        fs::write(&file, &example.text).unwrap();
        let finished = home.tako(&["lint", file.to_str().unwrap()]);
        assert_eq!(finished.code, Some(0), "{}: {}", example.place(), finished.stdout);
        assert!(is_clean(&finished.stdout), "{}: {}", example.place(), finished.stdout);
    }
}

/// Whether nothing is warned of but what has no effect yet: the language has it all the same.
fn is_clean(told: &str) -> bool {
    told.lines().filter(|line| line.starts_with("warning[")).all(|line| line.starts_with("warning[TK0311]"))
}

#[test]
fn examples_do_what_they_say() {
    let all = examples();
    let mut ran = 0;
    for example in &all {
        let Role::Run { arguments, prints } = &example.role else { continue };
        let home = Home::new();
        for other in all.iter().filter(|other| other.document == example.document) {
            if let Role::Repository(name) = &other.role {
                home.add(name, &other.text);
            }
        }
        home.add("o/example", &example.text);
        let command: Vec<&str> =
            ["exec", "--repo=o/example"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        let finished = home.tako(&command);
        let said = format!("{}\n{}\n{}", example.place(), finished.stdout, finished.stderr);
        assert_eq!(finished.code, Some(0), "{said}");
        let mut lines = finished.stdout.lines().filter_map(|line| line.strip_prefix('[')?.split_once("] "));
        assert!(lines.any(|(_, text)| text == prints), "nothing printed `{prints}`: {said}");
        ran += 1;
    }
    assert!(ran > 0, "the documents have no example that runs");
}

#[test]
fn links_lead_somewhere() {
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for target in links(&text) {
            let (path, anchor) = target.split_once('#').map_or((target, None), |(path, at)| (path, Some(at)));
            if path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            let file = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            assert!(file.exists(), "{}: there is no {target}", document.display());
            if let Some(anchor) = anchor {
                let headings = headings(&fs::read_to_string(&file).unwrap());
                assert!(
                    headings.iter().any(|known| known == anchor),
                    "{}: there is no {target}",
                    document.display()
                );
            }
        }
    }
}

/// The Markdown files at the root and in `docs/`.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in [workspace().to_owned(), workspace().join("docs")] {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        found.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    found.sort();
    found
}

fn examples() -> Vec<Example> {
    documents().iter().flat_map(|document| examples_of(document)).collect()
}

fn examples_of(document: &Path) -> Vec<Example> {
    let text = fs::read_to_string(document).unwrap();
    let mut found = Vec::new();
    let mut role = Role::Shown;
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let block: Option<String> = line.starts_with("```").then(|| {
            lines
                .by_ref()
                .map(|(_, line)| line)
                .take_while(|line| *line != "```")
                .flat_map(|line| [line, "\n"])
                .collect()
        });
        match block {
            Some(text) if line == "```yaml" && text.starts_with("version:") => {
                let role = std::mem::replace(&mut role, Role::Shown);
                found.push(Example { document: document.to_owned(), line: index + 1, role, text });
            }
            _ => {
                let place = format!("{}:{index}", document.display());
                assert!(matches!(role, Role::Shown), "{place}: the comment stands above no whole file");
                role = comment(line).unwrap_or_else(|| panic!("{place}: the comment below is malformed"));
            }
        }
    }
    found
}

/// What a line says about the block below it; `None` if it tries to and does not.
fn comment(line: &str) -> Option<Role> {
    let inside = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
    let Some((word, rest)) = inside.and_then(|inside| inside.split_once(": ")) else {
        return Some(Role::Shown);
    };
    match word {
        "repo" => Some(Role::Repository(rest.to_owned())),
        "run" => {
            let (arguments, prints) = rest.split_once(" -> ")?;
            let arguments = arguments.split_whitespace().map(str::to_owned).collect();
            Some(Role::Run { arguments, prints: prints.to_owned() })
        }
        _ => None,
    }
}

/// The targets of a document's links; what stands in code is none.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        // Outside of backticks is every other part; where a link's text is code, its target begins the next one.
        for prose in line.split('`').step_by(2).filter(|_| !fenced) {
            let starts = prose.match_indices("](").map(|(at, opening)| &prose[at + opening.len()..]);
            found.extend(starts.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target));
        }
    }
    found
}

/// A document's headings as GitHub makes anchors of them.
fn headings(text: &str) -> Vec<String> {
    let anchor = |title: &str| {
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

//! `docs/checks.md` is true: every code has a section with its meaning, its bad examples get the code, its good ones do
//! not.
//!
//! The info string of an example says what it is: `yaml bad`, `yaml good`, and behind that
//!
//! - `OWNER/REPO`: the file of that repository; examples that follow each other make a set
//! - `before`: the file as it was, for the one behind it
//! - `padded`: comments make it larger than a file may be
//! - `control`: `␇` stands for the control character U+0007
//! - `repeat=N`: N repositories have this file, `my-org/service-1` and so on
//! - `file=PATH`: not a `tako.yml`, but another file of its repository

#![expect(clippy::unwrap_used, clippy::panic, reason = "a document that cannot be read fails the test")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;

use tako_lint::{Around, Files, Linted, Member, check, check_set, evolution};
use tako_schemas::code;
use tako_schemas::diagnostic::SourceFile;
use tako_schemas::id::RepoRef;
use tako_steps::Registry;
use tako_tests::binary::workspace;

/// A section of the document.
#[derive(Default)]
struct Section {
    code: String,
    title: String,
    severities: String,
    /// Groups of examples that follow each other.
    groups: Vec<Group>,
}

#[derive(Default)]
struct Group {
    bad: bool,
    line: usize,
    files: Vec<Example>,
}

struct Example {
    words: Vec<String>,
    text: String,
}

impl Example {
    fn is(&self, word: &str) -> bool {
        self.words.iter().any(|known| known == word)
    }

    fn repo(&self) -> RepoRef {
        let named = self.words.iter().find_map(|word| word.parse::<RepoRef>().ok());
        named.unwrap_or_else(|| "my-org/example".parse().unwrap())
    }

    fn path(&self) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix("file="))
    }

    fn source(&self) -> SourceFile {
        let mut text = self.text.clone();
        if self.is("padded") {
            while text.len() <= 1 << 20 {
                text.push_str("# nothing to see here\n");
            }
        }
        if self.is("control") {
            text = text.replace('␇', "\u{7}");
        }
        SourceFile::new("tako.yml", text)
    }
}

/// Files beside a `tako.yml`.
struct Beside(HashMap<String, String>);

impl Files for Beside {
    fn read(&self, path: &str) -> Option<String> {
        self.0.get(path).cloned()
    }
}

fn sections() -> Vec<Section> {
    let text = fs::read_to_string(workspace().join("docs/checks.md")).unwrap();
    let mut sections: Vec<Section> = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    let mut adjacent = false;
    while let Some((at, line)) = lines.next() {
        if let Some(code) = line.strip_prefix("### ") {
            sections.push(Section { code: code.to_owned(), ..Section::default() });
            adjacent = false;
        } else if let (Some(title), Some(section)) = (line.strip_prefix("**"), sections.last_mut()) {
            if let Some((title, severities)) = title.split_once("** · ").filter(|_| section.title.is_empty())
            {
                (section.title, section.severities) = (title.to_owned(), severities.to_owned());
            }
            adjacent = false;
        } else if let Some(info) = line.strip_prefix("```") {
            let body: String = lines
                .by_ref()
                .map(|(_, line)| line)
                .take_while(|line| *line != "```")
                .flat_map(|line| [line, "\n"])
                .collect();
            let words: Vec<String> = info.split_whitespace().map(str::to_owned).collect();
            let bad = words.iter().any(|word| word == "bad");
            if !bad && !words.iter().any(|word| word == "good") {
                continue;
            }
            let section = sections.last_mut().unwrap_or_else(|| panic!("line {at}: an example of nothing"));
            if !(adjacent && section.groups.last().is_some_and(|group| group.bad == bad)) {
                section.groups.push(Group { bad, line: at + 1, files: Vec::new() });
            }
            let files = &mut section.groups.last_mut().unwrap().files;
            match words.iter().find_map(|word| word.strip_prefix("repeat=")?.parse::<usize>().ok()) {
                None => files.push(Example { words, text: body }),
                Some(count) => files.extend((1..=count).map(|number| Example {
                    words: vec!["bad".to_owned(), format!("my-org/service-{number}")],
                    text: body.clone(),
                })),
            }
            adjacent = true;
        } else if !line.is_empty() {
            adjacent = false;
        }
    }
    sections
}

/// Every code that the linter reports for a group, with its severity.
fn reported(group: &Group) -> BTreeMap<&'static str, String> {
    let manifests: Vec<&Example> = group.files.iter().filter(|file| file.path().is_none()).collect();
    let beside = |repo: &RepoRef| {
        let others = group.files.iter().filter(|file| file.repo() == *repo);
        Beside(others.filter_map(|file| Some((file.path()?.to_owned(), file.text.clone()))).collect())
    };
    let read = |file: &&Example| {
        let (repo, source) = (file.repo(), file.source());
        let files = beside(&repo);
        let around = Around { steps: &Registry, repo: Some(&repo.repo), files: &files };
        let linted = check(&source, around);
        (repo, source, files, linted)
    };
    let all: Vec<(RepoRef, SourceFile, Beside, Linted)> = manifests.iter().map(read).collect();
    let members: Vec<Member<'_>> = all
        .iter()
        .map(|(repo, source, files, linted)| Member {
            repo: repo.clone(),
            source,
            manifest: linted.manifest.as_ref(),
            files,
        })
        .collect();
    let mut found: Vec<_> = Vec::new();
    if let (Some(before), [old, new]) = (manifests.first().filter(|file| file.is("before")), &members[..]) {
        assert!(before.is("before"));
        found.extend(evolution(old, new));
    } else {
        found.extend(all.iter().flat_map(|(.., linted)| linted.diagnostics.clone()));
        if members.len() > 1 {
            found.extend(check_set(&members, true).into_iter().flatten());
        }
    }
    let mut codes: BTreeMap<&'static str, String> = BTreeMap::new();
    for diagnostic in found {
        codes.entry(diagnostic.code).or_insert_with(|| diagnostic.severity.to_string());
    }
    codes
}

#[test]
fn every_code_has_a_section() {
    let documented: Vec<(String, String)> =
        sections().into_iter().map(|section| (section.code, section.title.to_lowercase())).collect();
    let known: Vec<(String, String)> =
        code::ALL.iter().map(|(code, meaning)| ((*code).to_owned(), meaning.trim().to_lowercase())).collect();
    for pair in &known {
        assert!(documented.contains(pair), "docs/checks.md has no section {pair:?}");
    }
    assert_eq!(documented.len(), known.len(), "docs/checks.md has sections of no code, or two of one");
    assert!(documented.is_sorted(), "the sections are in order");
}

#[test]
fn examples_get_what_their_section_says() {
    let mut wrong = String::new();
    for section in sections() {
        let bad = section.groups.iter().filter(|group| group.bad).count();
        if bad == 0 || bad == section.groups.len() {
            _ = writeln!(wrong, "{}: wants a bad and a good example", section.code);
        }
        for group in &section.groups {
            let codes = reported(group);
            let place = format!("{} (docs/checks.md:{})", section.code, group.line);
            match codes.get(section.code.as_str()) {
                Some(severity) if group.bad && !section.severities.contains(severity.as_str()) => {
                    _ = writeln!(wrong, "{place}: it is {severity}, not {}", section.severities);
                }
                Some(_) if group.bad => {}
                Some(_) => _ = writeln!(wrong, "{place}: the good example gets the code"),
                None if group.bad => _ = writeln!(wrong, "{place}: the bad example gets {codes:?}"),
                None => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

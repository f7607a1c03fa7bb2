//! Commands that run what they read or are given as code.

use crate::shell::{Command, Word};

/// Shells, which run what they read, and what follows `-c`.
pub(super) const SHELLS: [&str; 7] = ["sh", "bash", "zsh", "dash", "ash", "ksh", "fish"];

/// Programs that run a shell where it stands among their arguments, and hand over what they read.
const CARRIERS: [&str; 8] = ["docker", "podman", "kubectl", "su", "chroot", "nsenter", "unshare", "flock"];

/// Where the code is that a command runs.
pub(super) enum Code<'c, 's> {
    /// It comes in on standard input.
    Stdin,
    /// It stands in these words.
    Words(Vec<&'c Word<'s>>),
}

/// How a language takes code among its arguments.
struct Language {
    name: &'static str,
    /// Letters behind which code stands, in an option of one or several letters.
    code: &'static str,
    /// Letters behind which another value stands.
    valued: &'static str,
    /// Words behind which code stands.
    words: &'static [&'static str],
}

const LANGUAGES: [Language; 7] = [
    Language { name: "python", code: "c", valued: "WX", words: &[] },
    Language { name: "perl", code: "eE", valued: "IMmiFxCD", words: &[] },
    Language { name: "ruby", code: "e", valued: "IriFxCE", words: &[] },
    Language { name: "node", code: "ep", valued: "rC", words: &["--eval", "--print"] },
    Language { name: "php", code: "rBRE", valued: "cdz", words: &["--run"] },
    Language { name: "deno", code: "", valued: "", words: &["eval"] },
    Language { name: "bun", code: "e", valued: "r", words: &["--eval"] },
];

/// The code that a command runs, if it is not a file of the workspace.
pub(super) fn code_of<'c, 's>(command: &'c Command<'s>) -> Option<Code<'c, 's>> {
    let program = command.program();
    let arguments: Vec<&Word<'s>> = command.arguments().collect();
    if SHELLS.contains(&program) {
        return of_shell(&arguments);
    }
    // `python3.12` is `python`.
    let plain = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if let Some(language) = LANGUAGES.iter().find(|language| language.name == plain) {
        return of_language(language, &arguments);
    }
    match program {
        "eval" => some_words(arguments),
        "trap" => some_words(arguments.into_iter().take(1).collect()),
        // What it reads is a file, and whose name somebody may choose is another matter.
        "source" | "." => of_file(arguments.first()?),
        "ssh" => of_ssh(&arguments),
        "su" if arguments.iter().any(|word| matches!(word.text, "-c" | "--command")) => {
            let behind = arguments.into_iter().skip_while(|word| !matches!(word.text, "-c" | "--command"));
            some_words(behind.skip(1).take(1).collect())
        }
        "awk" | "gawk" | "mawk" => of_awk(&arguments),
        // They only show the words.
        "echo" | "printf" => None,
        // A shell among the arguments of another program, as in `find -exec sh -c …`.
        _ => {
            let shell = arguments.iter().position(|word| SHELLS.contains(&word.name()))?;
            // The shell that a user gets: `useradd -s /bin/bash`.
            let before = shell.checked_sub(1).map_or("", |before| arguments[before].text);
            if matches!(before, "-s" | "--shell") {
                return None;
            }
            match of_shell(&arguments[shell + 1..])? {
                Code::Stdin if !CARRIERS.contains(&program) => None,
                code => Some(code),
            }
        }
    }
}

fn some_words<'c, 's>(words: Vec<&'c Word<'s>>) -> Option<Code<'c, 's>> {
    (!words.is_empty()).then_some(Code::Words(words))
}

/// Code in a file that is none of the workspace.
fn of_file<'c, 's>(file: &'c Word<'s>) -> Option<Code<'c, 's>> {
    match file.plain() {
        "/dev/stdin" | "-" => Some(Code::Stdin),
        name if ["<(", "$(", "`"].iter().any(|mark| name.starts_with(mark)) => Some(Code::Words(vec![file])),
        _ => None,
    }
}

fn of_shell<'c, 's>(arguments: &[&'c Word<'s>]) -> Option<Code<'c, 's>> {
    let (mut code, mut stdin) = (false, false);
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        match word.text {
            "-" | "--" => return operand(code, stdin, rest.next()),
            "--rcfile" | "--init-file" => _ = rest.next(),
            long if long.starts_with("--") => {}
            options if options.starts_with(['-', '+']) => {
                code |= options.starts_with('-') && options.contains('c');
                stdin |= options.contains('s');
                // Names of settings stand behind them.
                let named = options.bytes().filter(|b| matches!(b, b'o' | b'O')).count();
                rest.by_ref().take(named).for_each(drop);
            }
            _ => return operand(code, stdin, Some(word)),
        }
    }
    operand(code, stdin, None)
}

/// `code`, `stdin`: whether `-c` and `-s` were among the options of a shell.
fn operand<'c, 's>(code: bool, stdin: bool, first: Option<&&'c Word<'s>>) -> Option<Code<'c, 's>> {
    match first {
        Some(first) if code => Some(Code::Words(vec![first])),
        None if code => None,
        Some(file) if !stdin => of_file(file),
        _ => Some(Code::Stdin),
    }
}

fn of_language<'c, 's>(language: &Language, arguments: &[&'c Word<'s>]) -> Option<Code<'c, 's>> {
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        let long = word.text.split_once('=').map(|(name, _)| name);
        if long.is_some_and(|name| language.words.contains(&name)) {
            return Some(Code::Words(vec![word]));
        }
        if language.words.contains(&word.text) {
            return some_words(rest.next().copied().into_iter().collect());
        }
        let Some(letters) = word.text.strip_prefix('-') else { return of_file(word) };
        if letters.is_empty() {
            return Some(Code::Stdin);
        }
        if letters.starts_with('-') {
            continue;
        }
        for (at, letter) in letters.char_indices() {
            let last = at + letter.len_utf8() == letters.len();
            // A module, or a file, which are none of this.
            if matches!((letter, language.name), ('m', "python") | ('f', "php")) {
                return None;
            }
            if language.code.contains(letter) {
                let last = last || letters[at..].chars().all(|letter| language.code.contains(letter));
                let code = if last { rest.next().copied() } else { Some(*word) };
                return some_words(code.into_iter().collect());
            }
            if language.valued.contains(letter) {
                // Of Perl and Ruby the value stands in the same word, or there is none.
                if last && !matches!(language.name, "perl" | "ruby") {
                    rest.next();
                }
                break;
            }
        }
    }
    Some(Code::Stdin)
}

/// The first word that is no option is the program, unless it stands in a file.
fn of_awk<'c, 's>(arguments: &[&'c Word<'s>]) -> Option<Code<'c, 's>> {
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        match word.text {
            "-f" | "--file" => return None,
            "-F" | "-v" => _ = rest.next(),
            option if option.starts_with('-') => {}
            _ => return Some(Code::Words(vec![word])),
        }
    }
    None
}

/// The shell at the other end reads all words behind the host as one script.
fn of_ssh<'c, 's>(arguments: &[&'c Word<'s>]) -> Option<Code<'c, 's>> {
    const VALUED: &str = "bcDEeFIiJLlmOopQRSWw";
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        let Some(letters) = word.text.strip_prefix('-') else {
            let words: Vec<_> = rest.copied().collect();
            return Some(if words.is_empty() { Code::Stdin } else { Code::Words(words) });
        };
        if letters.len() == 1 && VALUED.contains(letters) {
            rest.next();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::read;

    #[test]
    fn where_code_stands() {
        let cases = [
            ("sh", "stdin"),
            ("bash -s -- -y", "stdin"),
            ("bash -", "stdin"),
            ("bash script.sh a", "none"),
            ("bash -c 'a' b", "'a'"),
            ("bash -eo pipefail -c 'a'", "'a'"),
            ("bash -ceo pipefail 'a'", "'a'"),
            ("bash --rcfile x -c 'a'", "'a'"),
            ("bash +o posix 'a'", "none"),
            ("bash <(curl x)", "<(curl x)"),
            ("bash /dev/stdin", "stdin"),
            ("eval a $X", "a $X"),
            ("source ./env", "none"),
            ("source /dev/stdin", "stdin"),
            (". <(curl x)", "<(curl x)"),
            ("python3 -c 'a'", "'a'"),
            ("python3 -uc 'a'", "'a'"),
            ("python3 -W ignore -c 'a'", "'a'"),
            ("python3 -m json.tool", "none"),
            ("python3 -", "stdin"),
            ("python3.12 -c 'a'", "'a'"),
            ("node -pe 'a'", "'a'"),
            ("node --eval='a'", "--eval='a'"),
            ("php -f x.php", "none"),
            ("awk -F: 'a' x", "'a'"),
            ("awk -f x.awk", "none"),
            ("useradd -s /bin/bash -c 'a' me", "none"),
            ("timeout --signal KILL 5 bash -c 'a'", "'a'"),
            ("sudo -iu me bash -c 'a'", "'a'"),
            ("perl -lane 'a'", "'a'"),
            ("perl -pi -e 'a'", "'a'"),
            ("perl -Mstrict x.pl", "none"),
            ("ruby -rjson -e 'a'", "'a'"),
            ("node -e 'a'", "'a'"),
            ("node x.js", "none"),
            ("php -r 'a'", "'a'"),
            ("deno eval 'a'", "'a'"),
            ("docker run -i x sh -ec 'a'", "'a'"),
            ("docker run -i x sh", "stdin"),
            ("find . -exec sh -c 'a' ';'", "'a'"),
            ("find . -name sh", "none"),
            ("xargs sh -c 'a'", "'a'"),
            ("su - me -c 'a'", "'a'"),
            ("ssh -p 22 host a b", "a b"),
            ("ssh host", "stdin"),
            ("trap 'a' EXIT", "'a'"),
            ("echo bash -c a", "none"),
        ];
        for (source, want) in cases {
            let script = read(source);
            let got = match code_of(&script.commands[0]) {
                None => "none".to_owned(),
                Some(Code::Stdin) => "stdin".to_owned(),
                Some(Code::Words(words)) => words.iter().map(|word| word.text).collect::<Vec<_>>().join(" "),
            };
            assert_eq!(got, want, "{source}");
        }
    }
}

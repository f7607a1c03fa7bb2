//! Which variables a step may set for the steps behind it.
//!
//! What a step writes to `$TAKO_ENV` may come from what it processed. A variable that makes the next step's shell,
//! loader or interpreter run something else is refused, so that data cannot become commands.

/// Why a variable cannot be set for later steps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvNameError {
    /// It is no name that shells can use.
    #[error(
        "`{name}` is not the name of a variable: begin with a letter or `_`; letters, digits and `_` may follow"
    )]
    Malformed {
        /// As written.
        name: String,
    },
    /// It would change more than a variable.
    #[error("`{name}` cannot be set for later steps: {reason}")]
    Refused {
        /// The variable.
        name: String,
        /// What it does.
        reason: &'static str,
    },
}

impl EnvNameError {
    /// What the reader can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Malformed { .. } => None,
            Self::Refused { name, .. } if name == "PATH" => Some("write the directory to `$TAKO_PATH`"),
            Self::Refused { .. } => Some("set it in the `env` of the steps that need it"),
        }
    }
}

/// Refused names, and the reason. A `*` at the end stands for any rest.
///
/// What many workflows set for good reasons (`PYTHONPATH`, `CC`, `CARGO_HOME`, `DOCKER_BUILDKIT`) is not among them.
const REFUSED: [(&[&str], &str); 9] = [
    (&["LD_*", "DYLD_*", "GCONV_PATH", "GLIBC_TUNABLES"], "it changes which code programs load"),
    (&["PATH"], "it changes which programs run"),
    (
        &[
            "BASH_ENV",
            "ENV",
            "IFS",
            "SHELLOPTS",
            "BASHOPTS",
            "BASH_FUNC_*",
            "PS4",
            "PROMPT_COMMAND",
            "ZDOTDIR",
            "CDPATH",
            "GLOBIGNORE",
        ],
        "it changes what shells do",
    ),
    (
        &[
            "NODE_OPTIONS",
            "PYTHONSTARTUP",
            "PYTHONHOME",
            "PYTHONINSPECT",
            "PERL5OPT",
            "PERL5DB",
            "RUBYOPT",
            "LUA_INIT",
            "LUA_INIT_*",
            "JAVA_TOOL_OPTIONS",
            "JDK_JAVA_OPTIONS",
            "_JAVA_OPTIONS",
        ],
        "it changes what an interpreter runs",
    ),
    (
        &[
            "DOCKER_HOST",
            "DOCKER_CONTEXT",
            "DOCKER_CONFIG",
            "DOCKER_CERT_PATH",
            "DOCKER_TLS_VERIFY",
            "CONTAINER_HOST",
        ],
        "it changes which container engine is talked to",
    ),
    (
        &["MAKEFILES", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "npm_config_script_shell"],
        "it changes what build tools run",
    ),
    (&["GIT_*", "SSH_ASKPASS"], "it changes what git runs"),
    (&["TAKO_*"], "such names belong to Tako"),
    (&["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"], "such names belong to Tako"),
];

/// Whether `$TAKO_ENV` may set `name`.
///
/// # Errors
///
/// It is no name, or one of those that change how programs run.
pub fn check_env_name(name: &str) -> Result<(), EnvNameError> {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_name {
        return Err(EnvNameError::Malformed { name: name.to_owned() });
    }
    let matches = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *pattern,
    };
    match REFUSED.iter().find(|(patterns, _)| patterns.iter().any(matches)) {
        Some((_, reason)) => Err(EnvNameError::Refused { name: name.to_owned(), reason }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in [
            "A",
            "_a1",
            "VERSION",
            "HOME",
            "PYTHONPATH",
            "GOFLAGS",
            "LD",
            "MY_PATH",
            "GITHUB_TOKEN",
            "DOCKER_BUILDKIT",
            "tako_x",
        ] {
            assert_eq!(check_env_name(name), Ok(()), "{name}");
        }
        for name in ["", "1A", "A-B", "A B", "A=B", "A\n", "É", "BASH_FUNC_ls%%"] {
            assert_eq!(check_env_name(name), Err(EnvNameError::Malformed { name: name.to_owned() }));
        }
        for name in [
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "DYLD_INSERT_LIBRARIES",
            "PATH",
            "BASH_ENV",
            "ENV",
            "IFS",
            "SHELLOPTS",
            "NODE_OPTIONS",
            "PYTHONSTARTUP",
            "DOCKER_HOST",
            "DOCKER_CONTEXT",
            "TAKO_OUTPUT",
            "TAKO_",
            "GIT_DIR",
            "GIT_SSH_COMMAND",
            "GITHUB_ENV",
            "GITHUB_STEP_SUMMARY",
        ] {
            let error = check_env_name(name).unwrap_err();
            assert!(matches!(error, EnvNameError::Refused { .. }), "{name}");
            assert!(error.hint().is_some() && error.to_string().contains(name), "{name}");
        }
    }
}

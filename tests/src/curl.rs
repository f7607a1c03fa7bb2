//! HTTP as people try it out: by the `curl` program.

#![expect(clippy::expect_used, reason = "a harness that cannot do its work fails the test")]

use std::io::Write;
use std::process::{Command, Stdio};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The status and body of the answer to `curl <arguments>`; status 0 and what curl says where there was none.
///
/// # Panics
///
/// If curl is not installed.
#[must_use]
pub fn curl(arguments: &[&str]) -> (u16, String) {
    send(arguments, b"")
}

/// The same, with `body` as it is: `POST` where the arguments name no other method.
///
/// # Panics
///
/// If curl is not installed.
#[must_use]
pub fn curl_with(arguments: &[&str], body: &[u8]) -> (u16, String) {
    send(&[&["--data-binary", "@-"], arguments].concat(), body)
}

fn send(arguments: &[&str], body: &[u8]) -> (u16, String) {
    let mut curl = Command::new("curl");
    // Nothing of the user's configuration, and no proxy between a test and its server. `-q` has to come first.
    curl.args(["-q", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60"])
        .args(["--write-out", "\n%{http_code}"])
        .args(arguments);
    let mut child = curl
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("curl is installed");
    let input = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // A server may answer before it has read everything: that is for the test to judge.
        scope.spawn(move || input.map(|mut input| input.write_all(body)));
        child.wait_with_output()
    })
    .expect("curl ends");
    let text = String::from_utf8_lossy(&output.stdout);
    let (answer, status) = text.rsplit_once('\n').unwrap_or(("", ""));
    match status.parse() {
        Ok(status) if status > 0 => (status, answer.to_owned()),
        _ => (0, String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// What GitHub sends as `X-Hub-Signature-256` with `body`.
///
/// # Panics
///
/// Never: HMAC takes keys of any length.
#[must_use]
pub fn github_signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(body);
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::HttpServer;
    use crate::port::ReservedPort;

    #[test]
    fn signatures_are_as_github_documents_them() {
        // The example in GitHub's "Validating webhook deliveries".
        assert_eq!(
            github_signature("It's a Secret to Everybody", b"Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }

    #[test]
    fn answers_have_a_status_and_a_body() {
        let server = HttpServer::builder().tls().fail(503);
        let trust = ["--cacert", server.ca_file().to_str().unwrap(), &server.url()];
        assert_eq!(curl(&trust), (503, String::new()));
        assert_eq!(curl_with(&trust, b"hello"), (503, String::new()));
        let methods: Vec<String> = server.log().into_iter().map(|access| access.method).collect();
        assert_eq!(methods, ["GET", "POST"]);
        let nobody = format!("http://{}", ReservedPort::new().address());
        let (status, said) = curl(&[&nobody]);
        assert_eq!(status, 0);
        assert!(said.starts_with("curl: (7)"), "{said}");
    }
}

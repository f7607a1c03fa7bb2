//! `git http-backend` as CGI.

use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;

use super::message::{Answer, Request};
use crate::git::command;

/// Has `git http-backend` answer for the repositories below `root`.
pub(super) fn answer(root: &Path, request: &Request) -> io::Result<Answer> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let mut command = command(root);
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("REMOTE_ADDR", "127.0.0.1");
    for (header, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
        ("authorization", "REMOTE_USER"),
    ] {
        if let Some(value) = request.header(header) {
            command.env(variable, value);
        }
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let input = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.map(|mut input| input.write_all(&request.body)));
        child.wait_with_output()
    })?;
    let end = output.stdout.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or_else(|| io::Error::other("git http-backend answered without a header"))?;
    let mut answer = Answer { body: output.stdout[end + 4..].to_vec(), ..Answer::plain(200) };
    for line in String::from_utf8_lossy(&output.stdout[..end]).lines() {
        match line.split_once(':') {
            Some(("Status", value)) => {
                answer.status = value.trim().get(..3).and_then(|code| code.parse().ok()).unwrap_or(500);
            }
            Some((name, value)) => answer.headers.push((name.to_owned(), value.trim().to_owned())),
            None => {}
        }
    }
    Ok(answer)
}

//! What is made of answers, and of none.

use std::time::Duration;

use tako_engine::port::{Journal, JournalError, Tree};
use tako_engine::wire::{Start, Started};

use super::server::{Fate, Server};
use super::{SECRET, client_at, run, soon};
use crate::{Client, ClientConfig, ClientError, RemoteJournal, RemoteTree, Token, hint};

fn says(head: &str, body: &str) -> Fate {
    Fate::Says(format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

fn start() -> Start {
    Start {
        repo: "acme/site:main".parse().unwrap(),
        workflow: "build".to_owned(),
        inputs: indexmap_of(&[("a", "b")]),
    }
}

fn indexmap_of(pairs: &[(&str, &str)]) -> indexmap::IndexMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An error in full, as a user or a log may see it.
fn everything(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error:?} {error}");
    let mut next = error.source();
    while let Some(source) = next {
        text += &format!(": {source:?} {source}");
        next = source.source();
    }
    text
}

#[tokio::test]
async fn answers_and_what_they_mean() {
    const JSON: &str = "content-type: application/json";
    let refused = r#"{"problem":"refused","message":"there is no workflow `build`","hint":"look"}"#;
    let cases = [
        ("a success", says(&format!("200 OK\r\n{JSON}"), &format!("{{\"run\":\"{}\"}}", run(1))), "ok"),
        ("a captive portal", says("200 OK\r\ncontent-type: text/html", "<html>"), "again: no Tako server"),
        ("a newer server", says(&format!("200 OK\r\n{JSON}"), "{\"walk\":1}"), "final: not understood"),
        ("its refusal", says("422 Unprocessable", refused), "final: there is no workflow `build`"),
        ("a revoked token", says("401 Unauthorized", ""), "final: does not accept the token"),
        ("a token for reading", says("403 Forbidden", refused), "final: does not allow this: there is no"),
        ("a proxy that has lost the server", says("404 Not Found", "nginx"), "again: no Tako server"),
        ("a proxy's limit", says("413 Too Large", "nginx"), "final: answered HTTP 413"),
        ("too many requests", says("429 Slow\r\nretry-after: 7", ""), "again after 7s: cannot answer now"),
        (
            "maintenance for years",
            says("503 No\r\nretry-after: 99999999", ""),
            "again after 300s: cannot answer",
        ),
        (
            "a date to come back",
            says("503 No\r\nretry-after: Fri, 31 Dec 1999 23:59:59 GMT", ""),
            "again: cannot answer",
        ),
        ("a bad gateway", says("502 Bad Gateway", "<html>"), "again: cannot answer now: HTTP 502"),
        (
            "trouble of its own",
            says("500 Oops", r#"{"problem":"unavailable","message":"the disk is full"}"#),
            "again: the disk is full",
        ),
        (
            "escapes for the terminal",
            says("422 X", "{\"problem\":\"refused\",\"message\":\"a\\u001b[31mb\\nc\"}"),
            "final: a [31mb c",
        ),
        ("a cut before", Fate::CutBefore, "again: cannot reach"),
        ("a cut after", Fate::CutAfter, "again: cannot reach"),
        ("a cut within", Fate::CutWithin, "again: cannot reach"),
        ("no HTTP at all", Fate::Says("SSH-2.0-OpenSSH_9.2\r\n".to_owned()), "again: cannot reach"),
    ];
    for (name, fate, want) in cases {
        let server = Server::start();
        server.plan([fate]);
        let found = match soon(client_at(&server.url()).start(&start())).await {
            Ok(Started { .. }) => "ok".to_owned(),
            Err(error) => {
                assert!(!everything(&error).contains(SECRET), "{name}");
                assert!(error.hint().is_some() || matches!(error, ClientError::Refused(_)), "{name}");
                let text = error.to_string();
                match (error.is_transient(), error.retry_after()) {
                    (true, Some(after)) => format!("again after {}s: {text}", after.as_secs()),
                    (true, None) => format!("again: {text}"),
                    (false, _) => format!("final: {text}"),
                }
            }
        };
        let (kind, part) = want.split_once(": ").unwrap_or((want, ""));
        assert!(found.starts_with(kind) && found.contains(part), "{name}: {found}");
        assert_eq!(server.requests("").len(), 1, "{name}: a start is never repeated");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (elsewhere, server) = (Server::start(), Server::start());
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{status} Moved\r\nlocation: {}/api/v1/runs", elsewhere.url());
        server.plan([says(&location, "")]);
        let error = soon(client_at(&server.url()).start(&start())).await.unwrap_err();
        assert!(
            matches!(&error, ClientError::Redirected { to, .. } if to.starts_with(&elsewhere.url())),
            "{error:?}"
        );
        assert!(matches!(JournalError::from(error), JournalError::Refused { .. }));
    }
    assert!(elsewhere.requests("").is_empty());
}

#[tokio::test]
async fn the_token_stands_in_the_header_alone() {
    let server = Server::start();
    let client = client_at(&server.url());
    let _ = soon(client.start(&start())).await;
    let request = server.requests("runs").remove(0);
    assert_eq!(request.authorization, format!("Bearer {SECRET}"));
    let config = ClientConfig::new(server.url(), Token::new(SECRET));
    for text in
        [format!("{client:?}"), format!("{config:?}"), format!("{:?}", RemoteJournal::new(client.clone()))]
    {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[tokio::test]
async fn only_a_refusal_means_that_nobody_listens() {
    let mut server = Server::down();
    let journal = RemoteJournal::new(client_at(&server.url()));
    let error = soon(journal.read(&run(1), 0)).await.unwrap_err();
    assert!(matches!(&error, JournalError::Down { place } if *place == server.url()), "{error:?}");
    assert!(hint(&error).unwrap().contains("tako server"));

    let by_name = RemoteJournal::new(client_at(&format!("http://localhost:{}", server.address.port())));
    assert!(matches!(soon(by_name.find(&run(1))).await, Err(JournalError::Down { .. })));

    server.listen();
    server.plan([Fate::CutBefore, says("503 No", ""), says("504 No", "")]);
    for _ in 0..3 {
        let error = soon(journal.read(&run(1), 0)).await.unwrap_err();
        assert!(matches!(error, JournalError::Store { .. }), "{error:?}");
        assert!(hint(&error).is_some());
    }
    let nowhere = client_at("https://tako.invalid");
    assert!(matches!(soon(nowhere.start(&start())).await, Err(ClientError::Unreachable { .. })));
    assert!(matches!(
        soon(RemoteTree::new(nowhere).cancel(&run(1), "me")).await,
        Err(JournalError::Store { .. })
    ));
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let server = Server::start();
    let client = client_at(&server.url());
    server.plan([says("200 OK\r\ncontent-type: application/json", &"[".repeat(1000))]);
    let ask = client.get(&["runs"], &[]).limit(100);
    let error = soon(client.send(ask)).await.unwrap_err();
    assert!(error.to_string().contains("longer than 100 bytes"), "{error}");
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let server = Server::start();
    let client = client_at(&server.url());
    server.plan([Fate::Hangs]);
    let ask = client.get(&["runs"], &[]).timeout(Duration::from_millis(20));
    let error = soon(client.send(ask)).await.unwrap_err();
    assert!(everything(&error).contains("no answer within 20ms"), "{}", everything(&error));
    assert!(!matches!(error, ClientError::Down { .. }));
}

#[tokio::test]
async fn registration() {
    let server = Server::start();
    server
        .plan([says("200 OK\r\ncontent-type: application/json", r#"{"name":"build-1","token":"its own"}"#)]);
    let registered =
        soon(Client::register(&server.url(), Token::new("once"), "build-1", None, false)).await.unwrap();
    assert_eq!((registered.name.as_str(), registered.token.as_str()), ("build-1", "its own"));
    let request = server.requests("register").remove(0);
    assert_eq!(
        (request.authorization.as_str(), &request.body[..]),
        ("Bearer once", &br#"{"name":"build-1"}"#[..])
    );
    assert!(matches!(
        Client::register("http://tako.example.org", Token::new("once"), "x", None, false).await,
        Err(ClientError::PlainHttp { .. })
    ));
}

#[tokio::test]
async fn certificates_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for ca_file in [directory.path().join("missing.pem"), empty] {
        let config = ClientConfig {
            ca_file: Some(ca_file.clone()),
            ..ClientConfig::new("http://127.0.0.1:1", Token::new("x"))
        };
        let error = soon(Client::new(config).unwrap().start(&start())).await.unwrap_err();
        assert!(everything(&error).contains(ca_file.to_str().unwrap()), "{error:?}");
        assert!(!error.is_transient());
    }
}

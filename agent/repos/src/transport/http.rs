//! http and https: git's smart protocol over the shared client.
//!
//! Redirects of the announcement are followed here, by hand: a few, never from https to http, and without credentials
//! as soon as one leads to another origin. What follows is posted to where the announcement came from.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, Response};
use url::Url;

use super::channel::Channel;
use super::context::sanitized;
use super::io::chain;
use super::{Context, TransportError, helper};
use crate::credentials::{Login, origin_of};

const MAX_REDIRECTS: usize = 5;

/// Where the announcement lies below a repository.
const ANNOUNCEMENT: &str = "/info/refs";

const SERVICE: &str = "service=git-upload-pack";

/// Bytes of a request: what we want, what we have, and where our history ends.
const MAX_REQUEST: usize = 64 << 20;

/// The requests of one fetch.
pub(super) struct Session {
    context: Arc<Context>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// The repository, after redirects.
    base: Option<Url>,
    /// What opens it.
    login: Option<Login>,
}

impl Session {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self { context, state: RefCell::default() }
    }

    /// Asks what the repository at `url` has.
    pub(super) fn advertisement(&self, url: &str) -> Result<Box<dyn Channel>, TransportError> {
        let asked = format!("{}{ANNOUNCEMENT}?{SERVICE}", url.trim_end_matches('/'));
        let asked = Url::parse(&asked)
            .map_err(|error| TransportError::BadUrl(format!("the URL {url} is malformed: {error}")))?;
        let mut opening = Opening::new(&self.context, &asked)?;
        let (response, url) = opening.run(asked)?;
        is_git(&response, &url, "application/x-git-upload-pack-advertisement")?;
        let mut base = url;
        let path = base.path().strip_suffix(ANNOUNCEMENT).unwrap_or_default().to_owned();
        base.set_path(&path);
        base.set_query(None);
        *self.state.borrow_mut() = State { base: Some(base.clone()), login: opening.login };
        Ok(Box::new(Answer { to: origin_of(&base), response, rest: Bytes::new() }))
    }

    /// A request to be written, and its answer.
    pub(super) fn request(&self) -> Result<Box<dyn Channel>, TransportError> {
        let state = self.state.borrow();
        let Some(base) = &state.base else {
            return Err(TransportError::BadUrl("nothing was asked of the repository before".into()));
        };
        let mut url = base.clone();
        url.set_path(&format!("{}/git-upload-pack", base.path()));
        Ok(Box::new(Exchange::Asking { url, login: state.login.clone(), request: Vec::new() }))
    }
}

/// The way to an announcement.
struct Opening<'a> {
    context: &'a Context,
    /// The origin that is configured.
    asked: String,
    login: Option<Login>,
    /// The URL that a helper's login was asked for.
    helped: Option<Url>,
    /// Whether a redirect led away from `asked`.
    away: bool,
}

impl<'a> Opening<'a> {
    fn new(context: &'a Context, url: &Url) -> Result<Self, TransportError> {
        let asked = origin_of(url);
        let login = match &context.login {
            Some(login) => Some(login.clone()),
            None => context.keyring.token_for(&asked)?,
        };
        if let Some(login) = &login {
            context.keep_secret(login);
        }
        Ok(Self { context, asked, login, helped: None, away: false })
    }

    /// Asks, follows, and asks again with credentials.
    fn run(&mut self, mut url: Url) -> Result<(Response, Url), TransportError> {
        let mut redirects = 0;
        loop {
            let response = send(self.context, Method::GET, &url, self.login.as_ref(), None)?;
            match response.status().as_u16() {
                200 => {
                    if let (Some(helped), Some(login)) = (&self.helped, &self.login) {
                        helper::report(self.context, helped, login, true);
                    }
                    return Ok((response, url));
                }
                301 | 302 | 303 | 307 | 308 => {
                    redirects += 1;
                    url = self.redirected(&url, &response, redirects)?;
                }
                401 => self.unauthorized(&url)?,
                status => return Err(TransportError::Status { to: origin_of(&url), status }),
            }
        }
    }

    fn redirected(&mut self, from: &Url, response: &Response, count: usize) -> Result<Url, TransportError> {
        let refused = |why: String| TransportError::Redirect { from: origin_of(from), why };
        if count > MAX_REDIRECTS {
            return Err(refused(format!("more than {MAX_REDIRECTS} times")));
        }
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let mut to = location
            .and_then(|location| from.join(location).ok())
            .ok_or_else(|| refused("to nowhere (it names no good Location)".into()))?;
        // Nobody but the operator hands out credentials.
        if to.set_username("").and_then(|()| to.set_password(None)).is_err() || to.cannot_be_a_base() {
            return Err(refused("to something that is no web address".into()));
        }
        match (from.scheme(), to.scheme()) {
            (_, "https") | ("http", "http") => {}
            ("https", "http") => return Err(refused(format!("from https to http ({})", origin_of(&to)))),
            (_, scheme) => return Err(refused(format!("to {}, which is not followed", sanitized(scheme)))),
        }
        if !to.path().ends_with(ANNOUNCEMENT) || to.query() != Some(SERVICE) {
            return Err(refused(format!(
                "to a page of {} that is no git repository; a login page means that credentials are missing",
                origin_of(&to)
            )));
        }
        if origin_of(&to) != self.asked {
            self.away = true;
        }
        // For good: a way back would be somebody else's choice.
        if self.away {
            self.login = None;
            self.helped = None;
        }
        Ok(to)
    }

    /// Finds credentials after a refusal, if there are any that were not tried.
    fn unauthorized(&mut self, url: &Url) -> Result<(), TransportError> {
        let to = origin_of(url);
        if self.away {
            return Err(TransportError::Redirected { to, asked: self.asked.clone() });
        }
        if let Some(login) = &self.login {
            if let Some(helped) = &self.helped {
                helper::report(self.context, helped, login, false);
            }
            return Err(TransportError::WrongCredentials { to });
        }
        let Some(credential) = self.context.keyring.of(&to).filter(|credential| credential.helper) else {
            return Err(TransportError::NoCredentials { to });
        };
        let mut repository = url.clone();
        repository.set_path(url.path().strip_suffix(ANNOUNCEMENT).unwrap_or_default());
        let login = helper::fill(self.context, &repository, credential.username.as_deref())?;
        self.context.keep_secret(&login);
        (self.login, self.helped) = (Some(login), Some(repository));
        Ok(())
    }
}

fn send(
    context: &Context,
    method: Method,
    url: &Url,
    login: Option<&Login>,
    body: Option<Vec<u8>>,
) -> Result<Response, TransportError> {
    let mut request = context.io.client(url.scheme())?.request(method, url.clone());
    if let Some(login) = login {
        let header = HeaderValue::from_str(login.basic().reveal());
        let mut header = header.map_err(|error| TransportError::BadUrl(error.to_string()))?;
        header.set_sensitive(true);
        request = request.header(AUTHORIZATION, header);
    }
    if let Some(body) = body {
        request = request.header(CONTENT_TYPE, "application/x-git-upload-pack-request").body(body);
    }
    let to = origin_of(url);
    context.wait(request.send())?.map_err(|error| match error.is_connect() {
        true => TransportError::Connect { to, reason: chain(&error) },
        false => TransportError::Broken { to, reason: chain(&error) },
    })
}

/// Refuses what is no answer of a git server, before libgit2 tries to read it.
fn is_git(response: &Response, url: &Url, wanted: &str) -> Result<(), TransportError> {
    let found =
        response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("untyped data");
    let kind = found.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    let found = match kind.eq_ignore_ascii_case("text/html") {
        true => "a web page (text/html)".to_owned(),
        false => sanitized(kind),
    };
    Err(TransportError::NotGit { to: origin_of(url), found })
}

/// An answer that is being read.
struct Answer {
    to: String,
    response: Response,
    rest: Bytes,
}

impl Answer {
    fn read(&mut self, context: &Context, buffer: &mut [u8]) -> Result<usize, TransportError> {
        while self.rest.is_empty() {
            let broken = |error| TransportError::Broken { to: self.to.clone(), reason: chain(&error) };
            match context.wait(self.response.chunk())?.map_err(broken)? {
                Some(chunk) => self.rest = chunk,
                None => return Ok(0),
            }
        }
        let part = self.rest.split_to(self.rest.len().min(buffer.len()));
        buffer[..part.len()].copy_from_slice(&part);
        Ok(part.len())
    }
}

impl Channel for Answer {
    fn read(&mut self, context: &Context, buffer: &mut [u8]) -> Result<usize, TransportError> {
        Self::read(self, context, buffer)
    }

    fn write(&mut self, _: &Context, _: &[u8]) -> Result<(), TransportError> {
        Err(TransportError::BadUrl("an announcement takes no request".into()))
    }
}

/// A request until it is read from, then its answer.
enum Exchange {
    Asking { url: Url, login: Option<Login>, request: Vec<u8> },
    Answered(Answer),
}

impl Channel for Exchange {
    fn read(&mut self, context: &Context, buffer: &mut [u8]) -> Result<usize, TransportError> {
        if let Self::Asking { url, login, request } = self {
            let response = send(context, Method::POST, url, login.as_ref(), Some(std::mem::take(request)))?;
            let to = origin_of(url);
            match response.status().as_u16() {
                200 => is_git(&response, url, "application/x-git-upload-pack-result")?,
                401 if login.is_some() => return Err(TransportError::WrongCredentials { to }),
                401 => return Err(TransportError::NoCredentials { to }),
                300..=399 => {
                    let why = "a request that it announced to take".to_owned();
                    return Err(TransportError::Redirect { from: to, why });
                }
                status => return Err(TransportError::Status { to, status }),
            }
            *self = Self::Answered(Answer { to, response, rest: Bytes::new() });
        }
        match self {
            Self::Answered(answer) => answer.read(context, buffer),
            Self::Asking { .. } => Ok(0),
        }
    }

    fn write(&mut self, _: &Context, bytes: &[u8]) -> Result<(), TransportError> {
        match self {
            Self::Asking { request, .. } if request.len() + bytes.len() <= MAX_REQUEST => {
                request.extend_from_slice(bytes);
                Ok(())
            }
            Self::Asking { .. } => Err(TransportError::BadUrl("the request grows too large".into())),
            Self::Answered(_) => Err(TransportError::BadUrl("the request was answered already".into())),
        }
    }
}

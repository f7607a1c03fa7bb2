//! Who asks: tokens, and what their bearers may do.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use lru::LruCache;
use tako_engine::port::{Grant, Role, TokenHash};
use tokio::time::Instant;

use crate::app::App;
use crate::refusal::Refusal;
use crate::token::hash;

/// Roles that may see.
pub(crate) const READ: &[Role] = &[Role::Read, Role::Trigger, Role::Admin];
/// Roles that may let things happen.
pub(crate) const TRIGGER: &[Role] = &[Role::Trigger, Role::Admin];
/// Agents alone.
pub(crate) const AGENT: &[Role] = &[Role::Agent];
/// Roles that may see, and agents, where the handler looks at which runs are theirs.
pub(crate) const AGENT_OR_READ: &[Role] = &[Role::Agent, Role::Read, Role::Trigger, Role::Admin];
/// Roles that may let things happen, and agents, where the handler looks at which runs are theirs.
pub(crate) const AGENT_OR_TRIGGER: &[Role] = &[Role::Agent, Role::Trigger, Role::Admin];
/// Registration tokens alone.
pub(crate) const REGISTRATION: &[Role] = &[Role::Registration];

/// A token is never longer than this.
const LONGEST_TOKEN: usize = 256;

/// Whoever sent a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// What the token is good for.
    pub(crate) grant: Grant,
    /// Which token.
    pub(crate) hash: TokenHash,
}

impl Caller {
    /// The name of the agent that asks, if one does.
    pub(crate) fn agent(&self) -> Option<&str> {
        (self.grant.role == Role::Agent).then_some(self.grant.name.as_str())
    }
}

/// Tokens that were found in force a moment ago.
#[derive(Debug)]
pub(crate) struct Trusted(Mutex<LruCache<TokenHash, (Grant, Instant)>>);

impl Default for Trusted {
    fn default() -> Self {
        const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1024 - 1);
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl Trusted {
    fn get(&self, hash: &TokenHash) -> Option<Grant> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (grant, until) = known.get(hash)?;
        (Instant::now() < *until).then(|| grant.clone())
    }

    fn put(&self, hash: TokenHash, grant: Grant, until: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(hash, (grant, until));
    }

    /// Forgets a token that was used up.
    pub(crate) fn forget(&self, hash: &TokenHash) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop(hash);
    }
}

/// `routes`, open to bearers of tokens with one of `roles` alone.
pub(crate) fn guarded(
    app: &Arc<App>,
    roles: &'static [Role],
    routes: MethodRouter<Arc<App>>,
) -> MethodRouter<Arc<App>> {
    routes.route_layer(from_fn_with_state((Arc::clone(app), roles), admit))
}

async fn admit(
    State((app, roles)): State<(Arc<App>, &'static [Role])>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match identify(&app, request.headers()).await {
        Ok(caller) => caller,
        Err(refusal) => return refusal.into_response(),
    };
    if !roles.contains(&caller.grant.role) {
        let message = format!("the token `{}` may not do this", caller.grant.name);
        return Refusal::forbidden(message).into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

async fn identify(app: &App, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let hash = hash(bearer(headers).ok_or_else(Refusal::stranger)?);
    if let Some(grant) = app.trusted.get(&hash) {
        return Ok(Caller { grant, hash });
    }
    // Counted from before the store was asked: what it says may be out of date when it arrives.
    let until = Instant::now() + app.patience.trust;
    let grant = app.parts.access.find(&hash).await?.ok_or_else(Refusal::stranger)?;
    app.trusted.put(hash, grant.clone(), until);
    Ok(Caller { grant, hash })
}

/// The token of the one `Authorization` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let well_formed =
        (1..=LONGEST_TOKEN).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && well_formed).then_some(token)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn bearers() {
        let long = format!("Bearer {}", "x".repeat(LONGEST_TOKEN + 1));
        let cases = [
            ("a token", vec!["Bearer tako_abc"], Some("tako_abc")),
            ("the scheme in any case", vec!["bEARER t"], Some("t")),
            ("nothing", vec![], None),
            ("an empty header", vec![""], None),
            ("only the scheme", vec!["Bearer"], None),
            ("an empty token", vec!["Bearer "], None),
            ("no scheme", vec!["tako_abc"], None),
            ("another scheme", vec!["Basic dDp0"], None),
            ("two tokens", vec!["Bearer a b"], None),
            ("two blanks", vec!["Bearer  a"], None),
            ("two headers", vec!["Bearer a", "Bearer b"], None),
            ("too long", vec![long.as_str()], None),
        ];
        for (name, values, want) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(bearer(&headers), want, "{name}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(b"Bearer \xff").unwrap());
        assert_eq!(bearer(&headers), None, "bytes that are no text");
    }
}

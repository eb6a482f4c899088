//! The HTTP/1.1 server on the socket: routes, the guard at the door, and the common shapes of answers and bodies.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, FromRequest, Request};
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use bytes::Bytes;
use crosscast::Node;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::access::Caller;
use crate::socket::Door;
use crate::state::{About, Reloads, Shared};
use crate::{ApiError, Code, groups, inbox, inspect, messages, metrics, rights, send, services, stream, trace, ws};

/// Largest body that is read as a whole, in bytes. 4 MiB: 16 full messages in one batch; more goes by stream.
pub(crate) const BODY_MAX: usize = 4 << 20;

/// What every handler gets.
pub(crate) type App = Arc<Shared>;

/// What every handler gives.
pub(crate) type Reply = Result<Response, ApiError>;

/// Serves the API until `stop` becomes true (or its sender is gone); streams end then, other requests are finished. What
/// `reloads` is told shows in the status.
///
/// # Errors
/// The listener's own.
pub async fn serve(
    door: Door,
    node: Node,
    about: About,
    reloads: Reloads,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let app = Arc::new(Shared::new(node.clone(), about, reloads, stop.clone()));
    let watcher = tokio::spawn(watch_notices(node, Arc::clone(&app)));
    let service = router(Arc::clone(&app)).into_make_service_with_connect_info::<Caller>();
    let served = axum::serve(door, service).with_graceful_shutdown(stopped(stop)).await;
    app.streams_ended().await;
    watcher.abort();
    served
}

/// Waits until the daemon stops.
pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that whoever could say so is gone, which says so too.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn watch_notices(node: Node, app: App) {
    let mut notices = node.notices();
    while let Some(notice) = notices.next().await {
        app.note(&notice);
    }
}

fn router(app: App) -> Router {
    Router::new()
        .route("/v1/groups", get(groups::list).post(groups::create))
        .route("/v1/groups/join", post(groups::join))
        .route("/v1/groups/{group}", get(groups::show).delete(groups::leave))
        .route("/v1/groups/{group}/invite", post(groups::invite))
        .route("/v1/groups/{group}/grants", post(rights::grant))
        .route("/v1/groups/{group}/revoke", post(rights::revoke))
        .route("/v1/groups/{group}/policy", post(rights::policy))
        .route("/v1/groups/{group}/messages", post(messages::publish))
        .route("/v1/groups/{group}/stream", get(stream::one_group))
        .route("/v1/stream", get(stream::many_groups))
        .route("/v1/send", post(send::send_many))
        .route("/v1/ws", get(ws::open))
        .route("/v1/send/{node}", post(send::send))
        .route("/v1/services", get(services::list).post(services::serve))
        .route("/v1/services/{name}", delete(services::unserve))
        .route("/v1/contacts/{node}", post(services::accept))
        .route("/v1/inbox", get(inbox::list))
        .route("/v1/inbox/stream", get(stream::inbox))
        .route("/v1/inbox/ack", post(inbox::acknowledge))
        .route("/v1/status", get(inspect::status))
        .route("/v1/peers", get(inspect::peers))
        .route("/v1/peers/{node}", get(trace::peer))
        .route("/v1/trace/{target}", get(trace::trace))
        .route("/v1/paths", get(inspect::paths))
        .route("/v1/ping/{node}", post(inspect::ping))
        .route("/metrics", get(metrics::show))
        .route("/healthz", get(inspect::healthy))
        .route("/readyz", get(inspect::ready))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(guard))
        .with_state(app)
}

/// Lets in whom the rules allow.
async fn guard(ConnectInfo(caller): ConnectInfo<Caller>, request: Request, next: Next) -> Response {
    if caller.allowed {
        next.run(request).await
    } else {
        tracing::debug!(uid = caller.uid, gid = caller.gid, "a caller was denied");
        ApiError::new(Code::Denied, format!("user {} may not use this API", caller.uid)).into_response()
    }
}

async fn not_found(request: Request) -> ApiError {
    ApiError::new(Code::NotFound, format!("nothing at {}", request.uri().path()))
}

async fn method_not_allowed(request: Request) -> ApiError {
    ApiError::new(Code::MethodNotAllowed, format!("{} at {}", request.method(), request.uri().path()))
}

/// An answer with one JSON object.
pub(crate) fn ok<T: Serialize>(value: &T) -> Reply {
    let mut body = crate::text::json(value).map_err(|error| ApiError::new(Code::Internal, error.to_string()))?;
    body.push('\n');
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// A request's body, read within bounds and without a word from the framework when it does not fit.
pub(crate) struct Body {
    body: axum::body::Body,
    json: bool,
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let kind =
            request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let json = kind.eq_ignore_ascii_case("application/json");
        Ok(Self { body: request.into_body(), json })
    }
}

impl Body {
    /// Whether it says of itself that it is JSON.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// The body as it arrives.
    pub(crate) fn into_stream(self) -> axum::body::BodyDataStream {
        self.body.into_data_stream()
    }

    /// The whole body.
    pub(crate) async fn bytes(self) -> Result<Bytes, ApiError> {
        axum::body::to_bytes(self.body, BODY_MAX)
            .await
            .map_err(|error| ApiError::new(Code::TooLarge, format!("a body has at most {BODY_MAX} bytes: {error}")))
    }

    /// The whole body as JSON, whatever it says of itself.
    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        parse(&self.bytes().await?)
    }

    /// As [`Body::json`]; an empty body is the default.
    pub(crate) async fn json_or_default<T: DeserializeOwned + Default>(self) -> Result<T, ApiError> {
        let bytes = self.bytes().await?;
        if bytes.is_empty() { Ok(T::default()) } else { parse(&bytes) }
    }
}

/// Reads JSON.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| ApiError::new(Code::BadRequest, format!("the JSON: {error}")))
}

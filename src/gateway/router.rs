//! Paths and methods.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, RawQuery, State};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use kube::Client;
use serde_json::{Value, json};

use crate::api::Workflow;
use crate::timetable::Clock;

use super::WorkflowId;
use super::access::admit;
use super::body::JsonBody;
use super::create::Create;
use super::directory::{Account, Directory};
use super::idempotency::{IdempotencyKey, body_digest};
use super::objects::{NamedRequest, Objects, Window};
use super::page::Page;
use super::query::Query;
use super::refusal::{Invalid, Refusal};
use super::standing::{Cancel, Standing};
use super::update::Update;

/// The path of all workflows (vendor: scheduler).
pub const COLLECTION: &str = "/v1/scheduler/jobstartstop";

const WORKFLOW: &str = "/v1/scheduler/jobstartstop/{workflow_id}";

/// The path of the interface's description, which needs no key.
pub const OPENAPI: &str = "/openapi.json";

const DESCRIPTION: &str = include_str!("../../docs/openapi.json");

/// The largest body that is read, in bytes.
pub const LARGEST_BODY: usize = 64 * 1024;

/// How often a change is tried that meets other writers.
const TRIES: usize = 5;

/// What the interface stands on.
#[derive(Clone)]
pub struct Gateway {
    client: Client,
    pub(super) directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
}

impl Gateway {
    /// Reads and writes through `client`, for the accounts of `directory`; whether a stop is past is told by `clock`.
    pub fn new(client: Client, directory: Arc<dyn Directory>, clock: Arc<dyn Clock>) -> Self {
        Self { client, directory, clock }
    }

    fn objects<'a>(&self, account: &'a Account) -> Objects<'a> {
        Objects::new(self.client.clone(), account)
    }

    async fn find(&self, account: &Account, id: &WorkflowId) -> Result<Window, Refusal> {
        self.objects(account).find(id, self.directory.name_of(&account.name, id)).await
    }

    /// Changes the spec as `decide` has it of what is stored, also when others write at the same time. `None`: it is to
    /// stay as it is.
    async fn change(
        &self,
        account: &Account,
        id: &WorkflowId,
        decide: impl Fn(&Standing) -> Result<Option<Value>, Invalid>,
    ) -> Result<Workflow, Refusal> {
        for _ in 0..TRIES {
            let window = self.find(account, id).await?;
            let standing = Standing::of(&window.object, &window.shown).ok_or(Refusal::LATER)?;
            let Some(spec) = decide(&standing)? else { return Ok(window.shown) };
            if let Some(changed) = self.objects(account).change(&window, &spec).await? {
                return Ok(changed.shown);
            }
        }
        Err(Refusal::LATER)
    }
}

/// The interface. Limits on connections, time and rate are set around it.
pub fn router(gateway: Gateway) -> Router {
    Router::new()
        .route(COLLECTION, get(list).post(create))
        .route(WORKFLOW, get(read).put(update).delete(cancel))
        .route_layer(from_fn_with_state(gateway.clone(), admit))
        .route(OPENAPI, get(description))
        .fallback(|| async { Refusal::UnknownPath })
        .method_not_allowed_fallback(|| async { Refusal::MethodNotAllowed })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(map_response(private))
        .with_state(gateway)
}

/// What one key is answered is for nobody else: a cache on the way would compare URLs, not keys.
async fn private(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn create(
    State(gateway): State<Gateway>,
    Extension(account): Extension<Account>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Json<Workflow>, Refusal> {
    let create = Create::read(&body)?;
    let named =
        |key: IdempotencyKey| NamedRequest { object: key.object_name(&account.name), digest: body_digest(&body) };
    let request = IdempotencyKey::of(&headers)?.map(named);
    let objects = gateway.objects(&account);
    if let Err(over) = create.is_ahead(gateway.clock.now()) {
        // Its answer may have been lost, and it is over since.
        let before = match &request {
            Some(request) => objects.created_before(request).await?,
            None => None,
        };
        return before.map(|window| Json(window.shown)).ok_or_else(|| over.into());
    }
    let window = objects.create(&create.into_spec(&account.name.name), request.as_ref()).await?;
    let object = window.object.metadata.name.as_deref().unwrap_or_default();
    tracing::info!(account = %account.name, object, workflow = window.shown.workflow_id, "asked for over HTTP");
    Ok(Json(window.shown))
}

async fn read(
    State(gateway): State<Gateway>,
    Extension(account): Extension<Account>,
    Named(id): Named,
) -> Result<Json<Workflow>, Refusal> {
    Ok(Json(gateway.find(&account, &id).await?.shown))
}

async fn update(
    State(gateway): State<Gateway>,
    Extension(account): Extension<Account>,
    Named(id): Named,
    JsonBody(body): JsonBody,
) -> Result<Json<Workflow>, Refusal> {
    let update = Update::read(&body)?;
    let decide = |standing: &Standing| {
        standing.may_become(&update, gateway.clock.now())?;
        Ok(Some(update.spec()))
    };
    let workflow = gateway.change(&account, &id, decide).await?;
    tracing::info!(account = %account.name, workflow = %id, "changed over HTTP");
    Ok(Json(workflow))
}

/// A body, and what it says it is, are not looked at (vendor: there is none).
async fn cancel(
    State(gateway): State<Gateway>,
    Extension(account): Extension<Account>,
    Named(id): Named,
) -> Result<Json<Workflow>, Refusal> {
    let decide = |standing: &Standing| {
        Ok(match standing.may_be_cancelled()? {
            Cancel::Pending => Some(json!({ "cancel": true })),
            Cancel::AskedBefore => None,
        })
    };
    let workflow = gateway.change(&account, &id, decide).await?;
    tracing::info!(account = %account.name, workflow = %id, "cancelled over HTTP");
    Ok(Json(workflow))
}

async fn list(
    State(gateway): State<Gateway>,
    Extension(account): Extension<Account>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page>, Refusal> {
    let query = Query::read(query.as_deref().unwrap_or_default())?;
    Ok(Json(gateway.objects(&account).page(&query).await?))
}

async fn description() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION)
}

/// The id in the path.
struct Named(WorkflowId);

impl FromRequestParts<Gateway> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Refusal> {
        let text = Path::<String>::from_request_parts(parts, gateway).await.ok();
        text.and_then(|Path(text)| WorkflowId::parse(&text)).map(Self).ok_or(Refusal::UnknownWorkflow)
    }
}

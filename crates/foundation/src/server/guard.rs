//! In front of each operation: who calls, and whether the request is what the document says.
//!
//! The order is the promise: token (401) → limit by address (429) → media type and size (415, 413, 408) → caller
//! (401, 403) → parameters and body (400) → limit by account (429). A stranger learns nothing of the rules, nobody holds
//! a database connection while a slow body arrives, and what is refused costs no password's work.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jsonschema::Validator;
use poem::endpoint::BoxEndpoint;
use poem::http::{Method, header};
use poem::{Endpoint, EndpointExt, Request, Response, Result};
use poem_openapi::OpenApi;
use poem_openapi::registry::{MetaApi, MetaOperation, Registry};
use serde_json::{Map, Value};

use crate::app::App;
use crate::app::limit::{A_QUARTER, Ledger, Limit, Who};
use crate::auth::access::Proven;
use crate::auth::oidc::{Identity, Oidc};
use crate::auth::token::{self, Claims};
use crate::auth::{Access, Caller, Email};
use crate::config::Config;
use crate::declared::List;
use crate::error::{Code, Error, FieldError};
use crate::http::client::ClientAddress;
use crate::http::payload::ValidBody;
use crate::http::{Origin, json};
use crate::resources::idempotency::{self, Claimed};
use crate::resources::sessions;
use crate::resources::users::identities;
use crate::server::{document, schema};

/// Seconds in which an address and an account have their calls.
const A_MINUTE: u64 = 60;

/// Query parameters that make the database read more rows than one page has.
const EXPENSIVE_PARAMETERS: &[&str] = &["search", "with_total"];

/// The `operationId`s that do that in each call.
static EXPENSIVE: List<&'static str> = List::new();

/// Completes the list of operations that read many rows in each call.
pub(crate) fn complete(expensive: Vec<&'static str>) {
    EXPENSIVE.complete(expensive);
}

/// The access rule that an operation states; none if it states none.
pub fn access(operation: &MetaOperation) -> Option<Access> {
    match operation.security.as_slice() {
        [one] if one.is_empty() => Some(Access::Public),
        [one] if one.len() == 1 => one.keys().next().and_then(|word| Access::of(word)),
        _ => None,
    }
}

/// What makes an API unfit to start: each fault names its operation.
pub fn faults(apis: &[MetaApi]) -> Vec<String> {
    let mut faults = vec![];
    let mut owners = BTreeMap::new();
    for (index, api) in apis.iter().enumerate() {
        for path in &api.paths {
            if owners.insert(path.path.clone(), index).is_some_and(|owner| owner != index) {
                faults.push(format!(
                    "{}: two API structs have this path, one of them would vanish from the document",
                    path.path
                ));
            }
            let variables: Vec<_> = path.path.split('/').filter_map(variable).collect();
            for operation in &path.operations {
                let name = operation.operation_id.unwrap_or("an operation without operation_id");
                let mut fault =
                    |what: &str| faults.push(format!("{name} ({} {}): {what}", operation.method, path.path));
                if access(operation).is_none() {
                    fault(
                        "states no access rule; its first parameter must be `Public`, `LoggedIn`, `Enabled`, `Caller`, `Admin` or `Needs<_>`",
                    );
                }
                if operation.operation_id.is_none() || operation.summary.is_none() || operation.tags.len() != 1 {
                    fault("needs an operation_id, a summary and one tag");
                }
                let in_path =
                    operation.params.iter().filter(|p| p.in_type == poem_openapi::registry::MetaParamIn::Path);
                if in_path.map(|parameter| parameter.name.as_str()).ne(variables.iter().copied()) {
                    fault("path arguments are bound by position: name them as in the path, in its order");
                }
            }
        }
    }
    faults
}

/// `{id}` → `id`.
fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// `/groups/{id}` → `/groups/:param0`, the key poem-openapi routes by.
pub fn route_key(path: &str) -> String {
    let mut count = 0;
    let segment = |segment| {
        if variable(segment).is_none() {
            return segment.to_owned();
        }
        count += 1;
        format!(":param{}", count - 1)
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// A list of APIs, each operation behind its guard.
pub struct Guarded<T>(pub T);

impl<T: OpenApi> OpenApi for Guarded<T> {
    fn meta() -> Vec<MetaApi> {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(self, table: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        let mut routes = HashMap::new();
        self.0.add_routes(&mut routes);
        let logins = Arc::new(OnceLock::new());
        for path in T::meta().iter().flat_map(|api| &api.paths) {
            for operation in &path.operations {
                // without a rule it is not served at all; the start has refused it before
                let Some(access) = access(operation) else { continue };
                let key = route_key(&path.path);
                let Some(endpoint) = routes.get_mut(&key).and_then(|methods| methods.remove(&operation.method)) else {
                    continue;
                };
                let guard = Guard::new(endpoint, access, &path.path, &operation.method, logins.clone());
                table.entry(key).or_default().insert(operation.method.clone(), guard.boxed());
            }
        }
    }
}

struct Guard {
    endpoint: BoxEndpoint<'static>,
    access: Access,
    /// Segments of the path in the document.
    template: Vec<String>,
    parameters: Vec<Parameter>,
    body: Option<Body>,
    /// An operation that declares 429 is limited, one that does not is not.
    limited: bool,
    /// Set if each call reads many rows.
    expensive: bool,
    /// Set if the operation declares `Idempotency-Key`.
    takes_key: bool,
    /// Whether it takes the word of whoever calls for who they are.
    credentials: bool,
    by_address: OnceLock<Option<Limit>>,
    by_account: OnceLock<Option<Limit>>,
    /// Wrong passwords are counted over all operations that take some.
    logins: Arc<OnceLock<Option<Limit>>>,
}

struct Parameter {
    name: String,
    place: Place,
    kind: Kind,
    validator: Validator,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Path,
    Query,
    Header,
}

/// How the text of a parameter is read.
#[derive(Clone, Copy)]
enum Kind {
    Integer,
    Boolean,
    Text,
}

struct Body {
    media_type: String,
    validator: Validator,
}

impl Guard {
    fn new(
        endpoint: BoxEndpoint<'static>,
        access: Access,
        path: &str,
        method: &Method,
        logins: Arc<OnceLock<Option<Limit>>>,
    ) -> Self {
        let document = document::document();
        let operation = &document["paths"][path][method.as_str().to_lowercase()];
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let body = operation["requestBody"]["content"].as_object().and_then(|content| content.iter().next());
        let parameters: Vec<_> = parameters.map(|parameter| Parameter::new(document, parameter)).collect();
        Self {
            endpoint,
            access,
            takes_key: parameters.iter().any(|parameter| parameter.name == idempotency::HEADER),
            template: path.split('/').map(Into::into).collect(),
            parameters,
            body: body.map(|(media_type, content)| Body {
                media_type: media_type.clone(),
                validator: schema::compile(document, &content["schema"]),
            }),
            limited: operation["responses"].get("429").is_some(),
            expensive: EXPENSIVE.get().iter().any(|id| operation["operationId"] == *id),
            credentials: access == Access::Public && operation["responses"].get("401").is_some(),
            by_address: OnceLock::new(),
            by_account: OnceLock::new(),
            logins,
        }
    }

    fn limit_address(&self, request: &Request, config: &Config, ledger: &Ledger) -> Result<(), Error> {
        let limit = self.by_address.get_or_init(|| Limit::new("address", config.rate_limit, A_MINUTE));
        match (limit, request.data::<ClientAddress>()) {
            (Some(limit), Some(client)) => limit.take(&Who::Address(client.network()), ledger),
            _ => Ok(()),
        }
    }

    /// Returns whether the request needs more from the database than one page of rows.
    fn is_expensive(&self, request: &Request) -> bool {
        let is_named = |pair: &str| {
            let name = percent_decode(pair.split('=').next().unwrap_or_default());
            name.is_some_and(|name| EXPENSIVE_PARAMETERS.contains(&name.as_str()))
        };
        self.expensive || request.uri().query().is_some_and(|query| query.split('&').any(is_named))
    }

    /// Counts a call of the account that the token or the body names, and goes on to the handler. A login counts only
    /// if the password was wrong, and until that is known: who tries many at once gets no further.
    async fn limit_account(
        &self,
        request: Request,
        app: &App,
        user_id: Option<i64>,
        ledger: &Ledger,
    ) -> Result<Response> {
        let config = &app.config;
        let body = request.data::<ValidBody>().map(|ValidBody(body)| body.clone()).unwrap_or_default();
        let account = user_id.map_or_else(|| Account::of(&body), Account::User);
        let is_login = self.credentials && matches!(account, Account::Email(_));
        let limit = if is_login {
            self.logins.get_or_init(|| Limit::new("logins", config.login_failures, A_QUARTER))
        } else {
            self.by_account.get_or_init(|| Limit::new("account", config.rate_limit_account, A_MINUTE))
        };
        let Some(limit) = limit else { return self.run(request, app, user_id).await };
        let client = request.data::<ClientAddress>().copied();
        let Some(who) = account.who(app, client).await? else { return self.run(request, app, user_id).await };
        // The headers show what is left for strangers also to who has a count of their own: the difference would reveal that
        // somebody has logged in to the account from their network.
        let (everybody, silent) = (who.without_network(), Ledger::default());
        let counted = everybody.as_ref().map(|everybody| limit.take(everybody, ledger).is_ok());
        limit.take(&who, if everybody.is_some() { &silent } else { ledger })?;
        let answer = self.run(request, app, user_id).await;
        if is_login && !is_wrong_password(&answer) {
            match everybody {
                Some(everybody) => {
                    limit.give_back(&who, &silent);
                    if counted == Some(true) {
                        limit.give_back(&everybody, ledger);
                    }
                }
                None => limit.give_back(&who, ledger),
            }
        }
        answer
    }

    /// Calls the handler; with an `Idempotency-Key` once, however often the request is sent.
    async fn run(&self, mut request: Request, app: &App, user_id: Option<i64>) -> Result<Response> {
        let key = request.header(idempotency::HEADER).filter(|_| self.takes_key).map(str::to_owned);
        let (Some(key), Some(user_id)) = (key, user_id) else { return self.endpoint.call(request).await };
        let body = request.data::<ValidBody>().map(|ValidBody(body)| body.clone()).unwrap_or_default();
        let operation = format!("{} {}", request.method(), request.uri().path());
        let claim = match idempotency::claim(app, user_id, &key, &operation, &body).await? {
            Claimed::Replay(response) => return Ok(response),
            Claimed::Run(claim) => claim,
        };
        request.extensions_mut().insert(claim.clone());
        let answer = self.endpoint.call(request).await;
        if !answer.as_ref().is_ok_and(|response| response.status().is_success()) {
            // only who sends the same request again notices that the key was not given up, and waits
            if let Err(error) = idempotency::release(app, &claim).await {
                tracing::warn!(%error, "an Idempotency-Key stays claimed");
            }
        }
        answer
    }

    /// The bytes of the body, once media type and size are accepted.
    async fn read(&self, request: &mut Request, config: &Config) -> Result<Option<Vec<u8>>, Error> {
        let Some(body) = &self.body else { return Ok(None) };
        let content_type = request.content_type().unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case(&body.media_type) || request.headers().contains_key(header::CONTENT_ENCODING) {
            let detail = format!("Send the body as {}, without Content-Encoding.", body.media_type);
            return Err(Error::new(Code::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let too_large = || Error::new(Code::PAYLOAD_TOO_LARGE, format!("A body may have {} bytes.", config.max_body));
        let length =
            request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: u64| length > config.max_body as u64) {
            return Err(too_large());
        }
        let reading = request.take_body().into_bytes_limit(config.max_body);
        match tokio::time::timeout(Duration::from_secs(config.body_timeout), reading).await {
            Ok(Ok(bytes)) => Ok(Some(bytes.to_vec())),
            Ok(Err(poem::error::ReadBodyError::PayloadTooLarge)) => Err(too_large()),
            Ok(Err(_)) => Err(Error::new(Code::MALFORMED_BODY, "The body ended before its length.")),
            Err(_) => {
                let detail = format!("The body did not arrive within {} s.", config.body_timeout);
                Err(Error::new(Code::REQUEST_TIMEOUT, detail))
            }
        }
    }

    /// A form is an OAuth2 token request: its refusal carries the word of RFC 6749 section 5.2.
    fn oauth(&self, error: Error, fields: &[FieldError]) -> Error {
        let is_form = self.body.as_ref().is_some_and(|body| body.media_type != "application/json");
        let grant_type =
            fields.iter().any(|fault| fault.pointer.as_deref() == Some("/grant_type") && fault.detail != "is required");
        let word = if grant_type { "unsupported_grant_type" } else { "invalid_request" };
        Error { oauth: is_form.then_some(word), ..error }
    }

    /// The faults of path, query and headers.
    fn parameter_faults(&self, request: &Request) -> Vec<(Code, FieldError)> {
        let mut faults = vec![];
        let mut given: Vec<(Place, String, Option<String>)> = vec![];
        for (template, segment) in self.template.iter().zip(request.uri().path().split('/')) {
            if let Some(name) = variable(template) {
                given.push((Place::Path, name.into(), percent_decode(segment)));
            }
        }
        for pair in request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| percent_decode(&text.replace('+', " "));
            let name = decode(name).unwrap_or_else(|| name.into());
            let location = format!("query.{}", schema::shorten(&name));
            if !self.parameters.iter().any(|parameter| parameter.place == Place::Query && parameter.name == name) {
                let fault = FieldError::parameter(location, "the operation takes no such parameter");
                faults.push((Code::UNKNOWN_PARAMETER, fault));
            } else if given.iter().any(|(place, other, _)| *place == Place::Query && *other == name) {
                faults.push((Code::INVALID, FieldError::parameter(location, "is given twice")));
            } else {
                given.push((Place::Query, name, decode(value)));
            }
        }
        for parameter in self.parameters.iter().filter(|parameter| parameter.place == Place::Header) {
            let mut values = request.headers().get_all(&parameter.name).iter();
            if let Some(value) = values.next() {
                given.push((Place::Header, parameter.name.clone(), value.to_str().ok().map(Into::into)));
            }
            if values.next().is_some() {
                let location = format!("header.{}", parameter.name);
                faults.push((Code::INVALID, FieldError::parameter(location, "is given twice")));
            }
        }
        for parameter in &self.parameters {
            let values = given.iter().filter(|(place, name, _)| *place == parameter.place && *name == parameter.name);
            for fault in values.filter_map(|(_, _, text)| parameter.fault(text.as_deref())) {
                faults.push((Code::INVALID, fault));
            }
        }
        faults
    }

    /// The body as a value, and its faults.
    fn parse(&self, bytes: &[u8]) -> Result<(Value, Vec<(Code, FieldError)>), Error> {
        let body = self.body.as_ref().expect("only read when there is one");
        let malformed = |sentence: String| Error::new(Code::MALFORMED_BODY, sentence);
        let value = if body.media_type == "application/json" { json::parse(bytes) } else { form(bytes) };
        let value = value.map_err(malformed)?;
        let faults = schema::body_faults(&body.validator, &value);
        Ok((value, faults))
    }
}

impl Endpoint for Guard {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let Some(mut app) = request.data::<App>().cloned() else {
            return Err(Error::internal("the router has no App").into());
        };
        if !request.method().is_safe() {
            app = app.for_changes();
            request.extensions_mut().insert(app.clone());
        }
        let proof = match self.access {
            Access::Public => None,
            _ => Some(verify(&app, authorization(&request)?.map(str::to_owned)).await?),
        };
        let ledger = request.data::<Ledger>().cloned().unwrap_or_default();
        if self.limited {
            self.limit_address(&request, &app.config, &ledger)?;
        }
        let bytes = self.read(&mut request, &app.config).await?;
        // before the caller, who takes a connection
        let _place =
            if self.is_expensive(&request) { Some(app.db.admit_expensive().await.map_err(Error::from)?) } else { None };
        let mut user_id = None;
        if let Some(proof) = proof {
            let origin: Origin = request.data().cloned().unwrap_or_default();
            let mut caller = match proof {
                Proof::Session(claims) => Caller::prove(&app.db, &claims, origin).await?,
                Proof::Identity(identity) => identities::caller(&app, &identity, &origin).await?,
            };
            tracing::Span::current().record("user_id", caller.id);
            self.access.admits(&caller, &app.config)?;
            user_id = Some(caller.id);
            if self.takes_key && request.headers().contains_key(idempotency::HEADER) {
                // claiming the key takes a connection
                caller.release();
            }
            request.extensions_mut().insert(Proven::new(caller));
        }
        let mut faults = self.parameter_faults(&request);
        if let Some(bytes) = bytes {
            let (value, body_faults) = self.parse(&bytes).map_err(|error| self.oauth(error, &[]))?;
            faults.extend(body_faults);
            request.extensions_mut().insert(ValidBody(Arc::new(value)));
        }
        if !faults.is_empty() {
            let error = schema::refuse(faults);
            let fields = error.fields.clone();
            return Err(self.oauth(error, &fields).into());
        }
        if self.limited {
            return self.limit_account(request, &app, user_id, &ledger).await;
        }
        self.run(request, &app, user_id).await
    }
}

/// What a token that holds says of who calls.
enum Proof {
    Session(Claims),
    Identity(Identity),
}

async fn verify(app: &App, authorization: Option<String>) -> Result<Proof, Error> {
    let authorization = authorization.as_deref();
    if let Some(oidc) = &app.oidc
        && let token = token::bearer(authorization)?
        && Oidc::may_have_signed(token)
    {
        return Ok(Proof::Identity(oidc.verify(token, app.now()).await?));
    }
    Ok(Proof::Session(app.tokens.verify(authorization, app.now())?))
}

/// The account that a request is about.
enum Account<'a> {
    User(i64),
    Email(&'a str),
    RefreshToken(&'a str),
    Unknown,
}

impl<'a> Account<'a> {
    /// As the body names it, of whatever operation.
    fn of(body: &'a Value) -> Self {
        let text = |name: &str| body[name].as_str();
        match (text("grant_type"), text("email").or(text("username")), text("refresh_token")) {
            // a grant takes no notice of what belongs to the other one
            (Some("refresh_token"), _, Some(token)) | (None, None, Some(token)) => Self::RefreshToken(token),
            (_, Some(email), _) => Self::Email(email),
            _ => Self::Unknown,
        }
    }

    /// Whom a limit counts for it.
    async fn who(self, app: &App, client: Option<ClientAddress>) -> Result<Option<Who>, Error> {
        Ok(match self {
            Self::User(id) => Some(Who::User(id)),
            Self::Email(given) => {
                let email = Email::new(given);
                let name = email.as_str().to_owned();
                match client {
                    // strangers who use up what all strangers have do not lock the owner out
                    Some(client) if sessions::is_known_from(&app.db, &email, client).await? => {
                        Some(Who::EmailAt(name, client.network()))
                    }
                    _ => Some(Who::Email(name)),
                }
            }
            Self::RefreshToken(token) => match sessions::of_refresh_token(&app.db, token).await? {
                Some(session_id) => Some(Who::Session(session_id)),
                None => Some(Who::Token(token.into())),
            },
            Self::Unknown => None,
        })
    }
}

fn is_wrong_password(answer: &Result<Response>) -> bool {
    let error = answer.as_ref().err().and_then(|error| error.downcast_ref::<Error>());
    error.is_some_and(|error| error.code == Code::INVALID_CREDENTIALS)
}

impl Parameter {
    fn new(document: &Value, parameter: &Value) -> Self {
        let schema = schema::resolve(document, &parameter["schema"]);
        let kind = schema["type"].as_str().or_else(|| schema["allOf"][0]["type"].as_str());
        Self {
            name: parameter["name"].as_str().unwrap_or_default().into(),
            place: match parameter["in"].as_str() {
                Some("path") => Place::Path,
                Some("header") => Place::Header,
                _ => Place::Query,
            },
            kind: match kind {
                Some("integer") => Kind::Integer,
                Some("boolean") => Kind::Boolean,
                _ => Kind::Text,
            },
            validator: schema::compile(document, &schema),
        }
    }

    /// What is wrong with the text of this parameter; none stands for text that is not UTF-8.
    fn fault(&self, text: Option<&str>) -> Option<FieldError> {
        let place = match self.place {
            Place::Path => "path",
            Place::Query => "query",
            Place::Header => "header",
        };
        let fault = |detail: String| Some(FieldError::parameter(format!("{place}.{}", self.name), detail));
        let Some(text) = text else {
            return fault("must be UTF-8, with `%` only before two hexadecimal digits".into());
        };
        let value = match self.kind {
            Kind::Integer => match integer(text) {
                Some(number) => number.into(),
                None => return fault("must be a whole number of at most 64 bits".into()),
            },
            Kind::Boolean => match text.parse::<bool>() {
                Ok(flag) => flag.into(),
                Err(_) => return fault("must be true or false".into()),
            },
            Kind::Text => text.into(),
        };
        schema::value_fault(&self.validator, &value).and_then(fault)
    }
}

/// The one `Authorization` header; two would leave open which one counts.
fn authorization(request: &Request) -> Result<Option<&str>, Error> {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Error::new(Code::TOKEN_MALFORMED, "Send one Authorization header."));
    }
    Ok(first.map(|value| value.to_str().unwrap_or("Bearer")))
}

/// Decimal digits without a plus, leading zeros or spaces: one number, one spelling.
fn integer(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|number| number.to_string() == text)
}

/// Strict: a lone `%` or bytes that are not UTF-8 answer none.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || (rest.next()? as char).to_digit(16);
        bytes.push((digit()? * 16 + digit()?) as u8);
    }
    String::from_utf8(bytes).ok()
}

/// A form as an object of texts.
fn form(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "The body is not UTF-8.".to_owned())?;
    let mut map = Map::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| {
            let decoded = percent_decode(&text.replace('+', " "));
            decoded.ok_or_else(|| "The body has an escape that is no UTF-8.".to_owned())
        };
        if map.insert(decode(name)?, decode(value)?.into()).is_some() {
            return Err("The body has the same field twice.".into());
        }
    }
    if map.is_empty() { Err("The body is empty.".into()) } else { Ok(Value::Object(map)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Public;
    use poem_openapi::payload::PlainText;

    struct Careless;

    #[poem_openapi::OpenApi]
    impl Careless {
        /// Tell a secret
        #[oai(path = "/secret", method = "get", operation_id = "tell_secret")]
        async fn secret(&self) -> PlainText<&'static str> {
            PlainText("42")
        }

        /// Swap
        #[oai(path = "/a/:a/b/:b", method = "get", operation_id = "swap")]
        async fn swap(
            &self,
            _public: Public,
            b: poem_openapi::param::Path<i64>,
            a: poem_openapi::param::Path<i64>,
        ) -> PlainText<String> {
            PlainText(format!("{}{}", a.0, b.0))
        }
    }

    #[test]
    fn an_operation_without_a_rule_is_named_and_not_served() {
        let found = faults(&Careless::meta());
        assert!(found.iter().any(|f| f.starts_with("tell_secret (GET /secret): states no access rule")), "{found:#?}");
        assert!(found.iter().any(|f| f.starts_with("swap") && f.contains("bound by position")), "{found:#?}");
        let mut routes = HashMap::new();
        Guarded(Careless).add_routes(&mut routes);
        assert!(!routes.contains_key("/secret"));
    }

    #[test]
    fn our_own_operations_are_fit_to_start() {
        assert_eq!(faults(&document::Apis::meta()), Vec::<String>::new());
    }

    #[test]
    fn numbers_and_escapes_have_one_spelling() {
        assert_eq!(integer("-7"), Some(-7));
        for text in ["+7", "07", " 7", "7.0", "1e3", "0x7", "9223372036854775808", "", "٣"] {
            assert_eq!(integer(text), None, "{text}");
        }
        assert_eq!(percent_decode("a%20%C3%A9").as_deref(), Some("a é"));
        for text in ["%", "%f", "%zz", "%ff", "%+1"] {
            assert_eq!(percent_decode(text), None, "{text}");
        }
    }

    #[test]
    fn a_form_is_read_strictly() {
        assert_eq!(form(b"a=1&b=x+y%26").expect("valid")["b"], "x y&");
        assert!(form(b"a=1&a=2").is_err());
        assert!(form(b"").is_err());
        assert!(form(b"a=%ff").is_err());
    }
}

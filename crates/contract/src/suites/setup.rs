//! The setup file: what a document does not say of its server.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::conformity::Habits;
use crate::document::Document;

/// The setup file; each field is a part of it.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Setup {
    /// What the server does everywhere.
    pub habits: Habits,
    /// Who calls.
    pub people: People,
    /// What is there before an operation is called, by name.
    pub fixtures: BTreeMap<String, Fixture>,
    /// What the operations need beside the document's examples, by `operationId`.
    pub operations: BTreeMap<String, Needs>,
    /// The server's words for what is refused, by constraint; `input` for those not named.
    pub codes: BTreeMap<String, String>,
    /// Bytes that a request body may have; without it no body is too large.
    pub max_body: Option<usize>,
    /// Constraints that are not held to, each with the reason.
    pub skip: BTreeMap<String, String>,
    /// Lists that a random walk goes through, by `operationId`.
    pub lists: BTreeMap<String, List>,
    /// As whom each operation is called to prove who may.
    pub access: Access,
}

/// As whom each operation is called.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// Scopes that are granted to people, each with the operation that makes what it can be granted on; null if it is
    /// always general.
    pub grants: BTreeMap<String, Option<String>>,
    /// The columns, in order.
    pub identities: Vec<Identity>,
}

/// Somebody new for each call, of whom it is known what they may.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// In names of cases, and over the column.
    pub name: String,
    /// The same in words: `a user who …`.
    pub about: String,
    /// What they are to an operation.
    #[serde(default)]
    pub kind: Kind,
    /// What the privileged person does before they log in.
    #[serde(default)]
    pub before: Vec<Step>,
    /// How they log in; the fresh person of `people` if nothing is said.
    pub login: Option<Login>,
    /// What the privileged person does after that, and before the call.
    #[serde(default)]
    pub after: Vec<Step>,
}

/// What somebody is to an operation.
#[derive(Deserialize, Debug, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Who sends no credentials.
    Anonymous,
    /// Who has credentials and nothing else.
    #[default]
    User,
    /// Who has had the thing made that the call is about.
    Owner,
    /// Who was granted the scopes.
    Granted,
    /// The same, only for the thing that the call is about.
    GrantedHere,
    /// Who passes whatever is asked for.
    Everything,
    /// Who would pass everything, if the account were not disabled.
    Disabled,
    /// Who would pass everything, if the account were not deleted.
    Deleted,
}

/// A request of the privileged person. Its expressions know `$caller` (the identity, once logged in), `$object` (what
/// the call is about) and the steps before by their names. With `{scope}` in it, it is sent for each scope.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What is called.
    pub operation: String,
    /// What later steps call its exchange.
    pub name: Option<String>,
    /// Its body, over the document's example.
    #[serde(default)]
    pub body: Map<String, Value>,
    /// Its parameters.
    #[serde(default)]
    pub path: BTreeMap<String, Value>,
    /// Its parameters.
    #[serde(default)]
    pub headers: BTreeMap<String, Value>,
}

/// Who calls; each is made by a login or a registration.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct People {
    /// Whom most requests are sent by; without it a fresh person.
    pub caller: Option<Login>,
    /// Somebody with no right to what the caller has made; without it another fresh person.
    pub stranger: Option<Login>,
    /// Somebody new each time, for what ends a session or an account.
    pub fresh: Option<Login>,
    /// Somebody with rights that nobody gets by registering; calls whatever asks for one of their scopes.
    pub privileged: Option<Login>,
    /// The operation that ends a session, so that its token no longer works.
    pub log_out: Option<String>,
}

/// How somebody gets credentials.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The operation that answers with credentials.
    pub operation: String,
    /// What is sent, over the document's example.
    #[serde(default)]
    pub body: Map<String, Value>,
    /// Where the credentials are in the answer.
    pub token: String,
    /// The scopes that they have; none named means all.
    pub scopes: Option<Vec<String>>,
}

/// Something that is made by an operation, and used by those that its answer links to.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    /// What makes it.
    pub operation: String,
    /// What is sent, over the document's example.
    #[serde(default)]
    pub body: Map<String, Value>,
    /// Whether a stranger may not even know of it.
    #[serde(default)]
    pub private: bool,
    /// Of a private one: not even who may do everything knows of it.
    #[serde(default)]
    pub personal: bool,
}

/// What an operation needs, and how it differs from what its document lets expect.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Needs {
    /// It changes the account of whoever calls: each call is by somebody new.
    pub fresh: bool,
    /// It also ends their session: their credentials prove nothing any more.
    pub ends: bool,
    /// The privileged person calls it, though it asks for no scope.
    pub privileged: bool,
    /// Anyone may do it with what somebody else has made.
    pub shared: bool,
    /// Its body, over the document's example; null takes a property out.
    pub body: Map<String, Value>,
    /// Its parameters.
    pub path: BTreeMap<String, Value>,
    /// Its parameters.
    pub query: BTreeMap<String, Value>,
    /// Its parameters.
    pub headers: BTreeMap<String, Value>,
    /// The query that shows the whole state; `false` if its answer changes by itself.
    pub probe: Option<Probe>,
    /// Parts of the request that name something, `body/post_id` or one value of it, `body/vote_dir=0`: a valid value
    /// that names nothing is answered like this.
    pub unmatched: BTreeMap<String, Unmatched>,
    /// It needs what comes in a letter, and nobody here reads letters: its valid request is answered like this.
    pub letter: Option<Unmatched>,
    /// Properties of the body that are required whatever its schema says.
    pub required: Vec<String>,
    /// Properties that the answer does not repeat as they were sent.
    pub altered: Vec<String>,
}

/// How an operation shows what a request could have changed.
#[derive(Deserialize, Debug)]
#[serde(untagged)]
pub enum Probe {
    /// Whether it is used.
    Used(bool),
    /// With this query.
    Query(BTreeMap<String, Value>),
}

/// The answer to a value that is valid and names nothing.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Unmatched {
    /// Its status.
    pub status: u16,
    /// Its code.
    pub code: Option<String>,
    /// It may also be accepted: the value is free the first time.
    #[serde(default)]
    pub perhaps: bool,
}

/// A list that comes in pages.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The fixture that is in it.
    pub fixture: String,
    /// The query that leaves only what the caller has made.
    #[serde(default)]
    pub query: BTreeMap<String, Value>,
    /// JSON pointer to the items.
    pub items: String,
    /// The member that each item is known by.
    pub key: String,
    /// JSON pointer to what names the next page; null on the last one.
    pub next: String,
    /// JSON pointer to how many items there are on all pages.
    pub total: Option<String>,
    /// The query parameter that takes what names the next page.
    pub cursor: String,
    /// The query parameter that says how many items a page has.
    pub limit: String,
    /// The query parameter that orders.
    pub sort: Option<String>,
    /// By each of its values: the member that it orders by, with a minus if the largest comes first.
    #[serde(default)]
    pub orders: BTreeMap<String, String>,
}

impl Setup {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or has something that no setup has.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        yaml_serde::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Everything in it that the document does not know.
    pub fn faults(&self, document: &Document) -> Vec<String> {
        let people = &self.people;
        let logins = [&people.caller, &people.stranger, &people.fresh, &people.privileged].into_iter().flatten();
        let named = logins.map(|login| &login.operation).chain(&self.people.log_out);
        let named = named.chain(self.fixtures.values().map(|fixture| &fixture.operation));
        let named = named.chain(self.operations.keys()).chain(self.lists.keys());
        let identities = &self.access.identities;
        let steps = identities.iter().flat_map(|identity| identity.before.iter().chain(&identity.after));
        let named = named.chain(steps.map(|step| &step.operation)).chain(self.access.grants.values().flatten());
        let named = named.chain(identities.iter().filter_map(|identity| Some(&identity.login.as_ref()?.operation)));
        let unknown = named.filter(|id| document.by_id(id).is_none());
        let mut faults: Vec<String> =
            unknown.map(|id| format!("the setup file names {id}, which is no operationId of the document")).collect();
        if !identities.is_empty() {
            faults.extend(self.unknown_scopes(document));
        }
        faults
    }

    /// Scopes that operations ask for, and of which the setup does not say how anybody gets them.
    fn unknown_scopes(&self, document: &Document) -> Vec<String> {
        let privileged = self.people.privileged.iter().flat_map(|login| login.scopes.iter().flatten());
        let known: Vec<&String> = privileged.chain(self.access.grants.keys()).collect();
        let asked = document.operations.iter().flat_map(|operation| {
            let scopes = operation.security.iter().flatten().flat_map(|(_, scopes)| scopes);
            scopes.map(|scope| (&operation.id, scope))
        });
        let unknown = asked.filter(|(_, scope)| !known.contains(scope));
        unknown
            .map(|(id, scope)| {
                format!(
                    "{id} asks for {scope}: `access.grants` of the setup file must say what it can be granted on, or \
                     `people.privileged.scopes` that nobody is granted it"
                )
            })
            .collect()
    }

    /// What an operation needs.
    pub fn needs(&self, operation: &str) -> &Needs {
        static NOTHING: std::sync::LazyLock<Needs> = std::sync::LazyLock::new(Needs::default);
        self.operations.get(operation).unwrap_or(&NOTHING)
    }
}

//! The setup file: the facts of a server that its document does not state.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::conformity::Habits;
use crate::document::{Document, Operation};

/// The setup file; each field is a part of it.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Setup {
    /// The conventions of the server.
    pub habits: Habits,
    /// The persons that call.
    pub people: People,
    /// The objects that must exist before an operation is called, by name.
    pub fixtures: BTreeMap<String, Fixture>,
    /// The needs of operations beside the document's examples, by `operationId`.
    pub operations: BTreeMap<String, Needs>,
    /// Parts that name something in each operation that has them, such as `query.cursor`; see [`Needs::unmatched`].
    pub unmatched: BTreeMap<String, Unmatched>,
    /// The error codes of the server by constraint; `input` applies to constraints that are not named.
    pub codes: BTreeMap<String, String>,
    /// The largest request body in bytes; without it no body is too large.
    pub max_body: Option<usize>,
    /// The constraints and cases that are not checked, each with the reason.
    pub skip: BTreeMap<String, String>,
    /// The paginated lists, by `operationId`.
    pub lists: BTreeMap<String, List>,
    /// The identities of the access matrix.
    pub access: Access,
}

/// The identities of the access matrix.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// The scopes that can be granted, each with the operation that creates its objects; null if they have none.
    pub grants: BTreeMap<String, Option<String>>,
    /// The columns in their order.
    pub identities: Vec<Identity>,
}

/// A kind of person; each call is by a new one.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The name in ids of cases and in the head of the column.
    pub name: String,
    /// The description: `a user who …`.
    pub about: String,
    /// The relation to an operation.
    #[serde(default)]
    pub kind: Kind,
    /// The steps of the privileged person before the login.
    #[serde(default)]
    pub before: Vec<Step>,
    /// The login; without it that of the fresh person of `people`.
    pub login: Option<Login>,
    /// The steps of the privileged person between login and call.
    #[serde(default)]
    pub after: Vec<Step>,
}

/// The relation of a person to an operation.
#[derive(Deserialize, Debug, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A caller without credentials.
    Anonymous,
    /// A user without any grant.
    #[default]
    User,
    /// The owner of the object.
    Owner,
    /// A user with a grant of the scopes.
    Granted,
    /// A user with a grant of the scopes on the object only.
    GrantedHere,
    /// A user with all rights.
    Everything,
    /// A user with all rights, whose account is disabled.
    Disabled,
    /// A user with all rights, whose account is deleted.
    Deleted,
}

/// A request of the privileged person. Its expressions know `$caller` (the identity, once logged in), `$object` (what
/// the call is about) and the steps before by their names. With `{scope}` in it, it is sent for each scope.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The operation.
    pub operation: String,
    /// The name of the exchange for later steps.
    pub name: Option<String>,
    /// The body, merged over the document's example.
    #[serde(default)]
    pub body: Map<String, Value>,
    /// The parameters in this place.
    #[serde(default)]
    pub path: BTreeMap<String, Value>,
    /// The parameters in this place.
    #[serde(default)]
    pub headers: BTreeMap<String, Value>,
}

/// The persons that call; each is created by a login or a registration.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct People {
    /// The caller of most requests; without it a fresh person.
    pub caller: Option<Login>,
    /// A person without rights to the caller's objects; without it another fresh person.
    pub stranger: Option<Login>,
    /// A new person each time, for operations that end a session or an account.
    pub fresh: Option<Login>,
    /// A person with rights that no registration gives. They call the operations that ask for one of their scopes.
    pub privileged: Option<Login>,
    /// The operation that ends a session, so that its token no longer works.
    pub log_out: Option<String>,
}

/// The request that returns credentials.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The operation that answers with credentials.
    pub operation: String,
    /// The body, merged over the document's example.
    #[serde(default)]
    pub body: Map<String, Value>,
    /// The expression that finds the credentials in the answer.
    pub token: String,
    /// The scopes that they have; none named means all.
    pub scopes: Option<Vec<String>>,
}

/// Something that is made by an operation, and used by those that its answer links to.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    /// The operation that creates the object.
    pub operation: String,
    /// The body, merged over the document's example.
    #[serde(default)]
    pub body: Map<String, Value>,
    /// Set if the object is hidden from strangers.
    #[serde(default)]
    pub private: bool,
    /// Set if a private object is hidden from callers with all rights, too.
    #[serde(default)]
    pub personal: bool,
    /// Set if nobody owns the object, so that its creator has no more rights than others.
    #[serde(default)]
    pub unowned: bool,
}

/// The needs of an operation, and its differences from the document.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Needs {
    /// Set if the operation changes the account of its caller: each call is by a new person.
    pub fresh: bool,
    /// Set if the operation ends the session of its caller.
    pub ends: bool,
    /// Set if the privileged person calls the operation, though it asks for no scope.
    pub privileged: bool,
    /// Set if any user may call the operation about objects of others.
    pub shared: bool,
    /// The body, merged over the document's example; null removes a property.
    pub body: Map<String, Value>,
    /// The parameters in this place.
    pub path: BTreeMap<String, Value>,
    /// The parameters in this place.
    pub query: BTreeMap<String, Value>,
    /// The parameters in this place.
    pub headers: BTreeMap<String, Value>,
    /// The query that shows the whole state; `false` if its answer changes by itself.
    pub probe: Option<Probe>,
    /// Parts of the request that name something, `body/post_id` or one value of it, `body/vote_dir=0`: a valid value
    /// that names nothing is answered like this.
    pub unmatched: BTreeMap<String, Unmatched>,
    /// The answer to a valid request of an operation that needs a code from an e-mail.
    pub letter: Option<Unmatched>,
    /// The answer to a deletion while other objects refer to the object.
    pub in_use: Option<Unmatched>,
    /// Properties of the body that are required whatever its schema says.
    pub required: Vec<String>,
    /// Properties that the answer does not repeat as they were sent.
    pub altered: Vec<String>,
}

/// The request that shows the state that other requests may change.
#[derive(Deserialize, Debug)]
#[serde(untagged)]
pub enum Probe {
    /// Set if the operation is used.
    Used(bool),
    /// The operation with this query.
    Query(BTreeMap<String, Value>),
}

/// The answer to a value that is valid and names nothing.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Unmatched {
    /// The status.
    pub status: u16,
    /// The code.
    pub code: Option<String>,
    /// Set if the value may also be accepted: it is free the first time.
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
    /// The member that each of its values orders by, with a minus if the largest comes first.
    #[serde(default)]
    pub orders: BTreeMap<String, String>,
}

impl Setup {
    /// Reads the file.
    ///
    /// # Errors
    /// The file cannot be read, or has an unknown key.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        yaml_serde::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The names in the setup file that the document does not have.
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

    /// The answer to a valid value of a part that names nothing. `None` if the part names nothing that must exist.
    pub fn unmatched(&self, operation: &Operation, part: &str) -> Option<&Unmatched> {
        let own = self.needs(&operation.id).unmatched.get(part);
        own.or_else(|| self.unmatched.get(part))
    }

    /// The statuses of the answers to valid values that name nothing.
    pub fn unmatched_statuses(&self, operation: &Operation) -> impl Iterator<Item = u16> {
        let has = |part: &str| part.split_once('.').is_some_and(|(place, name)| operation.takes(place, name));
        let general = self.unmatched.iter().filter(move |(part, _)| has(part)).map(|(_, unmatched)| unmatched);
        self.needs(&operation.id).unmatched.values().chain(general).map(|unmatched| unmatched.status)
    }

    /// The needs of an operation.
    pub fn needs(&self, operation: &str) -> &Needs {
        static NOTHING: std::sync::LazyLock<Needs> = std::sync::LazyLock::new(Needs::default);
        self.operations.get(operation).unwrap_or(&NOTHING)
    }
}

//! The access matrix: each operation is called by each identity of the setup file. The expected answer follows from the
//! document (its security, its declared refusals) and from the fixtures of the setup file.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::case::{Expect, Leg};
use super::expression;
use super::failure::Failure;
use super::options::Options;
use super::plan::Plan;
use super::report::{Cell, LegReport, told};
use super::server::Server;
use super::setup::{Fixture, Identity, Kind, Unmatched};
use crate::document::Operation;

/// Calls of one operation on their way at once: each is by somebody else, about something else.
const AT_ONCE: usize = 5;

/// An operation, about something.
#[derive(Clone)]
pub struct Row<'a> {
    pub operation: &'a Operation,
    /// The fixture that it is called about, by the name that the request knows it by.
    pub object: Option<Object<'a>>,
}

/// The object of a call.
#[derive(Clone)]
pub struct Object<'a> {
    /// The fixture that the request names.
    pub named: String,
    /// The fixture that is made: that one, or a private one that the same operation makes.
    pub made: &'a str,
    pub fixture: &'a Fixture,
    /// Whether who calls for it to be made is its owner.
    pub owned: bool,
}

/// The rows of an operation: one, and one more for each private thing that it can be called about.
pub fn rows<'a>(plan: &'a Plan<'_>, operation: &'a Operation) -> Vec<Row<'a>> {
    let named = plan.fixture_for(operation).or_else(|| plan.named_by(operation).into_iter().next());
    let Some(named) = named else { return vec![Row { operation, object: None }] };
    let maker = &plan.setup.fixtures[&named].operation;
    let same = plan.setup.fixtures.iter().filter(|(_, fixture)| &fixture.operation == maker);
    let mut made: Vec<(&String, &Fixture)> =
        same.filter(|(name, fixture)| **name == named || fixture.private).collect();
    made.sort_by_key(|(name, _)| **name != named);
    let row = |(made, fixture): (&'a String, &'a Fixture)| {
        let own = plan.document.by_id(maker).is_some_and(|maker| !plan.is_privileged(maker));
        let own = own && !fixture.unowned;
        let owned = own || fixture.body.values().flat_map(expression::names).any(|name| name == "caller");
        Row { operation, object: Some(Object { named: named.clone(), made, fixture, owned }) }
    };
    made.into_iter().map(row).collect()
}

impl Row<'_> {
    /// The id of the row: `get_book`, or `get_book/draft` for a private fixture.
    pub fn id(&self) -> String {
        let made = self.private();
        self.operation.id.clone() + &made.map(|made| format!("/{made}")).unwrap_or_default()
    }

    fn private(&self) -> Option<&str> {
        self.object.as_ref().filter(|object| object.named != object.made).map(|object| object.made)
    }

    fn cell(&self, identity: &Identity, status: Option<u16>) -> Cell {
        let object = self.private().map(Into::into);
        Cell { operation: self.operation.id.clone(), object, identity: identity.name.clone(), status }
    }

    /// The scopes that the operation asks for.
    fn scopes(&self) -> Vec<&str> {
        self.operation.security.iter().flatten().flat_map(|(_, scopes)| scopes).map(String::as_str).collect()
    }

    /// The scopes that are granted to somebody of this kind: those that the operation asks for, or all if it asks for
    /// none that can be granted, so that it is proved that none of them is enough.
    pub fn granted<'s>(&self, plan: &'s Plan<'_>, kind: Kind) -> Vec<&'s str> {
        let maker = self.object.as_ref().map(|object| &object.fixture.operation);
        let fits = |on: &Option<String>| match kind {
            Kind::Granted => true,
            Kind::GrantedHere => on.is_some() && on.as_ref() == maker,
            _ => false,
        };
        let grants = plan.setup.access.grants.iter().filter(|(_, on)| fits(on)).map(|(scope, _)| scope.as_str());
        let (asked, all): (Vec<&str>, Vec<&str>) = grants.partition(|scope| self.scopes().contains(scope));
        let is_grantable = self.scopes().iter().any(|scope| plan.setup.access.grants.contains_key(*scope));
        if is_grantable { asked } else { [asked, all].concat() }
    }

    /// The expected answer to an identity; `None` if the identity does not apply to the operation.
    pub fn expected(&self, plan: &Plan<'_>, identity: &Identity) -> Option<Expect> {
        let (operation, kind) = (self.operation, identity.kind);
        let needs = plan.setup.needs(&operation.id);
        let owned = self.object.as_ref().is_some_and(|object| object.owned);
        let is_impossible = match kind {
            Kind::Owner => !owned,
            Kind::Granted | Kind::GrantedHere => self.granted(plan, kind).is_empty(),
            _ => false,
        };
        if is_impossible {
            return None;
        }
        let refused =
            |status: u16, word: &str| Some(Expect::Answered { status, code: plan.setup.codes.get(word).cloned() });
        let accepted = Some(Expect::Accepted);
        if let Some(Unmatched { status, code, .. }) = &needs.letter {
            return Some(Expect::Answered { status: *status, code: code.clone() });
        }
        if !operation.protected {
            // the request itself may say who sends it
            let names_caller = needs.body.values().flat_map(expression::names).any(|name| name == "caller");
            return match kind {
                Kind::Disabled if names_caller && operation.declares(403) => refused(403, "disabled"),
                Kind::Deleted if names_caller && operation.declares(401) => {
                    Some(Expect::Answered { status: 401, code: None })
                }
                _ => accepted,
            };
        }
        match kind {
            Kind::Anonymous => return refused(401, "credentials"),
            Kind::Deleted => return refused(401, "deleted"),
            Kind::Disabled if operation.declares(403) => return refused(403, "disabled"),
            Kind::Everything if self.object.as_ref().is_some_and(|object| object.fixture.personal) => {
                return refused(404, "private");
            }
            Kind::Disabled | Kind::Everything => return accepted,
            Kind::User | Kind::Owner | Kind::Granted | Kind::GrantedHere => {}
        }
        let scopes = self.scopes();
        let is_grantable = scopes.iter().all(|scope| plan.setup.access.grants.contains_key(*scope));
        let is_private = needs.privileged || self.object.as_ref().is_some_and(|object| object.fixture.private);
        if !is_grantable {
            return refused(403, "scope");
        }
        if kind == Kind::Owner {
            return accepted;
        }
        if is_private {
            return refused(404, "private");
        }
        if !scopes.is_empty() {
            return if kind == Kind::User { refused(403, "scope") } else { accepted };
        }
        if owned && !needs.shared { refused(403, "owner") } else { accepted }
    }
}

/// Calls everything as everybody.
pub async fn run(server: &Server<'_>, options: &Options, report: &mut LegReport, tell: &impl Fn(&str)) {
    let plan = server.plan;
    let operations = plan.document.operations.iter().filter(|operation| options.wants(operation));
    for row in operations.flat_map(|operation| rows(plan, operation)) {
        let id = |identity: &Identity| format!("{}/as/{}", row.id(), identity.name);
        let identities: Vec<&Identity> = plan.setup.access.identities.iter().collect();
        let chosen = |identity: &&Identity| options.only.is_empty() || options.only.contains(&id(identity));
        let identities: Vec<&Identity> = identities.into_iter().filter(chosen).collect();
        for some in identities.chunks(AT_ONCE) {
            let called = join_all(some.iter().map(|identity| call(server, &row, identity))).await;
            for (identity, called) in some.iter().zip(called) {
                let cell = match called {
                    Ok(status) => row.cell(identity, status),
                    Err(failure) => {
                        let status = failure.answer.as_ref().map(|answer| answer.status);
                        let at = format!("{}/security", row.operation.at);
                        let mut told = told(failure, &id(identity), &at, &[], options);
                        told.again = format!("{} --leg {} --only '{}'", options.command, Leg::Access.word(), told.id);
                        tell(&told.text(&options.address));
                        report.failures.push(told);
                        row.cell(identity, status)
                    }
                };
                if cell.status.is_some() {
                    report.count(&row.operation.id, "C-ACCESS");
                }
                report.cells.push(cell);
            }
        }
    }
}

/// Calls an operation as somebody; answers the status.
async fn call(server: &Server<'_>, row: &Row<'_>, identity: &Identity) -> Result<Option<u16>, Failure> {
    let Some(expect) = row.expected(server.plan, identity) else { return Ok(None) };
    let operation = row.operation;
    let person = server.somebody_like(identity).await?;
    let mut fixtures = BTreeMap::new();
    let owner = match (&row.object, identity.kind) {
        (None, _) | (_, Kind::Owner) => person.clone(),
        (Some(_), _) => server.somebody_new().await?,
    };
    if let Some(object) = &row.object {
        fixtures.insert(object.named.clone(), server.make(object.made, &owner).await?);
    }
    // what else it needs is made by who may make it
    let fixture =
        row.object.as_ref().map(|object| object.named.as_str()).filter(|name| server.plan.is_linked(name, operation));
    server.make_what_it_names(operation, &owner, &mut fixtures).await?;
    let mut base = server.base_by(operation, fixture, person.clone(), fixtures.clone()).await?;
    if identity.kind == Kind::Anonymous {
        base.draft.credentials.clear();
    }
    let object = row.object.as_ref().and_then(|object| fixtures.get(&object.named));
    server.befall(identity, &person, object, &row.granted(server.plan, identity.kind)).await?;
    let answer = server.send(operation, &base.draft, &base.word).await?;
    let accepted = (200..300).contains(&answer.status);
    let said = |word: &Option<String>| word.is_none() || server.code(&answer) == word.as_deref();
    let fits = match &expect {
        Expect::Answered { status, code } => answer.status == *status && said(code),
        _ => accepted,
    };
    if fits {
        return Ok(Some(answer.status));
    }
    let scopes = row.scopes();
    let rule = match (operation.protected, scopes.is_empty()) {
        (false, _) => "anyone may call it".to_owned(),
        (true, true) => "it asks for a token".to_owned(),
        (true, false) => format!("it asks for {}", scopes.join(" and ")),
    };
    let sentence = match (&expect, accepted) {
        (Expect::Answered { .. }, true) => format!("{} got in", identity.about),
        (Expect::Answered { .. }, false) => format!("{} is refused in another way", identity.about),
        _ => format!("{} is kept out, or nothing was prepared that the operation can be called about", identity.about),
    };
    Err(Failure::of("C-ACCESS", sentence, format!("{expect}: {rule}"), &answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::suites::setup::Setup;

    const DOCUMENT: &str = r##"
openapi: 3.0.3
paths:
  /login:
    post:
      operationId: log_in
      security: []
      requestBody: { content: { application/json: { schema: { type: object }, example: {} } } }
      responses: { "200": { description: In }, "401": { description: Who }, "403": { description: Disabled } }
  /info:
    get: { operationId: get_info, security: [], responses: { "200": { description: Info } } }
  /me:
    get: { operationId: get_me, security: [{ o: [] }], responses: { "200": { description: I }, "401": { description: Who } } }
  /people:
    get:
      operationId: list_people
      security: [{ o: [admin] }]
      responses: { "200": { description: All }, "401": { description: Who }, "403": { description: No } }
  /things:
    post:
      operationId: create_thing
      security: [{ o: [] }]
      requestBody: { content: { application/json: { schema: { type: object }, example: {} } } }
      responses:
        "201":
          description: Made
          links: { read: { operationId: get_thing }, count: { operationId: count_thing }, drop: { operationId: delete_thing } }
        "401": { description: Who }
        "403": { description: No }
  /things/{id}:
    get:
      operationId: get_thing
      security: [{ o: [] }]
      responses: { "200": { description: It }, "401": { description: Who }, "403": { description: No }, "404": { description: None } }
    delete:
      operationId: delete_thing
      security: [{ o: [] }]
      responses: { "204": { description: Gone }, "401": { description: Who }, "403": { description: No } }
  /things/{id}/count:
    get:
      operationId: count_thing
      security: [{ o: [can_count] }]
      responses: { "200": { description: Count }, "401": { description: Who }, "403": { description: No } }
  /signs:
    post:
      operationId: create_sign
      security: [{ o: [] }]
      requestBody: { content: { application/json: { schema: { type: object }, example: {} } } }
      responses:
        "201":
          description: Made
          links: { read: { operationId: get_sign }, paint: { operationId: paint_sign } }
        "401": { description: Who }
        "403": { description: No }
  /signs/{id}:
    get:
      operationId: get_sign
      security: [{ o: [] }]
      responses: { "200": { description: It }, "401": { description: Who }, "403": { description: No } }
    put:
      operationId: paint_sign
      security: [{ o: [can_paint] }]
      responses: { "200": { description: It }, "401": { description: Who }, "403": { description: No } }
components:
  securitySchemes: { o: { type: oauth2, flows: {} } }
"##;

    const SETUP: &str = r##"
people: { privileged: { operation: log_in, token: x, scopes: [admin] } }
fixtures:
  thing: { operation: create_thing }
  secret: { operation: create_thing, private: true }
  diary: { operation: create_thing, private: true, personal: true }
  sign: { operation: create_sign, unowned: true }
operations:
  log_in: { body: { password: $caller.request.body#/password } }
  get_thing: { shared: true }
codes: { scope: forbidden }
access:
  grants: { can_count: create_thing, can_paint: create_sign, can_sing: ~ }
  identities:
    - { name: anonymous, about: nobody, kind: anonymous }
    - { name: user, about: a user }
    - { name: owner, about: an owner, kind: owner }
    - { name: granted, about: a holder, kind: granted }
    - { name: here, about: a holder here, kind: granted_here }
    - { name: admin, about: an admin, kind: everything }
    - { name: disabled, about: a disabled admin, kind: disabled }
    - { name: deleted, about: a deleted admin, kind: deleted }
"##;

    /// A row as words: a status, `+` for a success, `–` for nobody.
    fn row(id: &str) -> String {
        let (document, setup) =
            (Document::parse(DOCUMENT.into()).unwrap(), yaml_serde::from_str::<Setup>(SETUP).unwrap());
        let plan = Plan { document: &document, setup: &setup };
        let rows: Vec<Row<'_>> = document.operations.iter().flat_map(|operation| rows(&plan, operation)).collect();
        let row = rows.iter().find(|row| row.id() == id).unwrap();
        let cell = |identity: &Identity| match row.expected(&plan, identity) {
            None => "–".to_owned(),
            Some(Expect::Answered { status, .. }) => status.to_string(),
            Some(_) => "+".into(),
        };
        setup.access.identities.iter().map(cell).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_each_must_get_follows_from_the_document() {
        //                                 nobody user owner granted here admin disabled deleted
        assert_eq!(row("get_info"), "+ + – + – + + +");
        assert_eq!(row("log_in"), "+ + – + – + 403 401", "the body says who it is");
        assert_eq!(row("get_me"), "401 + – + – + + 401", "no 403 is declared, so the disabled may");
        assert_eq!(row("list_people"), "401 403 – 403 – + 403 401", "no grant makes an admin");
        assert_eq!(row("get_thing"), "401 + + + + + 403 401");
        assert_eq!(row("get_thing/secret"), "401 404 + 404 404 + 403 401", "it is not told that it is there");
        assert_eq!(row("get_thing/diary"), "401 404 + 404 404 404 403 401", "not even to an admin");
        assert_eq!(row("delete_thing"), "401 403 + 403 403 + 403 401", "another permission is not enough");
        assert_eq!(row("count_thing"), "401 403 + + + + 403 401");
        assert_eq!(row("count_thing/secret"), "401 404 + 404 404 + 403 401");
        assert_eq!(row("create_sign"), "401 + – + – + 403 401");
        assert_eq!(row("get_sign"), "401 + – + + + 403 401", "nobody owns a sign");
        assert_eq!(row("paint_sign"), "401 403 – + + + 403 401", "its creator needs the permission, too");
    }
}

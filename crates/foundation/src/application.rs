//! The application: its resources, and what else the foundation must know of it.
//!
//! A resource is a folder and a [`Resource`], in which it declares everything that the rest of the system derives. All
//! lists of the system (operations, tables, hooks, permissions, actions of the audit, events, error codes, fixture
//! models, jobs) are made of these declarations by [`install`], and nowhere else.

mod check;
mod declarations;
mod setup;

use std::sync::OnceLock;

pub use self::check::faults;
pub use self::declarations::Declarations;
pub use self::setup::{contract, postman};

use crate::app::{self, AddState};
use crate::auth::permission::{self, Entry, Target};
use crate::cli::permission::Explain;
use crate::config::{self, Setting};
use crate::db::Dialect;
use crate::db::migrate::{Embedded, Script, script};
use crate::db::tables::{self, Table};
use crate::declared;
use crate::error::Code;
use crate::fixtures::{self, BuiltIn, Model};
use crate::mail::message::{self, EmailTemplate};
use crate::outgoing;
use crate::resources::audit::model::Action;
use crate::resources::hooks::{self, AddHooks};
use crate::resources::webhooks::events::{self, EventGroup};
use crate::server::document::{self, About, Api};
use crate::server::normalise::{self, Note, Thing};
use crate::server::operation;
use crate::tasks::local::Local;
use crate::tasks::{self, Kind, Service};

/// A resource: everything that the system derives from it. A declaration names the parts that it has, and takes the others
/// from [`Resource::EMPTY`]: `Resource { name: "books", …, ..Resource::EMPTY }`. A part that another one needs stops the
/// start if it is missing.
#[derive(Clone, Copy)]
pub struct Resource {
    /// The name of its folder.
    pub name: &'static str,
    /// Its operations, served and documented in this order.
    pub apis: &'static [Api],
    /// Paths of single objects: the document links each answer that shows one to the operations on it.
    pub things: &'static [Thing],
    /// Sentences for the descriptions of operations of other resources.
    pub notes: &'static [Note],
    /// The `operationId`s of operations that read many rows in each call.
    pub expensive: &'static [&'static str],
    /// Its tables.
    pub tables: fn() -> Vec<Table>,
    /// The migrations of its tables, if the foundation brings them.
    pub migrations: &'static [Script],
    /// Its rows with hooks, and its hooks on rows of any resource.
    pub hooks: AddHooks,
    /// The permissions that its operations demand.
    pub permissions: &'static [&'static Entry],
    /// Permissions that complete the four of a table, and that no operation demands.
    pub open_permissions: &'static [&'static Entry],
    /// Its tables whose rows permissions are granted on.
    pub targets: &'static [Target],
    /// The reasons that `permission explain` gives for an object of a target, beside the grants.
    pub explain: &'static [(Target, Explain)],
    /// The actions that the audit records.
    pub actions: &'static [Action],
    /// The events that webhooks are sent.
    pub events: &'static [EventGroup],
    /// Its error codes.
    pub codes: &'static [Code],
    /// Its e-mails.
    pub emails: &'static [EmailTemplate],
    /// Its fixture models. Models of earlier resources are loaded first.
    pub models: &'static [&'static dyn Model],
    /// Its jobs, queued and recurring.
    pub jobs: &'static [Kind],
    /// Jobs that each server runs for what only its memory holds.
    pub local_jobs: &'static [Local],
    /// Its services, which run beside the jobs until the process stops.
    pub services: &'static [Service],
    /// The values that its handlers share in the memory of a process.
    pub state: AddState,
    /// Its settings, whose defaults stand in the settings file of the application.
    pub settings: &'static [Setting],
    /// The facts about its operations that the derived suites of `accord-contract` need, as YAML: a part of their setup file.
    pub contract: &'static str,
    /// The facts about its operations that the Postman collections need, as YAML: a part of their setup file.
    pub postman: &'static str,
}

impl Resource {
    /// A resource without any part.
    pub const EMPTY: Self = Self {
        name: "",
        apis: &[],
        things: &[],
        notes: &[],
        expensive: &[],
        tables: Vec::new,
        migrations: &[],
        hooks: |hooks, _| hooks,
        permissions: &[],
        open_permissions: &[],
        targets: &[],
        explain: &[],
        actions: &[],
        events: &[],
        codes: &[],
        emails: &[],
        models: &[],
        jobs: &[],
        local_jobs: &[],
        services: &[],
        state: |_| {},
        settings: &[],
        contract: "",
        postman: "",
    };
}

/// An application: its resources in the order of the document, and its files.
pub struct Application {
    /// The name of the binary, a word in lower case. Tokens, problem types, metrics, the settings file and the variables of
    /// settings have it, too, so it stays the same for the life of the application.
    pub name: &'static str,
    /// Title, version and texts of the document.
    pub about: About,
    /// The resources: those of the foundation that the application uses, and its own.
    pub resources: &'static [&'static Resource],
    /// The resource whose permissions and events stand as examples in the texts of other resources.
    pub example: &'static Resource,
    /// The documented default of every setting, as TOML.
    pub settings: &'static str,
    /// The migrations.
    pub migrations: Migrations,
    /// The fixture files that are part of the binary.
    pub fixtures: &'static [BuiltIn],
    /// The fixtures that are loaded into an empty database of a developer.
    pub demo: &'static [&'static str],
    /// The Postman collection, which the server hands out.
    pub collection: &'static str,
}

/// The migrations of an application.
pub enum Migrations {
    /// Those of the foundation and of its resources, and on top those of the application: the first one names all of them
    /// that have no child as its parents, and has a number from 1001 on.
    OnTop(fn() -> Embedded),
    /// A history of the application alone, which creates also the tables of the foundation: that of an application that
    /// is older than the migrations of the foundation.
    Whole(fn() -> Embedded),
}

/// The migrations that every application on the foundation has.
const CORE: Script = script!("0001_foundation");

/// The names and texts of all migrations for a database.
fn migrations(dialect: Dialect) -> Vec<(String, String)> {
    match application().migrations {
        Migrations::Whole(own) => own().files(dialect),
        Migrations::OnTop(own) => below(dialect).into_iter().chain(own().files(dialect)).collect(),
    }
}

/// The names and texts of the migrations of the foundation and of its resources.
fn below(dialect: Dialect) -> Vec<(String, String)> {
    let of_resources = application().resources.iter().flat_map(|resource| resource.migrations);
    [&CORE].into_iter().chain(of_resources).flat_map(|script| script.files(dialect)).collect()
}

static APPLICATION: OnceLock<&'static Application> = OnceLock::new();

/// Completes all lists with what the resources of the application declare. It is the first call of `main`; a second call
/// changes nothing.
pub fn install(application: &'static Application) {
    // whoever comes second waits until the lists are complete
    APPLICATION.get_or_init(|| {
        complete(application);
        application
    });
}

fn complete(application: &'static Application) {
    let all = application.resources;
    let resources = all.iter().map(|resource| resource.name).collect();
    declared::complete(application.name, application.about.title, resources);
    outgoing::complete(application.about.title, application.about.version);
    config::complete(application.settings, collect(all, |resource| resource.settings));
    Code::complete(all.iter().flat_map(|resource| resource.codes).copied());
    tables::complete(all_tables(all));
    permission::complete(
        collect(all, |resource| resource.permissions),
        collect(all, |resource| resource.open_permissions),
        collect(all, |resource| resource.targets),
        example_permission(application),
    );
    Action::complete(collect(all, |resource| resource.actions));
    events::complete(collect(all, |resource| resource.events), application.example.events.first().copied());
    message::complete(collect(all, |resource| resource.emails));
    hooks::complete(all.iter().map(|resource| resource.hooks).collect());
    app::complete(all.iter().map(|resource| resource.state).collect());
    tasks::complete(
        collect(all, |resource| resource.jobs),
        collect(all, |resource| resource.local_jobs),
        collect(all, |resource| resource.services),
    );
    normalise::complete(
        collect(all, |resource| resource.things),
        collect(all, |resource| resource.notes),
        application.example.things[0],
    );
    operation::complete(collect(all, |resource| resource.expensive));
    document::complete(&application.about, collect(all, |resource| resource.apis));
    fixtures::complete(collect(all, |resource| resource.models), application.fixtures, application.demo);
    crate::cli::permission::complete(collect(all, |resource| resource.explain));
    crate::db::migrate::complete(application.name, migrations);
}

/// The permission that stands as an example: one of the example resource that is granted on objects, otherwise any.
fn example_permission(application: &Application) -> &'static Entry {
    let of_all = application.resources.iter().flat_map(|resource| resource.permissions);
    let entries: Vec<_> = application.example.permissions.iter().chain(of_all).copied().collect();
    let with_target = entries.iter().find(|entry| entry.target.is_some());
    with_target.or(entries.first()).copied().expect("an application demands at least one permission")
}

fn collect<T: Copy>(all: &[&'static Resource], part: fn(&Resource) -> &'static [T]) -> Vec<T> {
    all.iter().flat_map(|resource| part(resource)).copied().collect()
}

fn all_tables(all: &[&'static Resource]) -> Vec<Table> {
    let own = all.iter().flat_map(|resource| (resource.tables)());
    crate::auth::tables::declared().into_iter().chain(tasks::tables::declared()).chain(own).collect()
}

/// The application.
///
/// # Panics
/// The application is not installed.
pub fn application() -> &'static Application {
    #[cfg(test)]
    install_for_tests();
    APPLICATION.get().expect("the application is installed first")
}

/// Installs the application for unit tests.
#[cfg(test)]
pub fn install_for_tests() {
    install(&crate::testing::APPLICATION);
}

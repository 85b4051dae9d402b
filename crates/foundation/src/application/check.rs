//! Checks of the declarations of resources against each other. A missing part stops the start.

use std::collections::BTreeSet;

use poem::http::Method;
use poem_openapi::registry::MetaApi;

use super::Resource;
use crate::config::Config;
use crate::db::signals::Hooks;
use crate::db::tables::Table;
use crate::mail::message;

/// Returns the reasons why an application must not start. Each sentence names the resource and the part.
pub fn faults(resources: &[&'static Resource], config: &Config) -> Vec<String> {
    let mut faults = vec![];
    let mut names = BTreeSet::new();
    for resource in resources {
        if !names.insert(resource.name) {
            faults.push(format!("{}: two resources have this name", resource.name));
        }
    }
    let hooks = resources.iter().fold(Hooks::default(), |hooks, resource| (resource.hooks)(hooks, config));
    let tables = super::all_tables(resources);
    let own = |resource: &Resource| (resource.tables)().into_iter().map(|table| table.name).collect::<Vec<_>>();
    let owner = |table: &Table| {
        let found = resources.iter().find(|resource| own(resource).contains(&table.name));
        found.map_or("the foundation", |resource| resource.name)
    };
    for table in &tables {
        let found = of_table(table, &tables, &hooks).into_iter();
        faults.extend(found.map(|fault| format!("{}: {fault}", owner(table))));
    }
    for resource in resources {
        let found = of_permissions(resource, resources, &tables, &hooks)
            .into_iter()
            .chain(of_paths(resource, resources))
            .chain(of_emails(resource, resources));
        faults.extend(found.map(|fault| format!("{}: {fault}", resource.name)));
    }
    for table in hooks.tables() {
        if !tables.iter().any(|declared| declared.name == table) {
            faults.push(format!("rows of `{table}` have hooks, but the table is in no `tables` of a resource"));
        }
    }
    let declared: Vec<_> =
        resources.iter().flat_map(|resource| resource.events).flat_map(|group| group.types).collect();
    for event in hooks.events() {
        if !declared.iter().any(|declared| declared.as_str() == event) {
            faults.push(format!("a hook publishes the event {event}, which is in no `events` of a resource"));
        }
    }
    faults
}

fn of_table(table: &Table, all: &[Table], hooks: &Hooks) -> Vec<String> {
    let (mut faults, name) = (vec![], &table.name);
    match (hooks.tables().contains(&name.as_str()), table.without_hooks) {
        (false, None) => faults.push(format!(
            "changes of `{name}` call no hooks: add `.entity::<…>()` to `hooks`, or `without hooks \"…\"` to the table"
        )),
        (true, Some(_)) => {
            faults.push(format!("`{name}` is declared without hooks, but `hooks` has some for its rows"));
        }
        _ => {}
    }
    let has = |column: &str| {
        let column = table.columns.iter().find(|declared| declared.name == column);
        column.is_some_and(|column| column.kind == "TIMESTAMPTZ" && !column.null)
    };
    if !has("created_at") {
        faults.push(format!("`{name}` has no `CreatedAt: timestamp()`"));
    }
    if has("updated_at") == table.never_updated.is_some() {
        faults.push(format!("`{name}` needs either `UpdatedAt: timestamp()` or `never_updated(\"…\")`"));
    }
    for key in &table.foreign_keys {
        if !all.iter().any(|other| other.name == key.table) {
            faults.push(format!("`{name}` refers to `{}`, which is in no `tables` of a resource", key.table));
        }
    }
    faults
}

fn of_permissions(resource: &Resource, all: &[&'static Resource], tables: &[Table], hooks: &Hooks) -> Vec<String> {
    let mut faults = vec![];
    for entry in resource.permissions.iter().chain(resource.open_permissions) {
        if entry.target.is_some_and(|target| !all.iter().any(|other| other.targets.contains(&target))) {
            let target = entry.target.expect("some");
            faults.push(format!("{} is granted on {target:?}, which is in no `targets` of a resource", entry.name));
        }
    }
    for model in resource.models {
        for target in model.targets() {
            if !all.iter().any(|other| other.targets.contains(target)) {
                faults.push(format!("{} has the objects of {target:?}, which is in no `targets`", model.name()));
            }
        }
    }
    for target in resource.targets {
        if !tables.iter().any(|table| table.name == target.table()) {
            faults.push(format!("the table of the target {target:?} is in no `tables` of a resource"));
        } else if !hooks.ends(target.table(), "grants") {
            faults.push(format!("grants on {target:?} outlive their object: add the hook `EndGrants` to `hooks`"));
        }
        if !all.iter().flat_map(|other| other.models).any(|model| model.targets().contains(target)) {
            faults
                .push(format!("fixtures cannot name the objects of {target:?}: no model of `models` has this target"));
        }
    }
    faults
}

fn of_paths(resource: &Resource, all: &[&'static Resource]) -> Vec<String> {
    let mut faults = vec![];
    let apis: Vec<MetaApi> = resource.apis.iter().flat_map(|api| api.meta()).collect();
    let paths: Vec<_> = apis.iter().flat_map(|api| &api.paths).collect();
    for path in &paths {
        let has = |method: Method| path.operations.iter().any(|operation| operation.method == method);
        let is_of_one = path.path.ends_with('}') && has(Method::GET) && (has(Method::PATCH) || has(Method::PUT));
        if is_of_one && !resource.things.iter().any(|thing| thing.path == path.path) {
            faults.push(format!("{} shows one object, but is in no `things`: answers would have no links", path.path));
        }
        for operation in &path.operations {
            let words = operation.security.iter().flat_map(|one| one.keys()).filter(|word| word.starts_with("can_"));
            let permissions: Vec<_> = all.iter().flat_map(|other| other.permissions).map(|entry| entry.name).collect();
            for name in words.filter(|word| !permissions.contains(word)) {
                faults.push(format!("{} demands {name}, which is in no `permissions` of a resource", path.path));
            }
        }
    }
    for thing in resource.things {
        if !paths.iter().any(|path| path.path == thing.path) {
            faults.push(format!("`things` has {}, but no operation has this path", thing.path));
        }
    }
    faults
}

fn of_emails(resource: &Resource, all: &[&'static Resource]) -> Vec<String> {
    let mut faults = vec![];
    for email in resource.emails {
        let name = email.name;
        let of_all = all.iter().flat_map(|other| other.emails).chain(message::EMAILS);
        if of_all.filter(|other| other.name == name).count() > 1 {
            faults.push(format!("two e-mails have the name `{name}`"));
        }
        match email.render(&(email.example)(), "Sender", message::EXAMPLE_CODE) {
            Err(error) => faults.push(format!("the example of the e-mail `{name}` cannot be rendered: {error}")),
            Ok(rendered) if rendered.subject.is_empty() => {
                faults.push(format!("the e-mail `{name}` has no subject: add `{{% block subject %}}` to {name}.txt"));
            }
            Ok(_) => {}
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{application, install_for_tests};
    use crate::mail::message::EmailTemplate;

    const UNKNOWN_VALUE: EmailTemplate = EmailTemplate {
        name: "unknown-value",
        text: "{% extends \"layout.txt\" %}{% block subject %}{{ title }}{% endblock %}",
        html: "",
        example: || serde_json::json!({ "name": "Emma" }),
    };

    const UNKNOWN_TEMPLATE: EmailTemplate = EmailTemplate {
        name: "unknown-template",
        text: "{% block subject %}Emma{% endblock %}",
        html: "{% extends \"nothing.html\" %}",
        ..UNKNOWN_VALUE
    };

    const NO_SUBJECT: EmailTemplate =
        EmailTemplate { name: "no-subject", text: "{% block subject %}{% endblock %}", ..UNKNOWN_VALUE };

    fn with(name: &str, change: fn(&mut Resource)) -> Vec<String> {
        install_for_tests();
        let of = |resource: &&'static Resource| {
            let mut changed = **resource;
            if changed.name == name {
                change(&mut changed);
            }
            &*Box::leak(Box::new(changed))
        };
        let resources: Vec<&'static Resource> = application().resources.iter().map(of).collect();
        faults(&resources, &Config::load(None).expect("the defaults"))
    }

    #[test]
    fn the_application_is_fit_to_start() {
        assert_eq!(with("", |_| {}), Vec::<String>::new());
    }

    #[test]
    fn a_missing_part_is_named_with_its_resource() {
        type Remove = fn(&mut Resource);
        let removed: &[(&str, Remove)] = &[
            ("groups", |groups| groups.hooks = |hooks, _| hooks),
            ("groups", |groups| groups.targets = &[]),
            ("groups", |groups| groups.models = &[]),
            ("groups", |groups| groups.events = &[]),
            ("guests", |guests| guests.permissions = &[]),
            ("groups", |groups| groups.things = &[]),
            ("groups", |groups| groups.apis = &[]),
            ("guests", |guests| guests.tables = Vec::new),
            ("guests", |guests| guests.hooks = |hooks, _| hooks),
            ("grants", |grants| grants.hooks = |hooks, _| hooks),
            ("webhooks", |webhooks| webhooks.tables = Vec::new),
            ("groups", |groups| groups.name = "grants"),
            ("recovery", |recovery| recovery.emails = &[UNKNOWN_VALUE, UNKNOWN_TEMPLATE, NO_SUBJECT, NO_SUBJECT]),
        ];
        let mut text = String::new();
        for (index, (name, change)) in removed.iter().enumerate() {
            let faults = with(name, *change);
            assert!(!faults.is_empty(), "{index}: a part of {name} is missing, and nobody says so");
            text += &format!("{index}. {name}\n{}\n", faults.join("\n"));
        }
        insta::assert_snapshot!(text);
    }
}

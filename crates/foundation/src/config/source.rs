//! The sources of settings: defaults, a file, and the environment. Later ones go over earlier ones.

use std::borrow::Cow;
use std::collections::BTreeMap;

use toml::{Table, Value};

use super::{ConfigError, refuse};
use crate::declared;

/// Each setting: its value, and where it came from.
pub(super) type Given = BTreeMap<String, (Value, String)>;

/// Well-known variables, and the setting each one sets.
const WELL_KNOWN: &[(&str, &str)] = &[
    ("DATABASE_URL", "database_url"),
    ("SECRET_KEY", "secret_key"),
    ("HOST", "host"),
    ("PORT", "port"),
    ("DEBUG", "debug"),
];

/// Variables with the prefix of settings that belong to the command line, the build and the developer tasks.
const NOT_SETTINGS: &[&str] = &["CONFIG", "COMMIT", "BIN"];
const NOT_SETTINGS_PREFIXES: &[&str] = &["TEST_", "CONTRACT_"];

/// Returns each setting that the sources give.
pub(super) fn collect(
    defaults: &Table,
    file: Option<(String, String)>,
    variables: Vec<(String, String)>,
) -> Result<Given, ConfigError> {
    let mut given: Given =
        defaults.iter().map(|(key, value)| (key.clone(), (value.clone(), "default".into()))).collect();
    if let Some((path, text)) = file {
        let table: Table = text.parse().map_err(|error| syntax(&path, &text, &error))?;
        for (key, value) in table {
            let Some(default) = defaults.get(&key) else {
                return refuse(format!("{path}: there is no setting `{key}`{}", nearest(&key, defaults.keys())));
            };
            if !same_kind(default, &value) {
                // the value may be a secret
                return refuse(format!("{path}: `{key}` must be {}", kind(default)));
            }
            given.insert(key, (value, path.clone()));
        }
    }
    for (variable, text) in variables {
        let Some(key) = key_of(&variable, defaults)? else { continue };
        let value = parse(&defaults[&key], &text)
            .ok_or_else(|| ConfigError(format!("{variable} must be {}", kind(&defaults[&key]))))?;
        given.insert(key, (value, format!("environment {variable}")));
    }
    Ok(given)
}

/// A syntax error in a settings file, by its place. The library would print the line, which may hold a secret.
fn syntax(path: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let place = error.span().map_or_else(String::new, |span| {
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!(":{line}:{column}")
    });
    ConfigError(format!("{path}{place}: {}; {}.toml shows how settings are written", error.message(), declared::name()))
}

/// The setting that a variable sets; none when it is not ours.
fn key_of(variable: &str, defaults: &Table) -> Result<Option<String>, ConfigError> {
    if let Some((_, key)) = WELL_KNOWN.iter().find(|(name, _)| *name == variable) {
        return Ok(Some((*key).into()));
    }
    let Some(rest) = variable.strip_prefix(&declared::variable("")) else { return Ok(None) };
    if NOT_SETTINGS.contains(&rest) || NOT_SETTINGS_PREFIXES.iter().any(|prefix| rest.starts_with(prefix)) {
        return Ok(None);
    }
    let key = rest.to_lowercase();
    if defaults.contains_key(&key) {
        return Ok(Some(key));
    }
    let names: Vec<_> = defaults.keys().map(|key| declared::variable(key)).collect();
    refuse(format!("there is no setting {variable}{}", nearest(variable, names.iter())))
}

/// `; did you mean …?` with the known name that is nearest, if one is near.
pub fn nearest<T: AsRef<str>>(name: &str, known: impl IntoIterator<Item = T>) -> String {
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(name, known.as_ref()), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.7)
        .map_or(String::new(), |(_, known)| format!("; did you mean `{}`?", known.as_ref()))
}

fn kind(default: &Value) -> Cow<'static, str> {
    match default {
        Value::Integer(_) => "a whole number that is not negative".into(),
        Value::Boolean(_) => "true or false".into(),
        _ if default.as_str() == Some("auto") => {
            format!("auto or one of the words in {}.toml", declared::name()).into()
        }
        _ => "text".into(),
    }
}

fn same_kind(default: &Value, value: &Value) -> bool {
    match value {
        Value::Integer(number) => *number >= 0 && default.is_integer(),
        // `demo` is "auto" or a boolean
        Value::Boolean(_) => default.is_bool() || default.as_str() == Some("auto"),
        _ => default.same_type(value),
    }
}

/// The text of a variable as the kind of value its setting has.
fn parse(default: &Value, text: &str) -> Option<Value> {
    match default {
        Value::Integer(_) => text.trim().parse().ok().filter(|number| *number >= 0).map(Value::Integer),
        Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
        _ => match (default.as_str(), text.parse()) {
            (Some("auto"), Ok(flag)) => Some(Value::Boolean(flag)),
            _ => Some(Value::String(text.into())),
        },
    }
}

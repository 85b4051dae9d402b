//! JSON for people: values that fit stand in one line.

use serde_json::Value;

/// The layout of JSON text.
#[derive(Clone, Copy)]
pub struct Layout {
    /// The number of spaces of one level.
    indent: usize,
    /// The largest width of a value in one line, with the spaces in front of its line.
    width: usize,
}

/// JSON in a script.
pub const SCRIPT: Layout = Layout { indent: 4, width: 100 };

/// JSON in a file.
pub const FILE: Layout = Layout { indent: 2, width: 140 };

impl Layout {
    /// Returns the text of a value.
    pub fn text(self, value: &Value) -> String {
        self.nested(value, 0)
    }

    fn nested(self, value: &Value, depth: usize) -> String {
        let line = one_line(value);
        let (parts, open, close): (Vec<String>, _, _) = match value {
            _ if depth * self.indent + line.chars().count() <= self.width => return line,
            Value::Object(members) => {
                let parts = members.iter().map(|(name, value)| member(name, &self.nested(value, depth + 1)));
                (parts.collect(), "{", "}")
            }
            Value::Array(values) => (values.iter().map(|value| self.nested(value, depth + 1)).collect(), "[", "]"),
            _ => return line,
        };
        let (outer, inner) = (" ".repeat(depth * self.indent), " ".repeat((depth + 1) * self.indent));
        format!("{open}\n{inner}{}\n{outer}{close}", parts.join(&format!(",\n{inner}")))
    }
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let parts = members.iter().map(|(name, value)| member(name, &one_line(value)));
            format!("{{{}}}", parts.collect::<Vec<_>>().join(", "))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        scalar => scalar.to_string(),
    }
}

fn member(name: &str, value: &str) -> String {
    format!("{}: {value}", Value::from(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_that_fits_stands_in_one_line_and_the_value_stays_the_same() {
        let value = json!({"one": [1, {"two": "\"\n"}], "long": ["aaaaaaaaaaaa", "bbbbbbbbbbbb"], "none": {}});
        let text = Layout { indent: 2, width: 30 }.text(&value);
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
        let wanted = r#"{
  "one": [1, {"two": "\"\n"}],
  "long": [
    "aaaaaaaaaaaa",
    "bbbbbbbbbbbb"
  ],
  "none": {}
}"#;
        assert_eq!(text, wanted);
    }
}

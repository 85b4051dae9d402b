//! What commands print: a table for people, or JSON for programs.

use serde::Serialize;

/// Between two columns.
const GAP: &str = "  ";

/// Rows under their headings, each column as wide as its widest text.
pub fn table<const N: usize>(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows = rows.into_iter().map(|row| row.map(|text| plain(&text)));
    let rows: Vec<_> = std::iter::once(headings.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(text, width)| format!("{text:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join(GAP).trim_end())
    };
    rows.iter().map(line).collect()
}

/// What the API would answer, on several lines.
pub fn json(value: &impl Serialize) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).expect("plain data"))
}

/// Text that somebody chose must not steer the terminal of whoever reads it.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_text_and_steer_no_terminal() {
        let rows = [["1", "Änne"], ["12", "\u{1b}[2Jx"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(["id", "name"], rows), "id  name\n1   Änne\n12  \u{fffd}[2Jx\n");
    }
}

//! The CSV form: every field in double quotes, the header row always there.

use crate::term::Term;

/// The rows.
pub fn render(columns: &[String], rows: &[Vec<Term>]) -> String {
    let mut out = String::new();
    if !columns.is_empty() {
        push_row(&mut out, columns.iter().map(String::as_str));
    }
    for row in rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        push_row(&mut out, cells.iter().map(String::as_str));
    }
    out
}

/// As in a table, but an empty list is an empty field.
fn cell(term: &Term) -> String {
    match term {
        Term::List(items) if items.is_empty() => String::new(),
        other => super::table::cell(other),
    }
}

fn push_row<'a>(out: &mut String, cells: impl Iterator<Item = &'a str>) {
    let cells: Vec<String> = cells.map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
    out.push_str(&cells.join(","));
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        let rows = [vec![Term::text("a\"b"), Term::Missing]];
        assert_eq!(render(&["x".into(), "y".into()], &rows), "\"x\",\"y\"\n\"a\"\"b\",\"\"\n");
    }
}

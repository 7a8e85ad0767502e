//! The drawn table: a box with a rule between every two rows.

use crate::output::{erlang, table};
use crate::term::Term;

/// The rows in a box.
pub fn render(columns: &[String], rows: &[Vec<Term>]) -> String {
    let body: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let cells = body.iter().filter_map(|row| row.get(at)).flat_map(|cell| cell.split('\n')).map(width);
            cells.chain([width(name)]).max().unwrap_or(0)
        })
        .collect();
    let rule = |left: &str, middle: &str, right: &str| {
        let lines: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
        format!("{left}{}{right}\n", lines.join(middle))
    };
    let mut out = rule("┌", "┬", "┐");
    push_row(&mut out, columns, &widths);
    for row in &body {
        out.push_str(&rule("├", "┼", "┤"));
        push_row(&mut out, row, &widths);
    }
    out.push_str(&rule("└", "┴", "┘"));
    out
}

fn push_row(out: &mut String, cells: &[String], widths: &[usize]) {
    let height = cells.iter().map(|cell| cell.split('\n').count()).max().unwrap_or(1);
    for level in 0..height {
        for (at, column) in widths.iter().enumerate() {
            let text = cells.get(at).and_then(|cell| cell.split('\n').nth(level)).unwrap_or_default();
            out.push_str("│ ");
            out.push_str(text);
            out.extend(std::iter::repeat_n(' ', column.saturating_sub(width(text)) + 1));
        }
        out.push_str("│\n");
    }
}

/// The elements of a list stand one after the other with nothing between them.
fn cell(term: &Term) -> String {
    match term {
        Term::List(items) => items.iter().map(element).collect(),
        Term::Tuple(_) => erlang::flat(term),
        other => table::cell(other),
    }
}

fn element(term: &Term) -> String {
    match term {
        Term::Tuple(_) | Term::Map(_) => erlang::flat(term),
        other => cell(other),
    }
}

/// Columns a text takes on a terminal: wide East Asian characters take two.
fn width(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

const fn is_wide(c: char) -> bool {
    matches!(c as u32, 0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE4F
        | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn box_fits_the_widest_cell() {
        let rows = [
            vec![Term::text("guest"), Term::List(vec![Term::atom("a"), Term::atom("b")])],
            vec![Term::text("水"), Term::List(Vec::new())],
        ];
        let expected = "\
┌───────┬──────┐
│ user  │ tags │
├───────┼──────┤
│ guest │ ab   │
├───────┼──────┤
│ 水    │      │
└───────┴──────┘
";
        assert_eq!(render(&["user".into(), "tags".into()], &rows), expected);
    }
}

//! HTML by small pieces: text that is always escaped, numbers that carry the place of the JSON that they come from, tables, figures.
//!
//! Knows no section: what is said stands in the files beside this one.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::text::{bytes, count};
use crate::reject::printable;

/// Text for HTML, wherever it stands: control and direction characters are written out, markup is text.
#[must_use]
pub(super) fn escape(text: &str) -> String {
    marked(&printable(text))
}

/// Lines of code: as [`escape`], and line ends stay.
#[must_use]
pub(super) fn code(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

fn marked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Somebody else's text inside of ours: what is written from right to left does not turn what stands beside it.
#[must_use]
pub(super) fn foreign(text: &str) -> String {
    format!("<bdi>{}</bdi>", escape(text))
}

/// A moment (RFC 3339, UTC) as people read it.
#[must_use]
pub(super) fn moment(text: &str) -> String {
    let shown = match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) if text.ends_with('Z') => format!("{day} {time} UTC"),
        _ => text.to_owned(),
    };
    format!("<time datetime=\"{}\">{}</time>", escape(text), escape(&shown))
}

/// What is shown where there is no value.
pub(super) const NONE: &str = "<span class=\"none\">–</span>";

/// How a number is shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum As {
    /// `1,234`
    Count,
    /// `5.6 MB`
    Bytes,
    /// `1,024 MiB`
    Mib,
    /// A part from 0 to 1 as `97.3 %`; never 0 or 100 unless it is that.
    Percent,
    /// So many digits after the point.
    Fixed(usize),
    /// Four significant digits.
    Digits,
    /// As it is: versions, parameters.
    Plain,
}

impl As {
    fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Mib => "mib",
            Self::Percent => "percent",
            Self::Fixed(_) => "fixed",
            Self::Digits => "digits",
            Self::Plain => "plain",
        }
    }

    /// A number for people; `None` if it is none.
    #[must_use]
    pub(super) fn show(self, value: &Value) -> Option<String> {
        let real = value.as_f64()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts that are written as floats are rounded; below zero is zero")]
        let whole = value.as_u64().unwrap_or(real.round() as u64);
        Some(match self {
            Self::Count => count(whole),
            Self::Bytes => bytes(whole),
            Self::Mib => format!("{} MiB", count(whole.div_ceil(1 << 20))),
            Self::Percent if real > 0.0 && real < 0.0005 => "<0.1 %".to_owned(),
            Self::Percent if (0.9995..1.0).contains(&real) => ">99.9 %".to_owned(),
            Self::Percent => format!("{:.1} %", real * 100.0),
            Self::Fixed(digits) => format!("{real:.digits$}"),
            Self::Digits => digits(real),
            Self::Plain => value.to_string(),
        })
    }
}

/// Four significant digits; with an exponent where the number is very large or small.
#[must_use]
pub(super) fn digits(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e7).contains(&size) {
        return format!("{value:.3e}");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a logarithm from -4 to 7")]
    let after = (3.0 - size.log10().floor()).clamp(0.0, 8.0) as usize;
    format!("{value:.after$}")
}

/// A value of the JSON that a page is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Json<'j>(pub(super) &'j Value);

impl<'j> Json<'j> {
    /// The value at a pointer (RFC 6901); `None` if there is none, or null.
    #[must_use]
    pub(super) fn at(self, at: &str) -> Option<&'j Value> {
        self.0.pointer(at).filter(|v| !v.is_null())
    }

    /// The items of a list; none if there is no list.
    #[must_use]
    pub(super) fn list(self, at: &str) -> &'j [Value] {
        self.at(at).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// The pairs of an object, by key.
    pub(super) fn pairs(self, at: &str) -> impl Iterator<Item = (&'j String, &'j Value)> {
        self.at(at).and_then(Value::as_object).into_iter().flatten()
    }

    /// A text.
    #[must_use]
    pub(super) fn text(self, at: &str) -> Option<&'j str> {
        self.at(at)?.as_str()
    }

    /// A number; 0 if there is none.
    #[must_use]
    pub(super) fn real(self, at: &str) -> f64 {
        self.at(at).and_then(Value::as_f64).unwrap_or(0.0)
    }

    /// A count; 0 if there is none.
    #[must_use]
    pub(super) fn whole(self, at: &str) -> u64 {
        self.at(at).and_then(Value::as_u64).unwrap_or(0)
    }

    /// A number as HTML: with its exact value and its place in the JSON.
    #[must_use]
    pub(super) fn number(self, at: &str, shown: As) -> String {
        let Some((value, text)) = self.at(at).and_then(|v| Some((v, shown.show(v)?))) else { return NONE.to_owned() };
        let text = text.replace(' ', "&nbsp;");
        let text = text.replace('<', "&lt;").replace('>', "&gt;");
        format!("<data value=\"{value}\" data-at=\"{}\" data-as=\"{}\">{text}</data>", escape(at), shown.name())
    }

    /// A text as HTML, or the dash.
    #[must_use]
    pub(super) fn words(self, at: &str) -> String {
        self.text(at).map_or_else(|| NONE.to_owned(), foreign)
    }
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Head<'h> {
    /// Words, from the left.
    Words(&'h str),
    /// Numbers, from the right.
    Number(&'h str),
}

/// A table: every cell is HTML. The first cell of a row is its head.
#[must_use]
pub(super) fn table(caption: &str, heads: &[Head<'_>], rows: &[Vec<String>]) -> String {
    let mut out = String::new();
    // A table that may be wider than the page scrolls by itself, and the keyboard must be able to get there.
    let wide = if heads.len() > 4 { " tabindex=\"0\"" } else { "" };
    let caption = escape(caption);
    let class = if heads.len() > 4 { " class=\"many\"" } else { "" };
    let _ = write!(out, "<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\"{wide}><table{class}><caption>{caption}</caption><thead><tr>");
    for head in heads {
        let _ = match head {
            Head::Words(text) => write!(out, "<th scope=\"col\">{}</th>", escape(text)),
            Head::Number(text) => write!(out, "<th scope=\"col\" class=\"n\">{}</th>", escape(text)),
        };
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let (class, name) = match heads.get(at) {
                Some(Head::Number(name)) => (" class=\"n\"", *name),
                Some(Head::Words(name)) => ("", *name),
                None => ("", ""),
            };
            // On a narrow page each row of a wide table becomes a list, whose lines need the column's name.
            let label = if heads.len() > 4 { format!(" data-label=\"{}\"", escape(name)) } else { String::new() };
            let _ = if at == 0 { write!(out, "<th scope=\"row\"{class}{label}>{cell}</th>") } else { write!(out, "<td{class}{label}>{cell}</td>") };
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// Names and values.
#[must_use]
pub(super) fn facts(pairs: &[(&str, String)]) -> String {
    let mut out = "<dl class=\"facts\">".to_owned();
    for (name, value) in pairs.iter().filter(|(_, value)| value != NONE) {
        let _ = writeln!(out, "<div><dt>{}</dt><dd>{value}</dd></div>", escape(name));
    }
    out.push_str("</dl>\n");
    out
}

/// A chart in two widths, what it shows in words, and the same as a table; the table alone where there is nothing to draw.
#[must_use]
pub(super) fn figure(caption: &str, charts: &[String; 2], table: &str) -> String {
    if charts[0].is_empty() {
        return format!("<p>{caption}</p>\n{table}");
    }
    format!(
        "<figure><div class=\"wide\">{}</div><div class=\"narrow\">{}</div><figcaption>{caption}</figcaption>\n<details><summary>The same as a table</summary>{table}</details></figure>\n",
        charts[0], charts[1]
    )
}

/// A note that something is not known, and the command that changes that.
#[must_use]
pub(super) fn absent(json: Json<'_>, what: &str, text: &str) -> String {
    let Some(at) = json.list("/absent").iter().position(|a| a.get("what").and_then(Value::as_str) == Some(what)) else { return String::new() };
    let why = json.text(&format!("/absent/{at}/why")).unwrap_or_default();
    let command = json.text(&format!("/absent/{at}/command")).unwrap_or_default();
    format!(
        "<div class=\"absent\"><p>{} <span class=\"why\">({})</span> To have it here, run:</p><pre tabindex=\"0\"><code>{}</code></pre></div>\n",
        escape(text),
        escape(why),
        escape(command)
    )
}

/// A bar for a part of a whole, beside its number.
#[must_use]
pub(super) fn meter(json: Json<'_>, at: &str) -> String {
    let share = json.real(at).clamp(0.0, 1.0);
    format!(
        "<span class=\"part\"><span class=\"meter\" aria-hidden=\"true\"><span style=\"width:{:.1}%\"></span></span> {}</span>",
        share * 100.0,
        json.number(at, As::Percent)
    )
}

/// Paragraphs of a list; nothing if it is empty.
#[must_use]
pub(super) fn notes(class: &str, title: &str, lines: &[Value]) -> String {
    let lines: Vec<String> = lines.iter().filter_map(Value::as_str).map(|l| format!("<li>{}</li>", escape(l))).collect();
    if lines.is_empty() { String::new() } else { format!("<div class=\"{class}\"><h3>{title}</h3><ul>{}</ul></div>\n", lines.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_a_text() {
        assert_eq!(escape("<script>alert('x')</script> & \"y\""), "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;");
        assert_eq!(escape("a\u{202e}b\u{0}c\n"), "a\\u{202e}b\\u{0}c\\n");
        assert_eq!(code("a <b>\n\tc"), "a &lt;b&gt;\n\\tc");
    }

    #[test]
    fn numbers_carry_their_place() {
        let value = serde_json::json!({"a": {"b/c": 1234, "p": 0.9999, "f": 0.000_012_345, "n": null}});
        let json = Json(&value);
        assert_eq!(json.number("/a/b~1c", As::Count), "<data value=\"1234\" data-at=\"/a/b~1c\" data-as=\"count\">1,234</data>");
        assert!(json.number("/a/p", As::Percent).contains("&gt;99.9&nbsp;%"));
        assert!(json.number("/a/f", As::Digits).ends_with(">1.234e-5</data>") || json.number("/a/f", As::Digits).ends_with(">1.235e-5</data>"));
        assert_eq!(json.number("/a/n", As::Count), NONE);
        assert_eq!([digits(0.0), digits(1.0), digits(123_456.0), digits(-0.012_345)], ["0", "1.000", "123456", "-0.01235"]);
    }
}

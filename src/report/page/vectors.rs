//! The vectors: their lengths and values, near-duplicates, and the map.

use std::fmt::Write as _;

use super::charts;
use super::html::{As, Head, Json, escape, facts, figure, foreign, table};

/// Dimensions in the table.
const DIMENSIONS: usize = 12;

/// Norms, values and dimensions.
#[must_use]
pub(super) fn html(json: Json<'_>) -> String {
    if json.at("/vectors").is_none() {
        return "<p>The dataset has no column <code>vector</code> of float32.</p>\n".to_owned();
    }
    let mut out = facts(&[
        ("Dimensions", json.number("/vectors/dimension", As::Plain)),
        ("Records with a vector", json.number("/vectors/present", As::Count)),
        ("Records without", json.number("/vectors/missing", As::Count)),
        ("Zero vectors", json.number("/vectors/zero", As::Count)),
        ("Vectors of length 1", json.number("/vectors/unit", As::Count)),
        ("Shortest", json.number("/vectors/norms/smallest", As::Digits)),
        ("Mean length", json.number("/vectors/norms/mean", As::Digits)),
        ("Longest", json.number("/vectors/norms/largest", As::Digits)),
        ("Standard deviation of lengths", json.number("/vectors/norms/deviation", As::Digits)),
    ]);
    if json.whole("/vectors/present") == 0 {
        return out;
    }
    if json.whole("/vectors/zero") > 0 {
        out.push_str("<p>A zero vector has no direction: under cosine it is never found, under L2 it may be found by every short query.</p>\n");
    }
    let norms = charts::histogram("Histogram of the vectors' lengths", "length (Euclidean norm)", "vectors", json.list("/vectors/norms/bins"));
    out.push_str(&figure("Lengths of all vectors.", &norms, &bins(json, "/vectors/norms/bins", "Lengths", "Vectors")));
    let values = charts::histogram("Histogram of the vectors' values", "value", "values", json.list("/vectors/values/bins"));
    let caption = format!(
        "Values of {} sampled vectors, all dimensions together: from {} to {}, mean {}, standard deviation {}.",
        json.number("/vectors/sampled", As::Count),
        json.number("/vectors/values/smallest", As::Digits),
        json.number("/vectors/values/largest", As::Digits),
        json.number("/vectors/values/mean", As::Digits),
        json.number("/vectors/values/deviation", As::Digits)
    );
    out.push_str(&figure(&caption, &values, &bins(json, "/vectors/values/bins", "Values", "Values")));
    out.push_str(&dimensions(json));
    let others = json.list("/other_vectors");
    let row = |at: usize| {
        let place = |key: &str| format!("/other_vectors/{at}/{key}");
        vec![json.words(&place("name")), json.words(&place("column")), json.words(&place("kind")), json.number(&place("filled"), As::Count)]
    };
    if !others.is_empty() {
        let rows: Vec<Vec<String>> = (0..others.len()).map(row).collect();
        out.push_str(&table(
            "Vectors beside the main one",
            &[Head::Words("In the source"), Head::Words("Column"), Head::Words("Kind"), Head::Number("Records")],
            &rows,
        ));
    }
    out
}

fn bins(json: Json<'_>, at: &str, caption: &str, counted: &str) -> String {
    let row = |n: usize| {
        let place = |key: &str| format!("{at}/{n}/{key}");
        vec![json.number(&place("from"), As::Digits), json.number(&place("to"), As::Digits), json.number(&place("count"), As::Count)]
    };
    let rows: Vec<Vec<String>> = (0..json.list(at).len()).map(row).collect();
    table(caption, &[Head::Number("From"), Head::Number("To, excluded"), Head::Number(counted)], &rows)
}

fn dimensions(json: Json<'_>) -> String {
    let list = json.list("/vectors/dimensions");
    let number = |at: usize, key: &str| json.real(&format!("/vectors/dimensions/{at}/{key}"));
    let all: Vec<(f64, f64)> = (0..list.len()).map(|at| (number(at, "mean"), number(at, "deviation"))).collect();
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|a, b| all[*b].1.total_cmp(&all[*a].1).then(a.cmp(b)));
    let row = |at: &usize| {
        let place = |key: &str| format!("/vectors/dimensions/{at}/{key}");
        let numbers = ["mean", "deviation", "smallest", "largest"].map(|key| json.number(&place(key), As::Digits));
        std::iter::once(at.to_string()).chain(numbers).collect()
    };
    // Those that tell most and those that tell least; the JSON has all of them.
    let ends: Vec<usize> =
        if order.len() > DIMENSIONS { order[..DIMENSIONS / 2].iter().chain(&order[order.len() - DIMENSIONS / 2..]).copied().collect() } else { order };
    let rows: Vec<Vec<String>> = ends.iter().map(row).collect();
    let heads = [Head::Words("Dimension, from 0"), Head::Number("Mean"), Head::Number("Standard deviation"), Head::Number("Smallest"), Head::Number("Largest")];
    let caption = if rows.len() < all.len() { "Dimensions with the largest and the smallest standard deviation" } else { "Dimensions by standard deviation" };
    let charts = charts::band("Mean and standard deviation of each dimension", "dimension", "value", &all);
    let mut out =
        figure("Each dimension over all vectors: its mean (line), and one standard deviation on both sides (band).", &charts, &table(caption, &heads, &rows));
    let constant = json.list("/vectors/constant");
    if !constant.is_empty() {
        let shown: Vec<String> = constant.iter().take(20).map(ToString::to_string).collect();
        let more = if constant.len() > 20 { ", …" } else { "" };
        let _ = writeln!(out, "<p>{} dimensions hold the same value in every vector and tell nothing: {}{more}.</p>", constant.len(), shown.join(", "));
    }
    out
}

/// Near-duplicates.
#[must_use]
pub(super) fn near(json: Json<'_>) -> String {
    if json.at("/near").is_none() {
        return "<p>There are not two vectors to compare.</p>\n".to_owned();
    }
    let whole = json.whole("/near/sampled") == json.whole("/near/of");
    let mut out = if whole {
        format!(
            "<p>All {} of {} vectors were compared with all others, exactly, by cosine.</p>\n",
            json.number("/near/sampled", As::Count),
            json.number("/near/of", As::Count)
        )
    } else {
        format!(
            "<p>A random sample of {} of {} vectors was compared with all vectors of the dataset, exactly, by cosine. So these are estimates of how frequent near-duplicates are, not a list of all of them; the last column says how far the truth may be off, at 95&nbsp;% confidence.</p>\n",
            json.number("/near/sampled", As::Count),
            json.number("/near/of", As::Count)
        )
    };
    let row = |at: usize| {
        let place = |key: &str| format!("/near/levels/{at}/{key}");
        let range =
            if whole { "exact".to_owned() } else { format!("{} to {}", json.number(&place("low"), As::Percent), json.number(&place("high"), As::Percent)) };
        vec![
            format!("at least {}", json.number(&place("cosine"), As::Plain)),
            json.number(&place("vectors"), As::Count),
            json.number(&place("share"), As::Percent),
            range,
        ]
    };
    let rows: Vec<Vec<String>> = (0..json.list("/near/levels").len()).map(row).collect();
    let heads = [Head::Words("Cosine with the nearest other vector"), Head::Number("Of the sample"), Head::Number("Part"), Head::Number("Of all vectors")];
    out.push_str(&table("How many vectors have a near-duplicate", &heads, &rows));
    let charts =
        charts::histogram("Histogram of the cosine with the nearest other vector", "cosine with the nearest other vector", "vectors", json.list("/near/bins"));
    out.push_str(&figure("How similar the nearest other vector is.", &charts, &bins(json, "/near/bins", "Cosine with the nearest other vector", "Vectors")));
    let row = |at: usize| {
        let side = |side: &str| {
            let place = |key: &str| format!("/near/pairs/{at}/{side}/{key}");
            format!("{}<br><small>{}</small>", json.words(&place("title")), json.words(&place("id")))
        };
        vec![json.number(&format!("/near/pairs/{at}/cosine"), As::Fixed(6)), side("one"), side("other")]
    };
    let rows: Vec<Vec<String>> = (0..json.list("/near/pairs").len()).map(row).collect();
    if !rows.is_empty() {
        out.push_str(&table("The most similar pairs of the sample", &[Head::Words("Cosine"), Head::Words("Record"), Head::Words("Its nearest")], &rows));
    }
    let _ = writeln!(
        out,
        "<p>Zero vectors: {}. Records without a vector: {}.</p>",
        json.number("/vectors/zero", As::Count),
        json.number("/vectors/missing", As::Count)
    );
    out
}

/// The map.
#[must_use]
pub(super) fn map(json: Json<'_>) -> String {
    if json.at("/map").is_none() {
        return "<p>The vectors do not differ in two directions, so there is no map.</p>\n".to_owned();
    }
    let points: Vec<(f64, f64, usize, String)> = (0..json.list("/map/points").len())
        .map(|at| {
            let place = |key: &str| format!("/map/points/{at}/{key}");
            let group = usize::try_from(json.whole(&place("group"))).unwrap_or(0);
            (json.real(&place("x")), json.real(&place("y")), group, json.text(&place("title")).unwrap_or_default().to_owned())
        })
        .collect();
    let by = json.text("/map/by").unwrap_or_default();
    let mut out = format!(
        "<p>{} of {} vectors on their first two principal components, which hold {} and {} of the variance: what looks near here may be far in the other dimensions. Coloured by {}.</p>\n",
        json.number("/map/sampled", As::Count),
        json.number("/map/of", As::Count),
        json.number("/map/variance/0", As::Percent),
        json.number("/map/variance/1", As::Percent),
        foreign(by)
    );
    let groups = json.list("/map/groups");
    out.push_str("<figure class=\"map\"><ul class=\"legend\">");
    for at in 0..groups.len() {
        let _ = write!(
            out,
            "<li><svg width=\"12\" height=\"12\" aria-hidden=\"true\"><rect class=\"s{at}\" width=\"12\" height=\"12\" rx=\"3\"/></svg> {}</li>",
            json.words(&format!("/map/groups/{at}/name"))
        );
    }
    let svg = charts::scatter("Map of the embeddings; the table below says where each group lies", &points);
    let _ = write!(
        out,
        "</ul>\n<div id=\"points\">{svg}</div>\n<p id=\"reading\" role=\"status\">Point at a dot for its title, or go there with Tab and move with the arrow keys.</p>\n<figcaption>Each dot is one record. Both axes have the same scale and no unit.</figcaption></figure>\n"
    );
    let row = |at: usize| {
        let place = |key: &str| format!("/map/groups/{at}/{key}");
        let typical: Vec<String> = json.list(&place("typical")).iter().filter_map(serde_json::Value::as_str).map(foreign).collect();
        vec![
            json.words(&place("name")),
            json.number(&place("points"), As::Count),
            json.number(&place("centre/0"), As::Digits),
            json.number(&place("centre/1"), As::Digits),
            typical.join("; "),
        ]
    };
    let rows: Vec<Vec<String>> = (0..groups.len()).map(row).collect();
    let heads = [Head::Words("Group"), Head::Number("Points"), Head::Number("Centre, across"), Head::Number("Centre, up"), Head::Words("In its middle")];
    out.push_str(&table("The map in words", &heads, &rows));
    if groups.len() < 2 {
        let fields: Vec<String> = json.list("/fields/listed").iter().take(6).filter_map(|f| f.get("name")?.as_str()).map(escape).collect();
        let such = if fields.is_empty() { String::new() } else { format!(", such as {}", fields.join(", ")) };
        let _ = writeln!(out, "<p>All points are of one group; <code>report --color-by FIELD</code> colours them by a field{such}.</p>");
    }
    out
}

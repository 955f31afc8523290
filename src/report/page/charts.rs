//! The charts as SVG, drawn by plotters. Colours are those of the light page; its style sheet knows them and has others for the dark one.
//!
//! Each chart is drawn wide and narrow: scaled down, letters could not be read on a phone. What a chart means is not known here.

use plotters::coord::ranged1d::SegmentValue;
use plotters::prelude::*;
use serde_json::Value;

use super::html::{digits, escape};

const INK: RGBColor = RGBColor(0x24, 0x29, 0x2F);
const GRID: RGBColor = RGBColor(0xD8, 0xDE, 0xE4);
/// One colour for each group; the style sheet has the same list.
const SERIES: [RGBColor; 8] = [
    RGBColor(0x30, 0x66, 0xBE),
    RGBColor(0xB4, 0x52, 0x0F),
    RGBColor(0x12, 0x85, 0x6F),
    RGBColor(0x8A, 0x4F, 0xBF),
    RGBColor(0xC2, 0x30, 0x4D),
    RGBColor(0x7A, 0x7A, 0x12),
    RGBColor(0x8A, 0x5A, 0x3C),
    RGBColor(0x6B, 0x72, 0x80),
];
const WIDE: u32 = 760;
const NARROW: u32 = 340;

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Draws both widths. Into a string nothing can fail but the arithmetic of odd ranges; then there is no chart, and the table stays.
fn both(label: &str, height: u32, draw: impl Fn(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>, bool) -> Drawn) -> [String; 2] {
    [WIDE, NARROW].map(|width| svg(label, (width, height), |area| draw(area, width == NARROW)))
}

fn svg(label: &str, size: (u32, u32), draw: impl Fn(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn) -> String {
    let mut text = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&area).and_then(|()| area.present().map_err(Into::into))
    };
    match drawn {
        Ok(()) => text.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{}\" ", escape(label)), 1),
        Err(_) => String::new(),
    }
}

fn letters<'f>(size: u32) -> TextStyle<'f> {
    ("system-ui, sans-serif", size).into_font().color(&INK)
}

/// A number on an axis that is so long: what is left of a zero after adding up steps is a zero.
fn short(value: f64, length: f64) -> String {
    if value.abs() < length.abs() * 1e-9 {
        return "0".to_owned();
    }
    if value.abs() >= 1e3 && value.abs() < 1e15 && length >= 10.0 {
        return format!("{}{}", if value < 0.0 { "-" } else { "" }, counted(value.abs().round()));
    }
    let text = digits(value);
    if text.contains('.') && !text.contains('e') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A number of things on an axis: `1,200`.
fn counted(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "labels of an axis of counts")]
    let whole = value.max(0.0).round() as u64;
    if (value - value.round()).abs() > 1e-6 { String::new() } else { super::super::text::count(whole) }
}

/// How many values lie in each bin of the JSON: `from`, `to`, `count`.
pub(super) fn histogram(label: &str, x: &str, y: &str, bins: &[Value]) -> [String; 2] {
    let number = |bin: &Value, key: &str| bin.get(key).and_then(Value::as_f64).unwrap_or(0.0);
    let bars: Vec<(f64, f64, f64)> = bins.iter().map(|b| (number(b, "from"), number(b, "to"), number(b, "count"))).collect();
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Default::default() };
    // One bin alone would fill the page.
    let side = if bars.len() < 5 { (first.1 - first.0) * 3.0 } else { 0.0 };
    let (from, to) = (first.0 - side, last.1 + side);
    let most = bars.iter().fold(1.0f64, |most, b| most.max(b.2)) * 1.05;
    both(label, 260, |area, narrow| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(18)
            .x_label_area_size(46)
            .y_label_area_size(if narrow { 62 } else { 78 })
            .build_cartesian_2d(from..to, 0.0..most)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(INK.mix(0.5))
            .label_style(letters(15))
            .axis_desc_style(letters(15))
            .x_labels(if narrow { 4 } else { 8 })
            .y_labels(5)
            .x_label_formatter(&|v| short(*v, to - from))
            .y_label_formatter(&|v| counted(*v))
            .x_desc(x)
            .y_desc(y)
            .draw()?;
        chart.draw_series(bars.iter().filter(|b| b.2 > 0.0).map(|(from, to, count)| Rectangle::new([(*from, 0.0), (*to, *count)], SERIES[0].filled())))?;
        Ok(())
    })
}

/// One bar for each name, the first on top.
pub(super) fn ranking(label: &str, x: &str, rows: &[(String, f64)]) -> [String; 2] {
    let most = rows.iter().fold(0.0f64, |most, r| most.max(r.1));
    if rows.len() < 2 || most <= 0.0 {
        return Default::default();
    }
    let height = 64 + 26 * u32::try_from(rows.len()).unwrap_or(0);
    both(label, height, |area, narrow| {
        let room = if narrow { 15 } else { 30 };
        let cut = |name: &str| {
            let name = crate::reject::printable(name);
            if name.chars().count() > room { name.chars().take(room - 1).chain(['…']).collect() } else { name }
        };
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(24)
            .x_label_area_size(46)
            .y_label_area_size(if narrow { 116 } else { 220 })
            .build_cartesian_2d(0.0..most * 1.02, (0..rows.len() - 1).into_segmented())?;
        let name = |at: &SegmentValue<usize>| match at {
            SegmentValue::CenterOf(at) | SegmentValue::Exact(at) => rows.iter().rev().nth(*at).map(|r| cut(&r.0)).unwrap_or_default(),
            SegmentValue::Last => String::new(),
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(INK.mix(0.5))
            .label_style(letters(15))
            .axis_desc_style(letters(15))
            .x_labels(if narrow { 3 } else { 6 })
            .y_labels(rows.len())
            .x_label_formatter(&|v| short(*v, most))
            .y_label_formatter(&name)
            .x_desc(x)
            .draw()?;
        chart.draw_series(rows.iter().rev().enumerate().map(|(at, (_, value))| {
            let mut bar = Rectangle::new([(0.0, SegmentValue::Exact(at)), (*value, SegmentValue::Exact(at + 1))], SERIES[0].filled());
            bar.set_margin(4, 4, 0, 0);
            bar
        }))?;
        Ok(())
    })
}

/// The mark of each line of [`curves`], for its legend.
pub(super) const MARKS: [&str; 3] = ["●", "▲", "✕"];

/// Lines with a mark at each value, and a dashed line at `target`.
pub(super) fn curves(label: &str, x: &str, y: &str, series: &[(String, Vec<(f64, f64)>)], target: Option<f64>) -> [String; 2] {
    let all = || series.iter().flat_map(|(_, points)| points);
    if all().next().is_none() {
        return Default::default();
    }
    let right = all().fold(0.0f64, |most, p| most.max(p.0)) * 1.05 + f64::MIN_POSITIVE;
    let low = all().map(|p| p.1).chain(target).fold(1.0f64, f64::min);
    let bottom = (low - (1.0 - low).max(0.01) * 0.1).max(0.0);
    let top = 1.0 + (1.0 - bottom) * 0.04;
    both(label, 320, |area, narrow| {
        let mut chart =
            ChartBuilder::on(area).margin(8).margin_right(18).x_label_area_size(46).y_label_area_size(62).build_cartesian_2d(0.0..right, bottom..top)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(INK.mix(0.5))
            .label_style(letters(15))
            .axis_desc_style(letters(15))
            .x_labels(if narrow { 4 } else { 8 })
            .y_labels(6)
            .x_label_formatter(&|v| short(*v, right))
            .y_label_formatter(&|v| short(*v, top - bottom))
            .x_desc(x)
            .y_desc(y)
            .draw()?;
        if let Some(target) = target {
            chart.draw_series(DashedLineSeries::new([(0.0, target), (right, target)], 6, 4, INK.mix(0.6).stroke_width(1)))?;
        }
        for (at, (_, points)) in series.iter().enumerate() {
            let color = SERIES[at % SERIES.len()];
            chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?;
            // A mark of its own for each line: colour alone does not tell them apart on every paper.
            chart.draw_series(points.iter().map(|p| match at % MARKS.len() {
                0 => Circle::new(*p, 4, color.filled()).into_dyn(),
                1 => TriangleMarker::new(*p, 6, color.filled()).into_dyn(),
                _ => Cross::new(*p, 4, color.stroke_width(2)).into_dyn(),
            }))?;
        }
        Ok(())
    })
}

/// The mean of each dimension, and a band of one standard deviation on both sides.
pub(super) fn band(label: &str, x: &str, y: &str, means: &[(f64, f64)]) -> [String; 2] {
    if means.len() < 2 {
        return Default::default();
    }
    let (low, high) = means.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (m, d)| (low.min(m - d), high.max(m + d)));
    let room = ((high - low) * 0.05).max(f64::MIN_POSITIVE.sqrt());
    let place = |at: usize| f64::from(u32::try_from(at).unwrap_or(u32::MAX));
    both(label, 260, |area, narrow| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(18)
            .x_label_area_size(46)
            .y_label_area_size(if narrow { 62 } else { 78 })
            .build_cartesian_2d(0.0..place(means.len() - 1), low - room..high + room)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(INK.mix(0.5))
            .label_style(letters(15))
            .axis_desc_style(letters(15))
            .x_labels(if narrow { 4 } else { 8 })
            .y_labels(5)
            .x_label_formatter(&|v| counted(*v))
            .y_label_formatter(&|v| short(*v, high - low))
            .x_desc(x)
            .y_desc(y)
            .draw()?;
        let upper = means.iter().enumerate().map(|(at, (m, d))| (place(at), m + d));
        let lower = means.iter().enumerate().rev().map(|(at, (m, d))| (place(at), m - d));
        chart.draw_series([Polygon::new(upper.chain(lower).collect::<Vec<_>>(), SERIES[0].mix(0.25))])?;
        chart.draw_series(LineSeries::new(means.iter().enumerate().map(|(at, (m, _))| (place(at), *m)), SERIES[0].stroke_width(1)))?;
        Ok(())
    })
}

/// Points of several groups, each with its title; both axes have the same scale, so that distances can be compared.
pub(super) fn scatter(label: &str, points: &[(f64, f64, usize, String)]) -> String {
    // Finer than the page, because plotters has whole pixels only.
    const SIZE: (u32, u32) = (1600, 1100);
    let range = |of: fn(&(f64, f64, usize, String)) -> f64| points.iter().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let (xs, ys) = (range(|p| p.0), range(|p| p.1));
    let scale = ((xs.1 - xs.0) / f64::from(SIZE.0)).max((ys.1 - ys.0) / f64::from(SIZE.1)) * 1.06;
    if points.is_empty() || scale <= 0.0 || !scale.is_finite() {
        return String::new();
    }
    let around = |range: (f64, f64), pixels: u32| {
        let (middle, half) = (range.0.midpoint(range.1), scale * f64::from(pixels) / 2.0);
        middle - half..middle + half
    };
    let text = svg(label, SIZE, |area| {
        let mut chart = ChartBuilder::on(area).margin(2).build_cartesian_2d(around(xs, SIZE.0), around(ys, SIZE.1))?;
        chart.configure_mesh().disable_mesh().axis_style(GRID).x_labels(0).y_labels(0).draw()?;
        chart.draw_series(points.iter().map(|(x, y, group, _)| Circle::new((*x, *y), 6, SERIES[group % SERIES.len()].mix(0.65).filled())))?;
        Ok(())
    });
    titled(&text, points)
}

/// Gives each circle, in their order, its title, and leaves out what all of them share: the style sheet says it once.
fn titled(svg: &str, points: &[(f64, f64, usize, String)]) -> String {
    let mut parts = svg.split("<circle ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for (part, (.., title)) in parts.zip(points) {
        let (circle, rest) = part.split_once("/>").unwrap_or((part, ""));
        let circle = circle.replace(" opacity=\"0.65\"", "").replace(" stroke=\"none\" stroke-width=\"1\"", "");
        out.push_str("<circle ");
        out.push_str(circle.trim_end());
        out.push_str("><title>");
        out.push_str(&escape(title));
        out.push_str("</title></circle>");
        out.push_str(rest.trim_start_matches('\n'));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_names_stays_text() {
        let evil = "</text><script>x</script>".to_owned();
        let charts = [
            ranking(&evil, &evil, &[(evil.clone(), 1.0), (evil.clone(), 2.0)]),
            curves(&evil, &evil, &evil, &[(evil.clone(), vec![(1.0, 0.5), (2.0, 0.9)])], Some(0.95)),
            [scatter(&evil, &[(0.0, 1.0, 0, evil.clone()), (1.0, 0.0, 9, evil.clone())]), String::new()],
        ];
        for chart in charts.iter().flatten() {
            assert!(!chart.contains("<script"), "{chart}");
        }
        assert_eq!(charts[2][0].matches("<title>").count(), 2);
        assert!(charts[0][0].starts_with("<svg role=\"img\" aria-label="), "{}", charts[0][0]);
    }

    #[test]
    fn odd_figures_have_no_chart_or_a_whole_one() {
        let bin = serde_json::json!([{"from": 1.0, "to": 1.000_976_562_5, "count": 5}]);
        assert!(histogram("l", "x", "y", bin.as_array().expect("a list"))[0].contains("<rect"));
        assert!(histogram("l", "x", "y", &[])[0].is_empty() && scatter("l", &[]).is_empty() && band("l", "x", "y", &[])[0].is_empty());
        assert!(scatter("l", &[(1.0, 1.0, 0, String::new()), (1.0, 1.0, 0, String::new())]).is_empty());
        assert!(band("l", "x", "y", &[(0.0, 0.0), (0.0, 0.0)])[1].contains("<svg"));
        assert!(ranking("l", "x", &[("a".to_owned(), 0.0), ("b".to_owned(), 0.0)])[0].is_empty());
        assert_eq!([short(-5.5e-17, 0.6), short(0.25, 1.0), short(12_500.0, 2e4), short(-1500.0, 3e3)], ["0", "0.25", "12,500", "-1,500"]);
    }
}

//! Pictures: something over something else, as lines or as areas that stand on one another.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

/// A picture that is to be drawn.
pub struct Picture {
    /// What it shows.
    pub title: String,
    /// What runs to the right, and upwards.
    pub axes: (String, String),
    /// How values are drawn.
    pub style: Style,
    /// The lines or areas; all with a value at the same places.
    pub series: Vec<Series>,
    /// A line across: what there is.
    pub limit: Option<(String, f64)>,
}

/// How values are drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Each from zero.
    Lines,
    /// Each on the one before.
    Stacked,
}

/// One line or area.
pub struct Series {
    /// Its name.
    pub name: String,
    /// Places and values.
    pub points: Vec<(f64, f64)>,
}

/// Points across and down.
const SIZE: (u32, u32) = (1_080, 540);

/// Points across of the names, which stand beside the picture so that they hide nothing of it.
const NAMES: u32 = 240;

/// Points from one name to the next.
const LINE: i32 = 17;

/// The picture as SVG.
pub fn svg(picture: &Picture) -> Result<String> {
    let mut text = String::new();
    draw(picture, &mut text).map_err(|error| anyhow!("cannot draw the picture: {error}"))?;
    Ok(text)
}

/// The values as they are drawn: where each begins and ends.
fn spans(picture: &Picture) -> Vec<Vec<(f64, f64, f64)>> {
    let mut below: Vec<f64> = Vec::new();
    let mut all = Vec::new();
    for series in &picture.series {
        below.resize(below.len().max(series.points.len()), 0.0);
        let spans = series.points.iter().zip(&mut below).map(|(&(at, value), below)| {
            let from = if picture.style == Style::Stacked { *below } else { 0.0 };
            *below = from + value;
            (at, from, from + value)
        });
        all.push(spans.collect());
    }
    all
}

/// A name and its colour, in that line beside the picture.
fn name<B: DrawingBackend>(
    names: &DrawingArea<B, plotters::coord::Shift>,
    line: usize,
    name: &str,
    color: RGBAColor,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let top = i32::try_from(line).unwrap_or(i32::MAX / LINE).saturating_mul(LINE).saturating_add(8);
    names.draw(&Rectangle::new([(4, top), (16, top + 11)], color.filled()))?;
    names.draw(&Text::new(name.to_owned(), (22, top), ("sans-serif", 12)))
}

fn draw(
    picture: &Picture,
    text: &mut String,
) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'static> as DrawingBackend>::ErrorType>> {
    let spans = spans(picture);
    let points = || spans.iter().flatten();
    let first = points().map(|span| span.0).fold(f64::INFINITY, f64::min);
    let last = points().map(|span| span.0).fold(f64::NEG_INFINITY, f64::max);
    let limit = picture.limit.iter().map(|limit| limit.1);
    let top = points().map(|span| span.2).chain(limit).fold(0.0, f64::max) * 1.05;
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let (values, names) = area.split_horizontally(SIZE.0 - NAMES);
    let mut chart = ChartBuilder::on(&values)
        .caption(&picture.title, ("sans-serif", 20))
        .margin(12)
        .margin_right(24)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(first..last.max(first + 1e-9), 0.0..top.max(1e-9))?;
    chart
        .configure_mesh()
        .x_desc(&picture.axes.0)
        .y_desc(&picture.axes.1)
        .light_line_style(WHITE)
        .draw()?;
    for (index, (series, spans)) in picture.series.iter().zip(&spans).enumerate() {
        let color = Palette99::pick(index).to_rgba();
        if picture.style == Style::Stacked {
            let up = spans.iter().map(|span| (span.0, span.2));
            let down = spans.iter().rev().map(|span| (span.0, span.1));
            let outline = up.chain(down).collect::<Vec<_>>();
            chart.draw_series(std::iter::once(Polygon::new(outline, color.filled())))?;
        } else {
            let line = spans.iter().map(|span| (span.0, span.2));
            chart.draw_series(LineSeries::new(line, color.stroke_width(2)))?;
        }
        // The last area is the topmost, and so is its name.
        let line = match picture.style {
            Style::Stacked => picture.series.len() - index,
            Style::Lines => index + 1,
        };
        name(&names, line, &series.name, color)?;
    }
    if let Some((title, value)) = &picture.limit {
        let line = [(first, *value), (last, *value)];
        chart.draw_series(LineSeries::new(line, BLACK.stroke_width(1)))?;
        name(&names, picture.series.len() + 1, title, BLACK.to_rgba())?;
    }
    area.present()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(style: Style) -> Picture {
        let of = |name: &str, value| Series {
            name: name.into(),
            points: vec![(0.0, value), (1.0, value)],
        };
        Picture {
            title: "memory".into(),
            axes: ("minutes".into(), "MB".into()),
            style,
            series: vec![of("first", 1.0), of("second", 2.0)],
            limit: Some(("all there is".into(), 4.0)),
        }
    }

    #[test]
    fn areas_stand_on_one_another_and_lines_do_not() {
        assert_eq!(spans(&picture(Style::Stacked))[1], [(0.0, 1.0, 3.0), (1.0, 1.0, 3.0)]);
        assert_eq!(spans(&picture(Style::Lines))[1], [(0.0, 0.0, 2.0), (1.0, 0.0, 2.0)]);
    }

    #[test]
    fn a_picture_names_what_is_in_it() {
        for style in [Style::Stacked, Style::Lines] {
            let drawn = svg(&picture(style)).expect("drawn");
            for word in ["memory", "minutes", "MB", "first", "second", "all there is"] {
                assert!(drawn.contains(word), "{word}");
            }
        }
    }
}

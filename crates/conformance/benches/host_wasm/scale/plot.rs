//! The diagram of the costs.

use std::path::Path;

use anyhow::Context as _;
use plotters::prelude::*;

use super::{COUNTS, Panel};
use crate::measure::ENGINE;

/// The number of panels beside each other.
const COLUMNS: usize = 4;
/// The size of a panel, in pixels.
const SIZE: (u32, u32) = (380, 300);

/// Plots the panels to a file.
pub fn plot(path: &Path, panels: &[Panel]) -> anyhow::Result<()> {
    let rows = panels.len().div_ceil(COLUMNS);
    let size = (SIZE.0 * COLUMNS as u32, SIZE.1 * rows as u32 + 40);
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE)?;
    let (title, rest) = area.split_vertically(40);
    title.titled(
        &format!("host:wasm on the engine {ENGINE}: flat is good"),
        ("sans-serif", 20),
    )?;
    for (area, panel) in rest.split_evenly((rows, COLUMNS)).iter().zip(panels) {
        let points = panel.lines.iter().flat_map(|line| &line.points);
        let most = points.map(|(_, cost)| *cost).fold(0.0, f64::max);
        let counts = f64::from(COUNTS[0])..f64::from(COUNTS[COUNTS.len() - 1]);
        let mut chart = ChartBuilder::on(area)
            .caption(panel.title, ("sans-serif", 15))
            .margin(12)
            .margin_right(32)
            .x_label_area_size(36)
            .y_label_area_size(56)
            .build_cartesian_2d(counts.log_scale(), 0.0..most * 1.3)?;
        chart
            .configure_mesh()
            .x_desc(panel.over)
            .x_labels(5)
            .x_label_formatter(&|count| format!("{count:.0}"))
            .y_label_formatter(&|cost| format!("{cost:.0}"))
            .y_labels(5)
            .draw()?;
        for (line, color) in panel.lines.iter().zip([BLUE, RED, GREEN, MAGENTA]) {
            let points = || {
                line.points
                    .iter()
                    .map(|(count, cost)| (f64::from(*count), *cost))
            };
            chart
                .draw_series(LineSeries::new(points(), color.stroke_width(2)))?
                .label(line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
            chart.draw_series(points().map(|point| Circle::new(point, 3, color.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerLeft)
            .background_style(WHITE)
            .border_style(BLACK)
            .draw()?;
    }
    area.present()
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("plotted");
    Ok(())
}

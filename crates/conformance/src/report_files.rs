//! The files that a command writes its report to, and those of earlier reports that it reads.

use std::path::PathBuf;

use clap::Args;

use crate::report::Report;
use crate::{baseline, files, html, junit};

#[derive(Debug, Args)]
pub(crate) struct ReportFiles {
    /// Write the report to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report to this file as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the report to this file as a page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Show the report of an earlier `--json` on the page too: that of the other engine, say. May be given several
    /// times.
    #[arg(long, value_name = "FILE", requires = "html")]
    beside: Vec<PathBuf>,
    /// Say what is different from the report of an earlier `--json`.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

/// The earlier reports.
pub(crate) struct Earlier {
    beside: Vec<Report>,
    baseline: Option<Report>,
}

impl ReportFiles {
    /// Reads the earlier reports: before the long part, in case that a file cannot be read.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or has no report.
    pub(crate) fn read(&self) -> anyhow::Result<Earlier> {
        let beside = self.beside.iter().map(|path| files::read_json(path));
        Ok(Earlier {
            beside: beside.collect::<Result<_, _>>()?,
            baseline: self.baseline.as_deref().map(files::read_json).transpose()?,
        })
    }

    /// Writes the report. Returns what is different from the baseline, as text; `is_whole` says whether all files ran.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub(crate) fn write(
        &self,
        report: &Report,
        is_whole: bool,
        earlier: &Earlier,
    ) -> anyhow::Result<String> {
        if let Some(path) = &self.json {
            files::write(path, &serde_json::to_string_pretty(report)?)?;
        }
        if let Some(path) = &self.junit {
            files::write(path, &junit::render(report)?)?;
        }
        if let Some(path) = &self.html {
            let reports: Vec<&Report> = std::iter::once(report).chain(&earlier.beside).collect();
            files::write(path, &html::render(&reports))?;
        }
        let Some(before) = &earlier.baseline else {
            return Ok(String::new());
        };
        let changes = baseline::compare(before, report, is_whole);
        let lines = changes.iter().map(|change| format!("{change}\n"));
        Ok(format!(
            "{} changes since the baseline\n{}",
            changes.len(),
            lines.collect::<String>()
        ))
    }
}

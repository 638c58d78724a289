//! The report as JUnit XML, which CI systems show.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Xml, TestCase, TestCaseStatus, TestSuite};

use crate::report::{FileReport, Report, SuiteReport};

/// A test suite for each suite in each lane, and in it a test case for each file.
///
/// # Errors
///
/// When the text cannot be written as XML.
pub fn render(report: &Report) -> anyhow::Result<String> {
    let mut xml = Xml::new(format!("conformance, {}", report.engine));
    xml.add_test_suites(report.suites.iter().map(|row| suite(report, row)));
    Ok(xml.to_string()?)
}

fn suite(report: &Report, row: &SuiteReport) -> TestSuite {
    let mut suite = TestSuite::new(format!("{} {}", row.lane, row.suite));
    suite.set_time(Duration::from_secs_f64(row.totals.seconds));
    // A failure may be about a file that the suite no longer has, or about the suite as a whole.
    let mut failures: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for failure in &report.failures {
        if failure.suite == row.suite && failure.lane == row.lane {
            let of_file = failures.entry(&failure.file).or_default();
            of_file.push(failure.to_string());
        }
    }
    let files = report.files.iter();
    for file in files.filter(|file| file.suite == row.suite && file.lane == row.lane) {
        let failures = failures.remove(file.file.as_str()).unwrap_or_default();
        let mut case = TestCase::new(file.file.as_str(), status(&failures, file));
        case.set_classname(row.suite.as_str());
        case.set_time(Duration::from_secs_f64(file.totals.seconds));
        case.set_assertions(file.totals.directives());
        let skips = report.skips.iter();
        let skips = skips.filter(|skip| skip.file == file.file && skip.lane == file.lane);
        let reasons: Vec<String> = skips
            .map(|skip| format!("{}:{}  skipped: {}\n", skip.file, skip.line, skip.reason))
            .collect();
        if !reasons.is_empty() {
            case.set_system_out(reasons.concat());
        }
        suite.add_test_case(case);
    }
    for (label, failures) in failures {
        suite.add_test_case(TestCase::new(label, failed(&failures, row.lane.parts())));
    }
    suite
}

fn status(failures: &[String], file: &FileReport) -> TestCaseStatus {
    if !failures.is_empty() {
        failed(failures, file.lane.parts())
    } else if file.totals.passed == 0 && file.totals.skipped > 0 {
        TestCaseStatus::skipped()
    } else {
        TestCaseStatus::success()
    }
}

fn failed(failures: &[String], parts: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(format!("{} of its {parts} failed", failures.len()));
    status.set_description(failures.join("\n"));
    status
}

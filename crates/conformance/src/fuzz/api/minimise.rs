//! Shortens a program while it still has its finding.

use super::{Finding, Program};

/// Returns the shortest program that was found to have a finding of the same kind, and its finding. At worst this is
/// the original program.
///
/// # Errors
///
/// If `run` fails.
pub fn minimise(
    program: &Program,
    finding: Finding,
    run: &mut dyn FnMut(&Program) -> anyhow::Result<Option<Finding>>,
) -> anyhow::Result<(Program, Finding)> {
    let mut best = (program.clone(), finding);
    let mut part = best.0.statements.len() / 2;
    while part > 0 {
        let mut at = 0;
        while at < best.0.statements.len() {
            let mut shorter = best.0.clone();
            let end = shorter.statements.len().min(at + part);
            shorter.statements.drain(at..end);
            match run(&shorter)? {
                Some(finding) if finding.is_like(&best.1) => best = (shorter, finding),
                _ => at += part,
            }
        }
        part /= 2;
    }
    Ok(best)
}

//! The endpoints: what the configuration promises, what happened, and the rungs from a name to an image.

use crate::facts::finding::Stage;
use crate::facts::report::{ExpectedPath, Observed, PathReport, PathVerdict, StageReport, StageStatus};

use super::grid::columns;
use super::terminal::{Ink, Mark, Style, paragraph, sanitise};

/// A rung's name.
pub fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Dns => "dns",
        Stage::Proxy => "proxy",
        Stage::Tcp => "tcp",
        Stage::Tls => "tls",
        Stage::Http => "http",
        Stage::Auth => "auth",
        Stage::Pull => "pull",
    }
}

/// Expected against observed: endpoint, promise, outcome and verdict, with the clause that decides and the ladder below
/// each endpoint that was looked at.
pub fn write(paths: &[PathReport], style: &Style, out: &mut String) {
    let heads = ["", "ENDPOINT", "EXPECTED", "OBSERVED", "VERDICT"];
    let mut rows = vec![heads.map(|head| style.paint(Ink::Faint, head).into_owned()).to_vec()];
    for path in paths {
        rows.push(vec![
            style.mark(mark(path)).into_owned(),
            path.endpoint.to_string(),
            expected(path.expected).to_owned(),
            observed(path.observed).to_owned(),
            verdict(path.verdict).to_owned(),
        ]);
    }
    let drawn = columns(rows);
    let mut lines = drawn.lines();
    out.push_str(lines.next().unwrap_or_default());
    out.push('\n');
    let mut said = "";
    for (line, path) in lines.zip(paths) {
        out.push_str(line);
        out.push('\n');
        // A promise that is kept needs no reason; what holds for one endpoint holds for the next as a rule: said once.
        let kept = path.verdict == PathVerdict::Kept && path.observed == Observed::Reached;
        if !kept && path.because != said {
            paragraph(out, style, &format!("    {}", style.paint(Ink::Faint, "because: ")), "      ", &path.because);
            said = &path.because;
        }
        if path.stages.iter().any(|stage| stage.status != StageStatus::Skipped) {
            out.push_str("    ");
            out.push_str(&rungs(&path.stages, style));
            out.push('\n');
        }
    }
}

fn mark(path: &PathReport) -> Mark {
    match (path.observed, path.expected) {
        (Observed::Untested, _) => Mark::Unknown,
        (Observed::Reached, ExpectedPath::Blocked) => Mark::Warn,
        (Observed::Reached, _) => Mark::Good,
        (Observed::Refused | Observed::Unreachable, _) => Mark::Bad,
    }
}

fn expected(expected: ExpectedPath) -> &'static str {
    match expected {
        ExpectedPath::PrivateLink => "private link",
        ExpectedPath::ServiceEndpoint => "service endpoint",
        ExpectedPath::PublicAllowed => "public, allowed",
        ExpectedPath::Blocked => "blocked",
        ExpectedPath::Unknown => "not known",
    }
}

fn observed(observed: Observed) -> &'static str {
    match observed {
        Observed::Reached => "reached",
        Observed::Refused => "refused",
        Observed::Unreachable => "unreachable",
        Observed::Untested => "not tested",
    }
}

fn verdict(verdict: PathVerdict) -> &'static str {
    match verdict {
        PathVerdict::Kept => "as expected",
        PathVerdict::Broken => "should be let in",
        PathVerdict::Detour => "by another way",
        PathVerdict::Unexpected => "should be refused",
        PathVerdict::Undecided => "not decided",
    }
}

/// `dns √ 12 ms ▸ tcp √ 3 ms ▸ http × 403 …`: up to the first rung that broke, which says why.
fn rungs(stages: &[StageReport], style: &Style) -> String {
    let mut out = String::new();
    for stage in stages.iter().filter(|s| s.status != StageStatus::Skipped) {
        if !out.is_empty() {
            out.push_str(&style.paint(Ink::Faint, style.step()));
        }
        out.push_str(&rung(stage, style));
        if stage.status == StageStatus::Failed && !stage.detail.is_empty() {
            let room = style.width.saturating_sub(console::measure_text_width(&out) + 6).max(24);
            out.push_str("  ");
            out.push_str(&style.cut(&sanitise(&stage.detail), room));
        }
    }
    out
}

/// One rung: its name, whether it held, how long it took.
pub fn rung(stage: &StageReport, style: &Style) -> String {
    let mark = match stage.status {
        StageStatus::Ok => Mark::Good,
        StageStatus::Failed => Mark::Bad,
        StageStatus::Skipped => Mark::Unknown,
    };
    let ms = stage.ms.map(|ms| format!(" {} ms", whole(ms))).unwrap_or_default();
    format!("{} {}{}", stage_name(stage.stage), style.mark(mark), style.paint(Ink::Faint, &ms))
}

/// Milliseconds without more digits than they are worth.
fn whole(ms: f64) -> String {
    if ms < 1.0 { "<1".to_owned() } else { format!("{ms:.0}") }
}

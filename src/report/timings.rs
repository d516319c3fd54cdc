//! Where the time went: the chain that everything waited for, then what ran beside it.

use super::grid::columns;
use super::terminal::{Ink, Style, sanitise};
use crate::facts::timings::{Step, Timings};

/// Begin, length and name of each step.
pub(super) fn write(timings: &Timings, style: &Style, out: &mut String) {
    let title = format!(
        "TIMINGS  {:.0} ms; {} steps waited for each other, {} round trips at least",
        timings.ms,
        timings.critical_path.len(),
        timings.round_trips
    );
    out.push_str(&format!("\n{}\n", style.paint(Ink::Strong, &title)));
    let on_path = |index: &usize| timings.critical_path.contains(index);
    let places = 0..timings.steps.len();
    let path = places.clone().filter(on_path);
    out.push_str(&rows(path.filter_map(|index| timings.steps.get(index)), "WAITED FOR", style));
    let beside = places.filter(|index| !on_path(index));
    let beside: Vec<&Step> = beside.filter_map(|index| timings.steps.get(index)).collect();
    if !beside.is_empty() {
        out.push_str(&rows(beside.into_iter(), "BESIDE IT", style));
    }
}

fn rows<'s>(steps: impl Iterator<Item = &'s Step>, title: &str, style: &Style) -> String {
    let mut rows = vec![["AT", "MS", "STEP", title].map(|head| style.paint(Ink::Faint, head).into_owned()).to_vec()];
    rows.extend(steps.map(|step| {
        let what = format!("{}  {}", sanitise(&step.host), sanitise(&step.what));
        vec![
            format!("{:.0}", step.begin),
            format!("{:.0}", step.ms),
            step.kind.name().to_owned(),
            style.cut(&what, 100).into_owned(),
        ]
    }));
    columns(rows)
}

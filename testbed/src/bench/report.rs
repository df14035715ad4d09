//! Figures, rows and tables.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;

use super::machine::Ground;

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// What a scenario measured: in full, and as rows.
pub(super) struct Outcome {
    figures: Value,
    rows: Vec<Row>,
}

impl Outcome {
    pub(super) fn new(figures: &impl Serialize, rows: Vec<Row>) -> anyhow::Result<Self> {
        Ok(Self { figures: serde_json::to_value(figures)?, rows })
    }
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    what: String,
    /// The aim, if there is one.
    aim: Option<String>,
    measured: String,
    reached: Option<bool>,
    beside: String,
    /// It stands in the extract, too.
    #[serde(skip)]
    headline: bool,
}

impl Row {
    /// A figure that is to be `aim` at most.
    pub(super) fn at_most(what: String, figure: f64, aim: f64, unit: &str) -> Self {
        let with_unit = |text: String| match unit {
            "" => text,
            "×" => format!("{text} ×"),
            unit => format!("{text} {unit}"),
        };
        Self {
            what,
            aim: Some(with_unit(format!("≤ {aim}"))),
            measured: with_unit(digits(figure)),
            reached: Some(figure <= aim),
            beside: String::new(),
            headline: false,
        }
    }

    /// A figure without an aim.
    pub(super) fn plain(what: String, measured: String) -> Self {
        Self { what, aim: None, measured, reached: None, beside: String::new(), headline: false }
    }

    /// Figures that belong to it.
    #[must_use]
    pub(super) fn beside(mut self, beside: String) -> Self {
        self.beside = beside;
        self
    }

    /// The aim asks for this, too.
    #[must_use]
    pub(super) fn and(mut self, holds: bool) -> Self {
        self.reached = self.reached.map(|reached| reached && holds);
        self
    }

    /// Puts it in the extract, too.
    #[must_use]
    pub(super) fn headline(mut self) -> Self {
        self.headline = true;
        self
    }

    fn line(&self) -> String {
        let reached = self.reached.map_or("", |reached| if reached { "yes" } else { "**no**" });
        let aim = self.aim.as_deref().unwrap_or("");
        format!("| {} | {aim} | {} | {reached} | {} |\n", self.what, self.measured, self.beside)
    }
}

/// Two digits below ten, one above.
fn digits(figure: f64) -> String {
    if figure.abs() < 10.0 && figure.fract() != 0.0 { format!("{figure:.2}") } else { format!("{figure:.1}") }
}

/// A count as a number to reckon with; counts here are far below where that is inexact.
pub(super) fn close_to(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// What a scenario came to.
#[derive(Serialize)]
pub(super) struct Measured {
    scenario: &'static str,
    /// Of accounts without limits, or with the default ones.
    default_limits: bool,
    #[serde(skip_serializing_if = "Value::is_null")]
    figures: Value,
    rows: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
    seconds: u64,
}

impl Measured {
    pub(super) fn new(
        scenario: &'static str,
        default_limits: bool,
        outcome: anyhow::Result<Outcome>,
        seconds: u64,
    ) -> Self {
        match outcome {
            Ok(Outcome { figures, rows }) => Self { scenario, default_limits, figures, rows, failed: None, seconds },
            Err(error) => {
                let why = format!("{error:#}");
                let row = Row {
                    measured: "not measured".into(),
                    reached: Some(false),
                    ..Row::plain(scenario.into(), String::new())
                };
                let rows = vec![row.beside(why.lines().next().unwrap_or_default().replace('|', "/"))];
                Self { scenario, default_limits, figures: Value::Null, rows, failed: Some(why), seconds }
            }
        }
    }

    /// Why there are no figures, if so.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }
}

/// Everything that one run measured.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) ground: Ground,
    pub(super) scenarios: Vec<Measured>,
}

impl Report {
    /// Both tables, and what they were measured on.
    pub(super) fn tables(&self) -> String {
        let mut text = format!("{}\n", self.measured_on());
        for (default_limits, heading) in [
            (
                false,
                "Accounts without limits (`limits: {simultaneousActivations: 0, requestsPerSecond: 0, concurrentRequests: 0}`):",
            ),
            (true, "Accounts with the default limits (5 simultaneous activations, 20 requests a second, 16 at once):"),
        ] {
            let rows: Vec<&Row> = self.rows(default_limits).collect();
            if !rows.is_empty() {
                let lines: String = rows.into_iter().map(Row::line).collect();
                let _ = write!(
                    text,
                    "\n{heading}\n\n| | aim | measured | reached | |\n| --- | --- | --- | --- | --- |\n{lines}"
                );
            }
        }
        text
    }

    /// A few lines for a page that tells of other things.
    pub(super) fn extract(&self) -> String {
        let lines: String = self.rows(false).filter(|row| row.headline).map(Row::line).collect();
        format!(
            "| without account limits | aim | measured | reached | |\n| --- | --- | --- | --- | --- |\n{lines}\n{}\n",
            self.measured_on()
        )
    }

    fn rows(&self, default_limits: bool) -> impl Iterator<Item = &Row> {
        self.scenarios
            .iter()
            .filter(move |scenario| scenario.default_limits == default_limits)
            .flat_map(|scenario| &scenario.rows)
    }

    fn measured_on(&self) -> String {
        let Ground { date, cores, processor, memory_gib, kernel, operator, commit, rustc, kubernetes } = &self.ground;
        format!(
            "Measured on {date}: version {operator} ({commit}), {rustc}, Kubernetes {kubernetes}; {cores} cores of {processor}, \
             {memory_gib} GiB, Linux {kernel}, everything on that one machine."
        )
    }
}

/// Replaces what stands between the bench markers of a page.
pub(super) fn write_between_markers(path: &Path, table: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let next =
        between_markers(&text, table).with_context(|| format!("{} has no lines {BEGIN} and {END}", path.display()))?;
    fs::write(path, next).with_context(|| format!("writing {}", path.display()))
}

fn between_markers(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn the_table_goes_between_the_markers_and_nothing_else_changes() {
        let text = format!("above\n{BEGIN}\nold\n{END}\nbelow\n");
        assert_eq!(between_markers(&text, "new\n").unwrap(), format!("above\n{BEGIN}\nnew\n{END}\nbelow\n"));
        assert_eq!(between_markers("no markers", "new"), None);
    }

    #[test]
    fn a_row_says_whether_its_aim_is_reached() {
        let row = Row::at_most("lateness".into(), 1.5, 1.5, "×").beside("p99 50 ms".into());
        assert_eq!(row.line(), "| lateness | ≤ 1.5 × | 1.50 × | yes | p99 50 ms |\n");
        assert_eq!(Row::at_most("late".into(), 12.34, 10.0, "ms").line(), "| late | ≤ 10 ms | 12.3 ms | **no** |  |\n");
        assert_eq!(Row::at_most("late".into(), 1.0, 2.0, "s").and(false).reached, Some(false));
        assert_eq!(Row::plain("x".into(), "1".into()).line(), "| x |  | 1 |  |  |\n");
    }

    #[test]
    fn what_could_not_be_measured_stands_in_the_table_too() {
        let measured = Measured::new("idle", false, Err(anyhow!("no\nbench")), 1);
        assert_eq!(measured.rows[0].line(), "| idle |  | not measured | **no** | no |\n");
        assert_eq!(measured.failure(), Some("no\nbench"));
    }
}

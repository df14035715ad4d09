//! The generated files, by their paths from the root.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use anyhow::{Context, bail};
use serde_norway::Value;

const VALUES: &str = "charts/jobstartstop/values.yaml";
const PAGE: &str = "docs/chart-values.md";
const DEFINITIONS: &str = "charts/jobstartstop/charts/jobstartstop-crds/templates";

/// All of them, with their content.
pub(crate) fn files(root: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for (name, definition) in jobstartstop::api::crds::files()? {
        files.push((format!("{DEFINITIONS}/{name}"), template(&definition)?));
    }
    let values = fs::read_to_string(root.join(VALUES)).with_context(|| format!("cannot read {VALUES}"))?;
    files.push((PAGE.to_owned(), page(&values)?));
    Ok(files)
}

/// A definition as a template: what looks like one in it stands for itself, and its metadata are the chart's.
fn template(definition: &str) -> anyhow::Result<String> {
    let literal = definition.replace("{{", "{{ \"{{\" }}");
    let (head, spec) = literal.split_once("\nspec:\n").context("a definition without a spec")?;
    let metadata = "{{- include \"jobstartstop-crds.metadata\" . | nindent 2 }}";
    Ok(format!("{head}\n  {metadata}\nspec:\n{spec}"))
}

/// The page of the chart's values, from the values and their comments.
fn page(values: &str) -> anyhow::Result<String> {
    let mut page = String::from(
        "# Values of the chart\n\n\
         Made from [`values.yaml`](../charts/jobstartstop/values.yaml) by `make generate`. Helm refuses a name that does not\n\
         exist, and a value that [`values.schema.json`](../charts/jobstartstop/values.schema.json) does not allow.\n\n\
         | value | default | |\n| --- | --- | --- |\n",
    );
    for Row { path, default, comment } in rows(values)? {
        let default = default.map(|value| format!("`{value}`")).unwrap_or_default();
        let cells = [format!("`{path}`"), default, comment].map(|cell| cell.replace('|', "\\|"));
        writeln!(page, "| {} |", cells.join(" | ").replace("|  |", "| |"))?;
    }
    Ok(page)
}

/// One value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its name, with dots.
    pub(crate) path: String,
    /// As JSON; `None` for one that only holds others.
    pub(crate) default: Option<String>,
    comment: String,
}

/// Every value of a file, in its order. A map is one value when nothing in it has a comment of its own.
pub(crate) fn rows(values: &str) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    add(&serde_norway::from_str(values)?, "", &comments(values), &mut rows)?;
    Ok(rows)
}

fn add(values: &Value, within: &str, comments: &BTreeMap<String, String>, rows: &mut Vec<Row>) -> anyhow::Result<()> {
    for (name, value) in values.as_mapping().into_iter().flatten() {
        let name = name.as_str().context("a name that is no text")?;
        let path = if within.is_empty() { name.to_owned() } else { format!("{within}.{name}") };
        let Some(comment) = comments.get(&path) else { bail!("{path} is not explained") };
        let below = format!("{path}.");
        let holds_others = comments.keys().any(|other| other.starts_with(&below));
        let default = if holds_others { None } else { Some(serde_json::to_string(value)?) };
        rows.push(Row { path: path.clone(), default, comment: comment.clone() });
        if holds_others {
            add(value, &path, comments, rows)?;
        }
    }
    Ok(())
}

/// The comments right above names, by the names' paths. Two spaces lead one level down.
fn comments(values: &str) -> BTreeMap<String, String> {
    let mut comments = BTreeMap::new();
    let mut path: Vec<&str> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in values.lines() {
        let text = line.trim_start();
        if let Some(words) = text.strip_prefix('#') {
            comment.push(words.trim());
            continue;
        }
        let said = std::mem::take(&mut comment);
        let Some((name, _)) = text.split_once(':').filter(|(name, _)| !name.starts_with('-')) else { continue };
        path.truncate((line.len() - text.len()) / 2);
        path.push(name);
        if !said.is_empty() {
            comments.insert(path.join("."), said.join(" "));
        }
    }
    comments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_in_a_definition_are_no_template() {
        let template =
            template("kind: X\nmetadata:\n  name: x\nspec:\n  description: as {{ .Release.Name }}\n").unwrap();
        assert!(template.ends_with("\nspec:\n  description: as {{ \"{{\" }} .Release.Name }}\n"), "{template}");
    }

    #[test]
    fn a_value_has_its_path_its_default_and_the_comment_above_it() {
        let values = "# The file.\n\n# The image.\nimage:\n  # Its tag,\n  # or |.\n  tag: \"\"\n\n# Memory.\nresources:\n  limits:\n    \
                      memory: 1Gi\n";
        let row = |path: &str, default: Option<&str>, comment: &str| Row {
            path: path.to_owned(),
            default: default.map(str::to_owned),
            comment: comment.to_owned(),
        };
        assert_eq!(
            rows(values).unwrap(),
            [
                row("image", None, "The image."),
                row("image.tag", Some("\"\""), "Its tag, or |."),
                row("resources", Some(r#"{"limits":{"memory":"1Gi"}}"#), "Memory."),
            ]
        );
        assert!(page(values).unwrap().contains("| `image.tag` | `\"\"` | Its tag, or \\|. |\n"));
    }

    #[test]
    fn a_value_without_a_comment_is_an_error() {
        let error = rows("# One.\none: 1\ntwo: 2\n").unwrap_err();
        assert_eq!(error.to_string(), "two is not explained");
    }
}

//! Tools that apply objects again and again from elsewhere, by what they leave on them.

use std::fmt;

use super::window::Window;

/// What keeps an object as it stands in Git, or in a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keeper {
    tool: &'static str,
    what: String,
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What others wrote moves no cursor and colours nothing.
        let what: String = self.what.chars().filter(|c| !c.is_control()).collect();
        write!(f, "{} ({what})", self.tool)
    }
}

impl Keeper {
    /// What keeps this window, if anything does.
    pub(super) fn of(window: &Window) -> Option<Self> {
        let label = |name: &str| window.labels.get(name).map(String::as_str);
        let annotation = |name: &str| window.annotations.get(name).map(String::as_str);
        let keeper = |tool, kind: &str, namespace: Option<&str>, name: &str| {
            let place = namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
            Some(Self { tool, what: format!("{kind} {place}{name}") })
        };
        if let Some(name) = label("kustomize.toolkit.fluxcd.io/name") {
            return keeper("Flux", "Kustomization", label("kustomize.toolkit.fluxcd.io/namespace"), name);
        }
        if let Some(name) = label("helm.toolkit.fluxcd.io/name") {
            return keeper("Flux", "HelmRelease", label("helm.toolkit.fluxcd.io/namespace"), name);
        }
        if let Some(id) = annotation("argocd.argoproj.io/tracking-id") {
            return keeper("Argo CD", "application", None, id.split(':').next().unwrap_or(id));
        }
        if let Some(name) = label("argocd.argoproj.io/instance") {
            return keeper("Argo CD", "application", None, name);
        }
        // Argo CD that tracks by label, as it did before 3.0, takes one that others set, too.
        if window.managers.iter().any(|manager| manager.starts_with("argocd")) {
            let name = label("app.kubernetes.io/instance").unwrap_or("of an unknown name");
            return keeper("Argo CD", "application", None, name);
        }
        if label("app.kubernetes.io/managed-by") == Some("Helm") {
            let name = annotation("meta.helm.sh/release-name").unwrap_or("of an unknown name");
            return keeper("Helm", "release", annotation("meta.helm.sh/release-namespace"), name);
        }
        None
    }

    /// What a person has to do beside an edit of this field.
    pub(super) fn warning(&self, window: &Window, field: &str) -> String {
        format!(
            "{} keeps {}: change {field} at its source as well, or it is set back the next time it is applied from there.",
            self,
            window.full_name()
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::duty::fixtures::{active, parsed, with};

    #[test]
    fn a_window_is_known_to_be_kept_by_flux_argo_cd_or_helm() {
        for (labels, annotations, keeper) in [
            (
                json!({ "kustomize.toolkit.fluxcd.io/name": "shows", "kustomize.toolkit.fluxcd.io/namespace": "flux-system" }),
                json!({}),
                "Flux (Kustomization flux-system/shows)",
            ),
            (json!({ "helm.toolkit.fluxcd.io/name": "shows" }), json!({}), "Flux (HelmRelease shows)"),
            (
                json!({}),
                json!({ "argocd.argoproj.io/tracking-id": "shows:scheduler.bcovlive.io/JobStartStop:live/news" }),
                "Argo CD (application shows)",
            ),
            (json!({ "argocd.argoproj.io/instance": "shows" }), json!({}), "Argo CD (application shows)"),
            (
                json!({ "app.kubernetes.io/managed-by": "Helm" }),
                json!({ "meta.helm.sh/release-name": "season", "meta.helm.sh/release-namespace": "live" }),
                "Helm (release live/season)",
            ),
        ] {
            let object = with(with(active(), "/metadata/labels", labels), "/metadata/annotations", annotations);
            assert_eq!(Keeper::of(&parsed(object)).unwrap().to_string(), keeper);
        }
        let mut by_label =
            with(active(), "/metadata/labels", json!({ "app.kubernetes.io/instance": "sh\u{1b}[2Jows" }));
        by_label["metadata"]["managedFields"] = json!([{ "manager": "argocd-controller", "operation": "Update" }]);
        assert_eq!(Keeper::of(&parsed(by_label)).unwrap().to_string(), "Argo CD (application sh[2Jows)");
        let by_hand = with(active(), "/metadata/labels", json!({ "app.kubernetes.io/managed-by": "us" }));
        assert_eq!(Keeper::of(&parsed(by_hand)), None);
    }
}

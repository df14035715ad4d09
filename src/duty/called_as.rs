//! Under which name the program was started: as itself, or by kubectl.

use std::ffi::OsStr;
use std::path::Path;

use clap::Command;

/// What the program calls itself in its help and its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalledAs {
    /// `jobstartstop`.
    Itself,
    /// `kubectl-jss`, which kubectl starts for `kubectl jss`.
    Plugin,
    /// `kubectl_complete-jss`, which kubectl starts to complete `kubectl jss`.
    Completer,
}

/// What somebody who types `kubectl jss` has no use for.
const OF_THE_OPERATOR: [&str; 2] = ["run", "crds"];

impl CalledAs {
    /// By the first word of the command line.
    pub fn of(program: Option<&OsStr>) -> Self {
        let stem = program.and_then(|path| Path::new(path).file_stem()).and_then(OsStr::to_str);
        match stem {
            Some("kubectl-jss") => Self::Plugin,
            Some("kubectl_complete-jss") => Self::Completer,
            _ => Self::Itself,
        }
    }

    /// The words that somebody types to get here.
    pub fn typed(self) -> &'static str {
        match self {
            Self::Itself => "jobstartstop",
            Self::Plugin | Self::Completer => "kubectl jss",
        }
    }

    /// The command line under this name.
    pub fn named(self, cli: Command) -> Command {
        match self {
            Self::Itself => cli,
            Self::Plugin | Self::Completer => {
                cli.name("kubectl-jss").bin_name(self.typed()).mut_subcommands(|command| {
                    let hidden = OF_THE_OPERATOR.contains(&command.get_name());
                    command.hide(hidden)
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::duty::options::Alone;

    #[test]
    fn the_first_word_decides_wherever_the_program_lies() {
        for (program, called) in [
            ("jobstartstop", CalledAs::Itself),
            ("/usr/local/bin/jobstartstop", CalledAs::Itself),
            ("/home/a/.krew/bin/kubectl-jss", CalledAs::Plugin),
            ("kubectl-jss.exe", CalledAs::Plugin),
            ("./kubectl_complete-jss", CalledAs::Completer),
        ] {
            assert_eq!(CalledAs::of(Some(OsStr::new(program))), called, "{program}");
        }
        assert_eq!(CalledAs::of(None), CalledAs::Itself);
    }

    #[test]
    fn as_a_plugin_its_usage_says_kubectl_jss() {
        let mut cli = CalledAs::Plugin.named(Alone::command());
        let stop = cli.try_get_matches_from_mut(["kubectl-jss", "stop"]).unwrap_err().to_string();
        assert!(stop.contains("Usage: kubectl jss stop"), "{stop}");
    }
}

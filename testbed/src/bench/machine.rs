//! What the figures were measured on, and with.

use std::fs;
use std::process::Command;

use jiff::Timestamp;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Ground {
    pub(super) date: String,
    pub(super) cores: usize,
    pub(super) processor: String,
    pub(super) memory_gib: f64,
    pub(super) kernel: String,
    pub(super) operator: &'static str,
    pub(super) commit: String,
    pub(super) rustc: String,
    pub(super) kubernetes: String,
}

impl Ground {
    pub(super) fn survey(kubernetes: String) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            date: Timestamp::now().strftime("%Y-%m-%d").to_string(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            processor: processor(&read("/proc/cpuinfo")),
            memory_gib: memory_gib(&read("/proc/meminfo")),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            operator: env!("CARGO_PKG_VERSION"),
            commit: said("git", &["describe", "--always", "--dirty", "--abbrev=12"]),
            rustc: said("rustc", &["--version"]),
            kubernetes,
        }
    }
}

fn processor(cpuinfo: &str) -> String {
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or("unknown", |(_, model)| model).to_owned()
}

fn memory_gib(meminfo: &str) -> f64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let gib = total.and_then(|total| total.parse::<f64>().ok()).unwrap_or_default() / (1024.0 * 1024.0);
    (gib * 10.0).round() / 10.0
}

/// The one line that a command says.
fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let said = output.ok().filter(|output| output.status.success());
    said.map_or_else(|| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_and_memory_are_as_the_kernel_tells_them() {
        assert_eq!(processor("processor\t: 0\nmodel name\t: AMD EPYC\nmodel name\t: another\n"), "AMD EPYC");
        assert!((memory_gib("MemTotal:       25165824 kB\n") - 24.0).abs() < 1e-9);
        assert_eq!(processor(""), "unknown");
    }
}

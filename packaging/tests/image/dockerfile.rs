//! The Dockerfile makes the same image as `make image`.

use std::fs;

use packaging::USER;

use crate::made::repository;

/// The instructions of the last stage, without line breaks and comments.
fn last_stage() -> Vec<String> {
    let text = fs::read_to_string(repository().join("Dockerfile")).unwrap();
    let whole = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let lines: Vec<String> = whole.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let last = lines.iter().rposition(|line| line.starts_with("FROM ")).unwrap();
    lines[last..].iter().filter(|line| !line.is_empty()).cloned().collect()
}

#[test]
fn the_dockerfile_runs_the_same_program_as_the_same_user_from_nothing() {
    let stage = last_stage();
    assert_eq!(stage[0], "FROM scratch");
    for line in [&format!("USER {USER}"), r#"ENTRYPOINT ["/jobstartstop"]"#, r#"CMD ["run"]"#, "EXPOSE 8080/tcp"] {
        assert!(stage.iter().any(|instruction| instruction == line), "{line} is not in {stage:#?}");
    }
    let copies: Vec<&String> = stage.iter().filter(|line| line.starts_with("COPY ")).collect();
    assert_eq!(copies, ["COPY --from=build /root-of-image/ /"], "what `make image` puts there, and nothing else");
    assert!(!stage.iter().any(|line| line.starts_with("RUN ") || line.starts_with("ENV ")), "{stage:#?}");
}

#[test]
fn the_dockerfile_builds_with_the_pinned_compiler_and_by_make() {
    let toolchain = fs::read_to_string(repository().join("rust-toolchain.toml")).unwrap();
    let (_, version) = toolchain.split_once("channel = \"").unwrap();
    let version = version.split('"').next().unwrap();
    let text = fs::read_to_string(repository().join("Dockerfile")).unwrap();
    assert!(text.contains(&format!("FROM rust:{version}-")), "the version of rust-toolchain.toml");
    assert!(text.contains("make image ") && text.contains("ROOT=/root-of-image"), "the flags stand in the Makefile");
}

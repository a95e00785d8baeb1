//! The C of real kernels against the hand model of their version, on every scenario without rules of its own.
//!
//! `RADDLE_TREES` is a directory with one tree per version. Without it nothing is compared, which is said, and
//! which fails where `CI` is set.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The trees, with the scenarios of the library on which the C and the hand model differ. docs/trees.md tells
/// which of the two is right, as far as that is known.
const DIFFERENT: &[(&str, &[&str])] = &[
    ("7.1.5", &[CHILD, RETRY, SHUTDOWN, PARENT, UNREGISTER]),
    ("6.2.1", &[CHILD, RETRY, SHUTDOWN, PARENT, UNREGISTER]),
    ("6.0.1", &[CHILD, RETRY, SHUTDOWN, PARENT, UNREGISTER]),
    ("5.2.1", &[CHILD, RETRY, SHUTDOWN, PARENT]),
    ("4.2.8", &[BY_HAND, TOO_EARLY, CHILD, RETRY, SHUTDOWN]),
];

const BY_HAND: &str = "scenarios/deferred/late-resource-attach-by-hand.toml";
const TOO_EARLY: &str = "scenarios/deferred/late-resource-attach-too-early.toml";
const CHILD: &str = "scenarios/deferred/plain-count-child-supplies.toml";
const RETRY: &str = "scenarios/deferred/retry-loop.toml";
const SHUTDOWN: &str = "scenarios/deferred/shutdown.toml";
const PARENT: &str = "scenarios/nvdimm/parent-goes.toml";
const UNREGISTER: &str = "scenarios/nvdimm/unregister-synchronizes.toml";

#[test]
fn c_and_the_hand_model_differ_where_it_is_known() {
    let Some(dir) = std::env::var_os("RADDLE_TREES").filter(|dir| !dir.is_empty()).map(PathBuf::from) else {
        assert!(std::env::var_os("CI").is_none(), "RADDLE_TREES must name a directory of kernel trees in CI");
        eprintln!("RADDLE_TREES is not set: no kernel's C was run");
        return;
    };
    for (version, expected) in DIFFERENT {
        let output = Command::new(env!("CARGO_BIN_EXE_raddle"))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
            .args(["agree", "scenarios", "--tree"])
            .arg(dir.join(version))
            .output()
            .expect("raddle starts");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let lines = || text.lines().filter_map(|line| line.strip_prefix("DIFFERENT").map(str::trim));
        let found: Vec<&str> = lines().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(found, *expected, "{version}: {text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.lines().filter(|line| line.starts_with("same ")).count() > 100, "{version}: {text}");
    }
}

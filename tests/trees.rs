//! The C of real kernels against the hand model of their version, on every scenario without rules of its own; and
//! the commands for patches, on a miniature driver core of our own, `tests/kernel`.
//!
//! `RADDLE_TREES` is a directory with one tree per version. Without it nothing is compared, which is said, and
//! which fails where `CI` is set.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The tree of a version, if there are trees.
fn tree(version: &str) -> Option<PathBuf> {
    let Some(dir) = std::env::var_os("RADDLE_TREES").filter(|dir| !dir.is_empty()) else {
        assert!(std::env::var_os("CI").is_none(), "RADDLE_TREES must name a directory of kernel trees in CI");
        eprintln!("RADDLE_TREES is not set: no kernel's C was run");
        return None;
    };
    Some(Path::new(&dir).join(version))
}

/// The rows of a table of docs/trees.md, by its first heading; cells without their backquotes.
fn table(first: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join("docs/trees.md")).expect("docs/trees.md is there");
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
    };
    let rows = text.lines().skip_while(|line| !line.starts_with(&format!("| {first} |"))).skip(2);
    rows.take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// What a cell lists; `–` lists nothing.
fn listed(cell: &str) -> BTreeSet<String> {
    cell.split(", ").filter(|one| *one != "–").map(str::to_owned).collect()
}

/// Runs `raddle agree`, and compares it with the reviewed tables of docs/trees.md: which revision stands for the
/// tree, which calls it does not have, on which scenarios the two differ.
fn agrees(version: &str) {
    let Some(tree) = tree(version) else { return };
    let output = Command::new(env!("CARGO_BIN_EXE_raddle"))
        .current_dir(root())
        .args(["agree", "scenarios", "--tree"])
        .arg(tree)
        .output()
        .expect("raddle starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines = |word: &str| -> Vec<&str> {
        text.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix("  scenarios/")).collect()
    };
    let row = table("tree").into_iter().find(|row| row[0] == version).expect("docs/trees.md has the tree");
    assert!(text.contains(&format!("the same on {} and in Linux {version}", row[1])), "{text}{errors}");
    let absent: BTreeSet<String> =
        lines("absent").iter().filter_map(|line| Some(line.rsplit_once(' ')?.1.to_owned())).collect();
    assert_eq!(absent, listed(&row[2]), "{version}: {text}{errors}");

    let found: BTreeMap<String, String> = lines("DIFFERENT")
        .iter()
        .map(|line| {
            let (path, rest) = line.split_once(".toml: ").expect("the path, and what was found");
            let (_, c) = rest.split_once("; C: ").expect("what the C says");
            (path.to_owned(), c.split(';').next().unwrap_or(c).to_owned())
        })
        .collect();
    let reviewed =
        table("scenario").into_iter().filter(|row| row[1] == "all" || listed(&row[1]).contains(version));
    let reviewed: BTreeMap<String, String> = reviewed.map(|row| (row[0].clone(), row[2].clone())).collect();
    assert_eq!(found, reviewed, "{version}: {text}{errors}");
    assert!(lines("same").len() >= 99, "{version}: {text}{errors}");
}

macro_rules! agree {
    ($($test:ident $version:literal,)*) => { $(
        #[test]
        fn $test() {
            agrees($version);
        }
    )* };
}

agree! {
    c_and_model_agree_on_3_18_20 "3.18.20",
    c_and_model_agree_on_4_2_8 "4.2.8",
    c_and_model_agree_on_4_20_0 "4.20.0",
    c_and_model_agree_on_5_2_1 "5.2.1",
    c_and_model_agree_on_5_15_100 "5.15.100",
    c_and_model_agree_on_6_0_1 "6.0.1",
    c_and_model_agree_on_6_2_1 "6.2.1",
    c_and_model_agree_on_7_1_5 "7.1.5",
}

/// Every difference that the table has says which of the two is right.
#[test]
fn the_table_of_differences_is_reviewed() {
    let trees: BTreeSet<String> = table("tree").into_iter().map(|row| row[0].clone()).collect();
    for row in table("scenario") {
        assert!(root().join(format!("scenarios/{}.toml", row[0])).is_file(), "{row:?}");
        assert!(row[1] == "all" || listed(&row[1]).is_subset(&trees), "{row:?}");
        let which = row[3].split(':').next().unwrap_or_default();
        assert!(["the C", "the model", "neither"].contains(&which), "{row:?}");
    }
    assert_eq!(trees.len(), 8);
}

const AT_ONCE: &str = r#"
title = "a driver and a device come at the same time"
revisions = ["v3.18"]
[device.pmem0]
[driver.nd_pmem]
[task.insmod]
run = ["driver_register(nd_pmem)"]
[task.hotplug]
run = ["device_register(pmem0)"]
[expect]
"v3.18" = []
"#;

/// Two patches: one drops the lock around the probe, one puts it back.
const SERIES: &str = r#"From 1 Mon Sep 17 00:00:00 2001
From: A <a@example.org>
Subject: [PATCH 1/2] attach: no lock

---
 drivers/base/dd.c | 3 +--
--- a/drivers/base/dd.c
+++ b/drivers/base/dd.c
@@ -21,9 +21,8 @@ void attach(struct device *dev, struct device_driver *drv)
 {
 	if (!drv->bus->match(dev, drv))
 		return;
-	mutex_lock(&dev->mutex);
 	if (dev->driver)
 		goto out;
 	really_probe(dev, drv);
 out:
-	mutex_unlock(&dev->mutex);
+	return;
 }
From 2 Mon Sep 17 00:00:00 2001
From: A <a@example.org>
Subject: [PATCH 2/2] attach: a lock

---
 drivers/base/dd.c | 3 ++-
--- a/drivers/base/dd.c
+++ b/drivers/base/dd.c
@@ -21,8 +21,9 @@ void attach(struct device *dev, struct device_driver *drv)
 {
 	if (!drv->bus->match(dev, drv))
 		return;
+	mutex_lock(&dev->mutex);
 	if (dev->driver)
 		goto out;
 	really_probe(dev, drv);
 out:
-	return;
+	mutex_unlock(&dev->mutex);
 }
"#;

/// A directory with the scenario and patches, and what a command says in it about the miniature.
struct Miniature(tempfile::TempDir);

impl Miniature {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let write =
            |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("it can be written");
        write("case.toml", AT_ONCE);
        write("series.mbox", SERIES);
        let second = SERIES.find("From 2").expect("the second mail");
        write("first.patch", &SERIES[..second]);
        Miniature(dir)
    }

    fn raddle(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
        command.args(args).arg("--tree").arg(root().join("tests/kernel")).current_dir(self.0.path());
        let output = command.output().expect("raddle starts");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        (output.status.code(), text + &String::from_utf8_lossy(&output.stderr))
    }
}

#[test]
fn what_is_of_the_hand_model_alone_is_refused_or_skipped() {
    let miniature = Miniature::new();
    let with = |name: &str, text: &str| {
        std::fs::write(miniature.0.path().join(name), AT_ONCE.to_owned() + text).expect("it can be written");
    };
    with("rules.toml", "[rules]\ndead-flag = false\n");
    let (code, text) = miniature.raddle(&["check", "rules.toml"]);
    assert!(code == Some(2) && text.contains("it changes the rule dead-flag"), "{text}");
    let (code, text) = miniature.raddle(&["check", "."]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.ends_with("1 rows, 1 as expected, 1 of the hand model alone skipped\n"), "{text}");
}

#[test]
fn what_the_tree_does_not_have_of_links_and_driver_override_is_assumed() {
    let miniature = Miniature::new();
    let added = "[device.clk0]\n[device.uart0]\nsuppliers = [\"clk0\"]\n[task.more]\nrun = [\"device_register(uart0)\"]\n";
    let stored = "[task.user]\nrun = [\"driver_override_store(pmem0, nd_pmem)\"]\n";
    for (added, assumed) in [
        (added, "no device link is made: the tree has no device_link_add"),
        (stored, "driver_override is the bus', for which raddle's own code stands"),
    ] {
        let text = AT_ONCE.to_owned() + added;
        std::fs::write(miniature.0.path().join("more.toml"), text).expect("it can be written");
        let (_, text) = miniature.raddle(&["check", "more.toml", "--assumptions"]);
        let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(plain.contains(assumed), "{text}");
    }
}

#[test]
fn a_scenario_that_calls_what_the_tree_does_not_have_is_inconclusive() {
    let miniature = Miniature::new();
    let link = "[device.clk0]\n[link.pair]\nconsumer = \"pmem0\"\nsupplier = \"clk0\"\nflags = [\"stateless\"]\n\
                [task.board]\nrun = [\"device_link_add(pair)\"]\n";
    std::fs::write(miniature.0.path().join("link.toml"), AT_ONCE.to_owned() + link)
        .expect("it can be written");
    let (code, text) = miniature.raddle(&["check", "link.toml"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("not understood: the tree has no function device_link_add"), "{text}");
}

#[test]
fn the_miniature_is_read_and_verified() {
    let (code, text) = Miniature::new().raddle(&["check", "case.toml"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("case.toml on Linux 9.0.0: verified\n"), "{text}");
}

#[test]
fn a_review_says_which_patch_brings_and_which_cures_a_hazard() {
    let (code, text) = Miniature::new().raddle(&["review", "series.mbox", "case.toml"]);
    assert_eq!(code, Some(1), "{text}");
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
    let (first, new) = (at("+ [PATCH 1/2] attach: no lock"), at("        new  double-operation"));
    let (second, gone) = (at("+ [PATCH 2/2] attach: a lock"), at("        gone double-operation"));
    assert!(first < new && new < second && second < gone, "{text}");
    // In the end nothing is left of it: there is no diagram.
    assert!(!text.contains("^^^"), "{text}");
}

#[test]
fn a_review_ends_with_a_diagram_of_each_hazard_that_is_left() {
    let (code, text) = Miniature::new().raddle(&["review", "first.patch", "case.toml"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("1 scenarios have other hazards than before\n"), "{text}");
    assert!(text.contains("^^^ double-operation"), "{text}");
    assert!(text.contains("--patch first.patch"), "{text}");
}

#[test]
fn a_series_that_does_not_apply_is_an_error_and_nothing_is_checked() {
    let miniature = Miniature::new();
    let (code, text) = miniature.raddle(&["review", "series.mbox", "case.toml", "--patch", "first.patch"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("drivers/base/dd.c") && !text.contains("case.toml"), "{text}");
}

#[test]
fn a_comparison_says_what_is_new_in_the_patched_tree() {
    let (code, text) = Miniature::new().raddle(&["compare", "case.toml", "--patch", "first.patch"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("        new  double-operation"), "{text}");
    assert!(text.contains("Linux 9.0.0 -> patched: 1 scenarios, 1 of them differ\n"), "{text}");
}

#[test]
fn ablation_says_what_each_statement_prevents() {
    let (code, text) = Miniature::new().raddle(&["ablate", "case.toml", "--function", "attach"]);
    assert_eq!(code, Some(0), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let after = |what: &str| {
        let at =
            lines.iter().position(|line| line.ends_with(what)).unwrap_or_else(|| panic!("{what}: {text}"));
        lines[at + 1..]
            .iter()
            .take_while(|line| line.starts_with(' '))
            .map(|line| line.trim())
            .collect::<Vec<_>>()
    };
    assert!(lines.contains(&"drivers/base/dd.c:24 (attach) mutex_lock(&dev->mutex)"), "{text}");
    assert_eq!(after("mutex_lock(&dev->mutex)"), ["case.toml", "new  double-operation, unlock-imbalance"]);
    assert_eq!(after("mutex_unlock(&dev->mutex)"), ["case.toml", "new  deadlock, unlock-imbalance"]);
    assert_eq!(after("really_probe(dev, drv)"), ["case.toml", "new  lost-probe"]);
    assert_eq!(
        lines.last(),
        Some(
            &"3 statements left out: 3 change the hazards of some scenario, 0 cannot be judged, 0 change nothing, 0 are \
              in no scenario's way"
        )
    );
}

#[test]
fn ablation_tells_what_no_scenario_comes_to_and_what_cannot_be_judged() {
    let miniature = Miniature::new();
    let json = |args: &[&str]| -> Vec<serde_json::Value> {
        let all = [&["ablate", "case.toml", "--format", "json"], args].concat();
        let (_, text) = miniature.raddle(&all);
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{text}"))).collect()
    };
    let outcome = |all: &[serde_json::Value], function: &str, line: u64| {
        let one = all.iter().find(|one| one["function"] == function && one["line"] == line);
        one.unwrap_or_else(|| panic!("{function}:{line}: {all:?}"))["outcome"].as_str().map(str::to_owned)
    };
    let all = json(&[]);
    // Nobody unregisters the driver.
    assert_eq!(outcome(&all, "driver_unregister", 11).as_deref(), Some("unreached"));
    // `error` is read before it is set.
    assert_eq!(outcome(&all, "really_probe", 9).as_deref(), Some("unfinished"));
    // A sample is part of it, the same each time, and depends on the seed.
    let sample = |seed| json(&["--sample", "5", "--seed", seed]);
    assert_eq!((sample("1").len(), sample("1")), (5, sample("1")));
    assert_ne!(sample("1"), sample("2"));
    assert!(sample("1").iter().all(|one| all.contains(one)));
}

#[test]
fn all_engines_say_the_same_of_c() {
    let miniature = Miniature::new();
    // Neither loom nor shuttle comes to an end in that time.
    let agree = ["agree", "case.toml", "--engines", "--iterations", "20", "--timeout", "3"];
    for (patch, found) in [(&[][..], "no hazard"), (&["--patch", "first.patch"], "double-operation")] {
        let (code, text) = miniature.raddle(&[&agree, patch].concat());
        assert_eq!(code, Some(0), "{text}");
        assert!(text.starts_with("case.toml on Linux 9.0.0: the engines agree\n"), "{text}");
        for engine in ["reference", "exhaustive", "loom", "shuttle (dfs)"] {
            let says = text.lines().find_map(|line| line.trim_start().strip_prefix(engine));
            let says = says.unwrap_or_else(|| panic!("{engine}: {text}")).trim_start();
            assert!(says.starts_with(found) && !says.contains("not compared"), "{engine}: {text}");
        }
    }
}

#[test]
fn ablation_of_a_patch_leaves_out_what_it_adds() {
    let miniature = Miniature::new();
    let (code, text) = miniature.raddle(&["ablate", "case.toml", "--patch", "series.mbox"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("2 statements left out: 2 change the hazards"), "{text}");
}

/// What a driver acquires with devm- is on the list of the tree's own devres.c: released after a failed probe and at
/// unbinding, the last first, and once.
#[test]
fn devres_are_those_of_the_tree() {
    let scenario = r#"
title = "an interrupt uses memory, and both are released by the driver core"
revisions = ["v3.18"]
[device.dev0]
[driver.drv]
initially = "registered"
probe = ["devm-alloc(priv)", "devm-request_irq(rx)", "return(0, -EIO)"]
remove = ["devm-free_irq(rx)"]
[memory.priv]
[irq.rx]
given = "priv"
run = ["use(priv)"]
[task.hotplug]
run = ["device_register(dev0)", "device_unregister(dev0)"]
[expect]
"v3.18" = []
"#;
    let release = "one->node.release(dev, one->data)";
    for (from, to, found) in [
        ("", "", "verified"),
        ("safe_reverse(one", "safe(one", "violated: use-after-free"),
        (release, "kfree(one)", "violated: double-free"),
        ("list_move_tail(&node->entry, todo);", "", "violated: memory-leak"),
        ("list_del_init(&node->entry);", "", "violated: use-after-free"),
        ("(*release)(dev, found->data);", "", "violated: use-after-free"),
        ("kfree(found);", "kfree(found);\n\tkfree(found);", "violated: double-free"),
        // What is compared is no number.
        ("+ size, gfp);", "+ size, gfp);\n\tBUG_ON(sizeof(*new) < size);", "inconclusive"),
    ] {
        let said = with_change("drivers/base/devres.c", (from, to), scenario);
        assert!(said.starts_with(&format!("case.toml on Linux 9.0.0: {found}\n")), "{from}: {said}");
    }
}

/// What a module's load and unload do is what the tree's loader says.
#[test]
fn modules_are_loaded_by_the_tree() {
    let scenario = r#"
title = "a module is deleted twice while a device comes"
revisions = ["v3.18"]
[module.disk]
[device.dev0]
[driver.drv]
module = "disk"
[task.rmmod]
run = ["load_module(disk)", "delete_module(disk)"]
[task.again]
run = ["delete_module(disk)"]
[task.hotplug]
run = ["device_register(dev0)"]
[expect]
"v3.18" = []
"#;
    for (from, to, found) in [
        ("", "", "verified"),
        ("mod->exit();", "return 0;", "verified"),
        ("mod->exit();", ";", "violated: stale-driver-pointer"),
        (
            "mod->exit();\n\tfree_module(mod);",
            "free_module(mod);\n\tmod->exit();",
            "violated: stale-driver-pointer",
        ),
        (
            "free_module(mod);\n\treturn 0;",
            "free_module(mod);\n\tfree_module(mod);\n\treturn 0;",
            "violated: double-free",
        ),
    ] {
        let said = with_change("kernel/module/main.c", (from, to), scenario);
        assert!(said.starts_with(&format!("case.toml on Linux 9.0.0: {found}\n")), "{from}: {said}");
    }
}

/// What is said of a scenario on the miniature with a change in one of its files.
fn with_change(file: &str, (from, to): (&str, &str), scenario: &str) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    copy(&root().join("tests/kernel"), dir.path());
    let text = std::fs::read_to_string(dir.path().join(file)).expect("it is there");
    assert!(text.contains(from), "{from}");
    let write =
        |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("it can be written");
    write(file, &text.replacen(from, to, 1));
    write("case.toml", scenario);
    let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
    let output = command.current_dir(dir.path()).args(["check", "case.toml", "--tree", "."]).output();
    String::from_utf8(output.expect("raddle starts").stdout).expect("UTF-8")
}

/// Copies what is in a directory.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("it can be made");
    for entry in std::fs::read_dir(from).expect("it is there") {
        let path = entry.expect("a file").path();
        let to = to.join(path.file_name().expect("it has a name"));
        match path.is_dir() {
            true => copy(&path, &to),
            false => drop(std::fs::copy(path, to).expect("it can be copied")),
        }
    }
}

/// The statements of a tree that docs/trees.md says change nothing, as `function:line`. What has been read is in one cell
/// for all trees: `3.18.20:226/229, 7.1.5:270`.
fn reviewed(version: &str) -> BTreeSet<String> {
    let of = |row: Vec<String>| -> Vec<String> {
        let lines = listed(&row[1]).into_iter().filter_map(|of| {
            let (tree, lines) = of.split_once(':').expect("a tree and its lines");
            (tree == version).then(|| lines.to_owned())
        });
        let each = |lines: String| lines.split('/').map(str::to_owned).collect::<Vec<_>>();
        lines.flat_map(each).map(|line| format!("{}:{line}", row[0])).collect()
    };
    table("survivor").into_iter().flat_map(of).collect()
}

/// Each row of the table of survivors names a tree that is there, and says why.
#[test]
fn the_table_of_survivors_is_reviewed() {
    let trees: BTreeSet<String> = table("left out of").into_iter().map(|row| row[0].clone()).collect();
    let known: BTreeSet<String> = table("tree").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(trees, known);
    for row in table("survivor") {
        let of: Vec<String> = listed(&row[1]).into_iter().collect();
        let names = |of: &String| of.split_once(':').is_some_and(|(tree, _)| trees.contains(tree));
        assert!(!of.is_empty() && of.iter().all(names) && !row[2].is_empty(), "{row:?}");
    }
}

/// Statements of kernels left out, one at a time, against what docs/trees.md says of them. It takes long: only the
/// trees that `RADDLE_MUTANTS` names, such as `7.1.5,3.18.20`, or `all`.
#[test]
fn statements_that_may_be_left_out_are_reviewed() {
    let Some(wanted) = std::env::var("RADDLE_MUTANTS").ok().filter(|wanted| !wanted.is_empty()) else {
        eprintln!("RADDLE_MUTANTS is not set: no statement was left out of a kernel");
        return;
    };
    let rows = table("left out of");
    for row in rows.iter().filter(|row| wanted == "all" || wanted.split(',').any(|one| one == row[0])) {
        let (version, sample) = (row[0].as_str(), row[1].as_str());
        let Some(tree) = tree(version) else { return };
        let mut args = vec!["ablate", "scenarios", "--sample", sample, "--seed", "1", "--first"];
        args.extend(["--format", "json", "--tree"]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
        let output = command.current_dir(root()).args(args).arg(tree).output().expect("raddle starts");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let all: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect();
        let of = |outcome: &str| all.iter().filter(|one| one["outcome"] == outcome).collect::<Vec<_>>();
        // Scenarios that have come since may have shown more.
        let pinned: Vec<usize> = row[1..].iter().map(|cell| cell.parse().expect("a number")).collect();
        assert_eq!((all.len(), pinned[0]), (pinned[0], pinned[1..].iter().sum()), "{version}: {text}");
        assert!(of("changes").len() >= pinned[1], "{version}: {text}");
        let survivors: BTreeSet<String> = of("nothing")
            .iter()
            .map(|one| format!("{}:{}", one["function"].as_str().unwrap_or_default(), one["line"]))
            .collect();
        let reviewed = reviewed(version);
        let new: Vec<&String> = survivors.difference(&reviewed).collect();
        assert!(new.is_empty(), "{version}: {new:?} are not reviewed");
    }
}

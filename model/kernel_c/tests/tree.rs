//! The reader, on small C of our own: every construct, and every refusal.

mod written;

use std::fs;
use std::path::Path;

use raddle_kernel_c::ast::{ExprKind, Int, StmtKind, Type};
use raddle_kernel_c::config::Config;
use raddle_kernel_c::error::Error;
use raddle_kernel_c::patch::Mail;
use raddle_kernel_c::table::Tables;
use raddle_kernel_c::tree::{Tree, TreeOptions};
use tempfile::TempDir;
use written::written;

/// A tree with our small C in it, and these files besides.
fn small(files: &[(&str, &str)]) -> TempDir {
    let ours = [
        ("drivers/base/dd.c", include_str!("c/dd.c")),
        ("drivers/base/bus.c", include_str!("c/bus.c")),
        ("drivers/base/base.h", include_str!("c/base.h")),
        ("include/linux/small.h", include_str!("c/small.h")),
        ("include/linux/unused.h", include_str!("c/unused.h")),
    ];
    written(&[&ours[..], files].concat())
}

fn open(dir: &TempDir) -> Tree {
    Tree::open(dir.path(), TreeOptions::default()).unwrap()
}

fn with_patch(dir: &TempDir, patch: &str) -> Result<Tree, Error> {
    let mut options = TreeOptions::default();
    options.patches = Mail::all("a.patch", patch.as_bytes())?;
    Tree::open(dir.path(), options)
}

/// The text of a function's body.
fn body(tree: &Tree, function: &str) -> String {
    let function = tree.function(function, "drivers/base/dd.c").unwrap();
    (function.line..=function.last).map(|line| tree.line(function.file, line).unwrap() + "\n").collect()
}

#[test]
fn only_what_is_asked_for_is_read() {
    let dir = small(&[]);
    let tree = open(&dir);
    assert_eq!(tree.version(), "9.8.7-rc1");
    assert!(!tree.read().contains(&"include/linux/small.h"));
    assert_eq!(tree.function("small_is_on", "drivers/base/dd.c").unwrap().file, "include/linux/small.h");
    assert!(tree.read().contains(&"include/linux/small.h"));
    assert!(tree.function("no_such_function", "").is_none());
    assert!(!tree.read().contains(&"include/linux/unused.h"));
}

#[test]
fn functions_have_their_lines_parameters_and_statements() {
    let dir = small(&[]);
    let tree = open(&dir);
    let function = tree.function("small_probe", "drivers/base/dd.c").unwrap();
    assert_eq!((function.file, function.line), ("drivers/base/dd.c", 16));
    assert_eq!(function.params[0], ("dev", Type::Record("struct small").pointer()));
    assert_eq!(function.returns, Type::Int(Int { signed: true, bytes: 4 }));
    assert!(function.unread.is_empty(), "{:?}", function.unread);
    let kinds: Vec<&str> = function.body.iter().map(|stmt| name_of(&stmt.kind)).collect();
    assert_eq!(kinds, ["declare", "if", "headed", "while", "do", "for", "switch", "label", "expr", "return"]);
}

fn name_of(kind: &StmtKind) -> &'static str {
    match kind {
        StmtKind::Empty => "empty",
        StmtKind::Expr(_) => "expr",
        StmtKind::Declare(_) => "declare",
        StmtKind::If(..) => "if",
        StmtKind::While(..) => "while",
        StmtKind::DoWhile(..) => "do",
        StmtKind::For(..) => "for",
        StmtKind::Headed(..) => "headed",
        StmtKind::Switch(..) => "switch",
        StmtKind::Case(_) => "case",
        StmtKind::Return(_) => "return",
        StmtKind::Goto(_) => "goto",
        StmtKind::Label(_) => "label",
        StmtKind::Break => "break",
        StmtKind::Continue => "continue",
        StmtKind::Block(_) => "block",
    }
}

#[test]
fn a_variable_remembers_its_clean_up() {
    let dir = small(&[]);
    let tree = open(&dir);
    let function = tree.function("small_cleanup", "drivers/base/dd.c").unwrap();
    let StmtKind::Declare(variables) = &function.body[0].kind else { panic!("{:?}", function.body[0]) };
    assert_eq!(variables[0].free, Some("put_small"));
    let free = tree.function("free$put_small", "drivers/base/dd.c").unwrap();
    assert_eq!(free.made_by, Some("DEFINE_FREE"));
    let lock = tree.function("lock$small", "drivers/base/dd.c").unwrap();
    let StmtKind::Expr(call) = &lock.body[0].kind else { panic!("{:?}", lock.body) };
    assert_eq!(call.text, "small_lock(_T)");
    assert!(tree.function("unlock$small", "drivers/base/dd.c").is_some());
}

#[test]
fn a_macro_that_pastes_names_makes_functions_on_the_line_of_its_use() {
    let dir = small(&[]);
    let tree = open(&dir);
    let made = tree.function("small_is_ready", "drivers/base/dd.c").unwrap();
    assert_eq!(made.made_by, Some("small_accessors"));
    let line = tree.line(made.file, made.line).unwrap();
    assert_eq!(line, "small_accessors(ready, SMALL_READY)");
    let StmtKind::Return(Some(value)) = &made.body[0].kind else { panic!("{:?}", made.body) };
    assert_eq!(value.text, "test_bit(SMALL_READY, dev->flags)");
}

#[test]
fn structures_have_their_fields_with_types() {
    let dir = small(&[]);
    let tree = open(&dir);
    let record = tree.record("struct small").unwrap();
    let of = |name: &str| record.field(name).unwrap_or_else(|| panic!("{name}: {:?}", record.fields));
    assert_eq!(of("count").ty, Type::Int(Int { signed: false, bytes: 2 }));
    assert_eq!(of("parent").ty, Type::Record("struct small").pointer());
    assert_eq!(
        (of("dead").bits, of("dead").ty.clone()),
        (Some(1), Type::Int(Int { signed: false, bytes: 4 }))
    );
    assert_eq!(of("inner_of_nameless").ty, Type::Bool);
    assert_eq!(of("names").ty, Type::Array(Box::new(Type::Int(Int { signed: true, bytes: 1 })), Some(8)));
    assert_eq!(of("match").ty, Type::Function.pointer());
    assert!(matches!(of("flags").ty, Type::Array(..)));
    assert!(record.field("not_configured").is_none());
    assert_eq!(tree.typedef("small_t"), Some(Type::Record("struct small").pointer()));
}

#[test]
fn constants_are_computed() {
    let dir = small(&[]);
    let tree = open(&dir);
    for (name, value) in [
        ("SMALL_READY", 0),
        ("SMALL_ON", 4),
        ("SMALL_LAST", 5),
        ("SMALL_MASK", 0x30),
        ("SMALL_BIT", 8),
        ("SMALL_NEG", -3),
    ] {
        assert_eq!(tree.constant(name), Some(value), "{name}");
    }
    assert_eq!(tree.constant("SMALL_UNKNOWN"), None);
}

#[test]
fn variables_of_a_file_are_known() {
    let dir = small(&[]);
    let tree = open(&dir);
    let global = |name: &str| tree.global(name, "drivers/base/dd.c").unwrap();
    assert_eq!(global("small_mutex").ty, Type::Record("struct mutex"));
    assert_eq!(global("small_work").made_by, Some(("DECLARE_WORK", vec!["small_work_func"])));
    assert_eq!(global("small_count").ty, Type::Named("atomic_t"));
    assert!(matches!(global("small_enable").init.as_ref().unwrap().kind, ExprKind::Number(0, _)));
}

#[test]
fn the_configuration_chooses() {
    let dir = small(&[]);
    let choose = |config: &str| {
        let mut options = TreeOptions::default();
        options.config = Some(Config::parse(config).unwrap());
        let tree = Tree::open(dir.path(), options).unwrap();
        let function = tree.function("small_configured", "drivers/base/dd.c").unwrap();
        let StmtKind::Return(Some(value)) = &function.body[0].kind else { panic!("{:?}", function.body) };
        value.text
    };
    assert_eq!(choose(""), "0");
    assert_eq!(choose("CONFIG_SMALL=y\n"), "1");
    assert_eq!(choose("CONFIG_SMALL=m\n# CONFIG_OTHER is not set\n"), "1");
    assert_eq!(choose("CONFIG_SMALL_SIZE=5\nCONFIG_SMALL_NAME=\"x\"\n"), "2");
    assert_eq!(Config::parse("CONFIG_A=y\n\nsmall\n"), Err(3));
    assert_eq!(Config::parse("CONFIG_A=maybe\n"), Err(1));
}

#[test]
fn a_macro_is_what_it_stands_for() {
    let dir = small(&[]);
    let tree = open(&dir);
    let made = tree.macro_of("to_small", "drivers/base/dd.c").unwrap();
    let expanded = tree.expand(&made, &["ptr"], 7).unwrap();
    let StmtKind::Return(Some(value)) = &expanded.body[0].kind else { panic!("{:?}", expanded.body) };
    assert_eq!((value.line, value.text), (7, "(container_of(ptr, struct$small, node))"));
    let ExprKind::Call(_, args) = &value.kind else { panic!("{value:?}") };
    assert_eq!(args[1].kind, ExprKind::Type(Type::Record("struct small")));
    let made = tree.macro_of("small_twice", "drivers/base/dd.c").unwrap();
    let expanded = tree.expand(&made, &["f(x)"], 9).unwrap();
    assert!(matches!(expanded.body[0].kind, StmtKind::DoWhile(..)), "{:?}", expanded.body);
}

#[test]
fn what_is_not_understood_is_noted_where_it_stands() {
    let dir = small(&[]);
    let tree = open(&dir);
    let odd = tree.function("small_odd", "drivers/base/dd.c").unwrap();
    let said: Vec<String> =
        odd.unread.iter().map(|unread| format!("{}: {}", unread.line, unread.what)).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with(&format!("{}: ", odd.line + 2)), "{said:?}");
    // The function after it is read all the same.
    assert!(tree.function("small_after", "drivers/base/dd.c").unwrap().unread.is_empty());
}

#[test]
fn what_is_reached_is_found_and_what_nothing_is_known_of_is_said() {
    let dir = small(&[]);
    let tree = open(&dir);
    let mut tables = Tables::default();
    tables.add("t.toml", "[stubs.\"not looked at\"]\nsmall_notify = 0\n").unwrap();
    let reach = tree.reach(&["small_probe"], &tables);
    let functions: Vec<&str> = reach.functions.keys().map(|(name, _)| *name).collect();
    // By a call, by its address, by a macro, by a clean-up.
    for name in ["small_probe", "small_helper", "small_callback", "small_twice_helper", "free$put_small"] {
        assert!(functions.contains(&name), "{name}: {functions:?}");
    }
    assert_eq!(reach.stubs["small_notify"].reason, "not looked at");
    assert!(reach.primitives.contains("mutex_lock"));
    let unknown: Vec<String> =
        reach.unknown.iter().map(|one| format!("{}: {}", one.function, one.what)).collect();
    assert_eq!(unknown, ["small_probe: the function small_mystery"]);
    assert_eq!(
        tree.line(reach.unknown[0].file, reach.unknown[0].line).unwrap().trim(),
        "small_mystery(dev);"
    );
}

#[test]
fn what_is_no_kernel_is_refused() {
    let empty = TempDir::new().unwrap();
    let error = Tree::open(empty.path(), TreeOptions::default()).unwrap_err().to_string();
    assert!(error.ends_with("no kernel tree: it has no Makefile of a kernel"), "{error}");
    let error = Tree::open(Path::new("/no/such"), TreeOptions::default()).unwrap_err().to_string();
    assert_eq!(error, "/no/such: there is no such directory");
    let dir = small(&[]);
    let outer = TempDir::new().unwrap();
    fs::rename(dir.path(), outer.path().join("linux")).unwrap();
    let error = Tree::open(outer.path(), TreeOptions::default()).unwrap_err().to_string();
    assert!(error.ends_with(&format!("did you mean {}?", outer.path().join("linux").display())), "{error}");
    fs::remove_file(outer.path().join("linux/drivers/base/bus.c")).unwrap();
    let error = Tree::open(&outer.path().join("linux"), TreeOptions::default()).unwrap_err().to_string();
    assert!(error.ends_with("it has no drivers/base/bus.c"), "{error}");
}

#[test]
fn a_revision_is_read_without_a_checkout() {
    let dir = small(&[]);
    let git = |args: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.arg("-C").arg(dir.path()).args(["-c", "user.name=n", "-c", "user.email=e@x"]).args(args);
        assert!(command.output().expect("git runs").status.success(), "{args:?}");
    };
    let open = |revision: &str| {
        let mut options = TreeOptions::default();
        options.revision = Some(revision.to_owned());
        Tree::open(dir.path(), options)
    };
    let error = open("HEAD").unwrap_err().to_string();
    assert!(error.ends_with("revision \"HEAD\": there is no repository"), "{error}");
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "one"]);
    fs::write(dir.path().join("drivers/base/dd.c"), "int only_in_the_directory;\n").unwrap();
    let tree = open("HEAD").unwrap();
    assert_eq!(tree.version(), "9.8.7-rc1");
    assert!(tree.function("small_is_on", "drivers/base/dd.c").is_some());
    assert!(body(&tree, "small_after").contains("return 0;"));
    let error = open("v99").unwrap_err().to_string();
    assert!(error.ends_with("revision \"v99\": the repository has no such revision"), "{error}");
}

// ------------------------------------------------------------------------------------------ patches

/// A patch of `small_after`, with the lines of the tree around it.
fn patch() -> String {
    "diff --git a/drivers/base/dd.c b/drivers/base/dd.c\n--- a/drivers/base/dd.c\n+++ b/drivers/base/dd.c\n\
     @@ -79,5 +79,6 @@ static int small_after(struct small *dev)\n static int small_after(struct small *dev)\n {\n \
     \tsmall_helper(dev);\n+\tsmall_helper(dev->parent);\n \treturn 0;\n }\n"
        .to_owned()
}

const PATCHED: &str = "static int small_after(struct small *dev)\n{\n\tsmall_helper(dev);\n\
                       \tsmall_helper(dev->parent);\n\treturn 0;\n}\n";

#[test]
fn a_patch_is_laid_over_the_tree() {
    let dir = small(&[]);
    let tree = with_patch(&dir, &patch()).unwrap();
    assert_eq!(body(&tree, "small_after"), PATCHED);
    let function = tree.function("small_after", "drivers/base/dd.c").unwrap();
    let added: Vec<u32> =
        (function.line..=function.last).filter(|line| tree.is_added(function.file, *line)).collect();
    assert_eq!(added, [function.line + 3]);
    assert_eq!(tree.applied()[0].changed[0].notes, Vec::<String>::new());
    // The directory stays as it is.
    assert!(
        !fs::read_to_string(dir.path().join("drivers/base/dd.c"))
            .unwrap()
            .contains("dev->parent);\n\treturn 0")
    );
}

/// What a damaged patch does, and what is said of it.
fn repaired(patch: &str) -> Vec<String> {
    let tree = with_patch(&small(&[]), patch).unwrap_or_else(|error| panic!("{error}\n{patch}"));
    let text = body(&tree, "small_after");
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(plain(&text), plain(PATCHED), "{text}");
    tree.applied()[0].changed[0].notes.clone()
}

#[test]
fn patches_apply_as_mail_archives_keep_them() {
    let notes = repaired(&patch().replace("-79,5 +79,6", "-43,5 +43,6"));
    assert_eq!(notes, ["hunk at line 4: applies 36 lines down"]);
    let notes = repaired(&patch().replace('\t', "        "));
    assert_eq!(notes, ["hunk at line 4: blanks differ from the tree's"]);
    let notes = repaired(&patch().replace('\t', ""));
    assert_eq!(notes, ["hunk at line 4: blanks differ from the tree's"]);
    let notes = repaired(&patch().replace(" }\n", " };\n"));
    assert_eq!(notes, ["hunk at line 4: fuzz 1"]);
    let wrapped = patch().replace("+\tsmall_helper(dev->parent);", "+\tsmall_helper(\ndev->parent);");
    assert_eq!(repaired(&wrapped), ["line 9: is wrapped, joined with the one before"]);
    let wrapped = patch()
        .replace("small_after(struct small *dev)\n static", "small_after(\nstruct small *dev)\n static");
    assert_eq!(repaired(&wrapped), ["line 5: the head of the hunk is wrapped"]);
    let lost = patch().replace("\n {\n", "\n{\n");
    assert_eq!(repaired(&lost), ["line 6: has lost its mark, taken as context"]);
    let quoted: String = patch().lines().map(|line| format!("> {line}\n")).collect();
    assert_eq!(repaired(&format!("Hello,\n\n{quoted}\nNice.\n")), ["the patch stands in a reply, behind >"]);
}

fn mail(subject: &str, text: &str, encoding: &str) -> String {
    format!(
        "From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\nFrom: A <a@x>\n\
         Subject: {subject}\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n{text}\n"
    )
}

#[test]
fn a_series_of_mails_applies_in_its_order() {
    let second = patch()
        .replace("-79,5 +79,6", "-80,4 +80,5")
        .replace(" static int small_after(struct small *dev)\n", "")
        .replace("\n+\tsmall_helper(dev->parent);", "\n \tsmall_helper(dev->parent);\n+\tsmall_notify(dev);")
        .replace("-80,4", "-80,5")
        .replace("+80,5", "+80,6");
    let coded = second.replace('=', "=3D").replace('\t', "=09");
    let outside = "--- a/Documentation/x.rst\n+++ b/Documentation/x.rst\n@@ -1,1 +1,1 @@\n-a\n+b\n";
    let mbox = mail("[PATCH 0/2] cover", "No patch.", "8bit")
        + &mail("[PATCH 2/2] second", &coded, "quoted-printable")
        + &mail("[PATCH 1/2] first", &(patch() + outside), "8bit")
        + &mail("Re: [PATCH 1/2] first", &patch().replace('\n', "\n> ").replace("diff", "> diff"), "8bit");
    let mails = Mail::all("a.mbox", mbox.as_bytes()).unwrap();
    let subjects: Vec<&str> = mails.iter().map(|mail| mail.subject.as_deref().unwrap()).collect();
    assert_eq!(subjects, ["[PATCH 1/2] first", "[PATCH 2/2] second"]);
    let tree = with_patch(&small(&[]), &mbox).unwrap();
    assert!(body(&tree, "small_after").contains("small_helper(dev->parent);\n\tsmall_notify(dev);\n"));
    assert_eq!(tree.applied()[0].ignored, ["Documentation/x.rst"]);
    let function = tree.function("small_after", "drivers/base/dd.c").unwrap();
    let added = (function.line..=function.last).filter(|line| tree.is_added(function.file, *line));
    assert_eq!(added.count(), 2);
}

#[test]
fn a_patch_makes_and_deletes_files() {
    let dir = small(&[]);
    let new =
        "--- /dev/null\n+++ b/drivers/base/new.c\n@@ -0,0 +1,2 @@\n+int small_new(void)\n+{ return 1; }\n";
    let tree = with_patch(&dir, new).unwrap();
    assert_eq!(tree.function("small_new", "").unwrap().file, "drivers/base/new.c");
    let text = include_str!("c/unused.h");
    let lines: String = text.lines().map(|line| format!("-{line}\n")).collect();
    let gone = format!(
        "--- a/include/linux/unused.h\n+++ /dev/null\n@@ -1,{} +0,0 @@\n{lines}",
        text.lines().count()
    );
    let tree = with_patch(&dir, &gone).unwrap();
    assert!(tree.function("small_unused", "").is_none());
}

#[test]
fn a_patch_that_does_not_fit_is_an_error_with_its_place() {
    let dir = small(&[]);
    let error = |patch: &str| with_patch(&dir, patch).unwrap_err().to_string();
    let text = error(&patch().replace("small_helper(dev);", "small_other(dev);"));
    let first = text.lines().next().unwrap();
    assert!(
        first.starts_with("a.patch:4: this hunk of drivers/base/dd.c does not apply: line 81 should read"),
        "{text}"
    );
    assert!(text.ends_with("nothing is checked; is it a patch for another version?"), "{text}");
    let text = error(
        &patch()
            .replace("@@ static int small_after", "@@ static int small_gone")
            .replace("helper(dev);", "x;"),
    );
    assert!(text.contains("the file has no small_gone: is a patch before this one missing?"), "{text}");
    let cut = patch().replace(" \treturn 0;\n }\n", "");
    assert!(
        error(&cut).contains("a.patch:4: the hunk is cut off: 2 lines of the file before"),
        "{}",
        error(&cut)
    );
    let twice = patch() + &patch();
    assert!(error(&twice).contains("the tree has this change already"), "{}", error(&twice));
    assert!(error(&patch().replace("@@ -79,5", "@@ 79,5")).contains("a.patch:4: not the head of a hunk"));
    let absent = patch().replace("dd.c", "driver.c");
    assert!(error(&absent).contains("does not apply: the tree has no such file"), "{}", error(&absent));
    let elsewhere = patch().replace("drivers/base/dd.c", "mm/slab.c");
    assert_eq!(
        error(&elsewhere),
        "a.patch: no patch of this file touches a file of this tree; it touches mm/slab.c"
    );
    assert_eq!(error("Hello.\n"), "a.patch: no patch of this file touches a file of this tree");
}

/// A patch with the one before it missing: what that made of the file shows around its changes.
fn second() -> String {
    let text = include_str!("c/dd.c");
    let at = text.lines().position(|line| line.starts_with("static int small_after")).unwrap() + 1;
    format!(
        "--- a/drivers/base/dd.c\n+++ b/drivers/base/dd.c\n\
         @@ -{at},6 +{at},7 @@ static void small_before(struct small *dev)\n \tsmall_one(dev);\n\
         +\tsmall_helper(dev->parent);\n \tsmall_two(dev);\n }}\n \n \
         static int small_after(struct small *dev)\n {{\n"
    )
}

fn rebuilt(dir: &TempDir, patch: &str) -> Result<Tree, Error> {
    let mut options = TreeOptions::default();
    options.patches = Mail::all("a.patch", patch.as_bytes())?;
    options.rebuild = true;
    Tree::open(dir.path(), options)
}

#[test]
fn what_a_missing_patch_has_made_is_taken_from_a_hunk_only_if_that_is_asked_for() {
    let dir = small(&[]);
    let error = with_patch(&dir, &second()).map(drop).unwrap_err().to_string();
    assert!(error.contains("the file has no small_before: is a patch before this one missing?"), "{error}");
    let tree = rebuilt(&dir, &second()).unwrap();
    assert_eq!(
        body(&tree, "small_before"),
        "static void small_before(struct small *dev)\n{\n\tsmall_one(dev);\n\tsmall_helper(dev->parent);\n\tsmall_two(dev);\n}\n"
    );
    let function = tree.function("small_before", "drivers/base/dd.c").unwrap();
    let added: Vec<u32> =
        (function.line..=function.last).filter(|line| tree.is_added(function.file, *line)).collect();
    assert_eq!(added, [function.line + 3], "only the line of this patch is marked");
    let notes = &tree.applied()[0].changed[0].notes;
    assert!(
        notes[0].ends_with(
            "small_before is taken from what the hunk shows of it; a patch before this one is missing"
        ),
        "{notes:?}"
    );
}

#[test]
fn lines_that_a_missing_patch_has_changed_are_taken_as_a_hunk_shows_them() {
    let dir = small(&[]);
    let other = patch().replace(" \tsmall_helper(dev);\n+", " \tsmall_other(dev);\n+");
    assert!(with_patch(&dir, &other).is_err());
    let tree = rebuilt(&dir, &other).unwrap();
    assert_eq!(body(&tree, "small_after"), PATCHED.replacen("small_helper(dev)", "small_other(dev)", 1));
    assert!(tree.applied()[0].changed[0].notes[0].contains("are taken as the hunk shows them"));
    // Where most is different, or where it might stand twice, nothing is guessed.
    let foreign =
        patch().replace("small_helper(dev);\n+", "one(dev);\n two(dev);\n three(dev);\n four(dev);\n+");
    let foreign = foreign.replace("-79,5 +79,6", "-79,8 +79,9");
    assert!(rebuilt(&dir, &foreign).is_err());
}

#[test]
fn a_field_that_no_structure_has_is_told_where_it_is_used() {
    let file =
        "#include \"base.h\"\nint small_use(struct small *dev)\n{\n\treturn dev->missing + dev->count;\n}\n";
    let dir = small(&[("drivers/base/use.c", file)]);
    let tree = open(&dir);
    let unknown = tree.reach(&["small_use"], &Tables::default()).unknown;
    let said: Vec<String> =
        unknown.iter().map(|one| format!("{}:{}: {}", one.file, one.line, one.what)).collect();
    assert_eq!(
        said,
        ["drivers/base/use.c:4: struct small has no field missing; is a patch before this one missing?"]
    );
}

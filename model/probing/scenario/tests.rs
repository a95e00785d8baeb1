//! Scenario files that are read, and the errors of those that are not.
//!
//! An error is tested by its first line, which names the place, the mistake and the way out.

use proptest::prelude::*;

use super::*;
use crate::call::KernelCall;
use crate::ids::{Bus, Driver, Module, Resource, TaskId, Work};
use crate::world::*;

fn terms() -> Terms {
    Terms {
        revisions: vec!["luis-v2", "duyck-v4", "v5.1", "v6.0"],
        rules: vec![
            ("detach-waits-for-async", &["false", "true"]),
            ("attach-strategy", &["synchronous", "kthread", "workqueue"]),
        ],
    }
}

/// A file that uses every key.
const FULL: &str = r#"title     = "driver_unregister races the queued async helper"
source    = "Bart Van Assche, 18 Oct 2018"
about     = """Why it matters,
in a few sentences."""
revisions = ["duyck-v4", "v5.1"]

[rules]
detach-waits-for-async = false
attach-strategy = "kthread"

[bus.nd]
need-parent-lock = true
autoprobe = false

[device.region0]
initially = "bound:region"
[device.pmem0]
bus = "nd"
parent = "region0"
add = ["fails-after-klist", "ok"]
[device.pmem1]
bus = "nd"

[driver.region]
initially = "registered"
[driver.nd_pmem]
bus = "nd"
module = "pmem"
probe-type = "prefer-asynchronous"
matches = { pmem1 = "defer" }
probe = ["require(dsp)", "dev_get_drvdata()", "dev_set_drvdata( NULL )", "bind(region)", "return(0, -ENODEV)"]
remove = ['use(pmem0)', "dev_set_drvdata()"]

[module.late]
softdep-pre = ["pmem"]
async_probe = true

[mutex.setup]

[resource.dsp]
initially = "present"

[work.fw_boot]
run = ["provide(dsp)", "driver_deferred_probe_trigger()"]

[task.rmmod]
after = ["insmod"]
run = ["delete_module(pmem)", "dev_set_drvdata(pmem0, NULL)"]
[task.insmod]
run = ["load_module(pmem)", "queue_work(fw_boot)", "bus_rescan_devices(nd)"]

[environment]
async-schedule = ["inline", "queued"]
booted = false
contract = "violated"
workers = 16
slow = true

[check]
also = ["data-race"]

[expect]
"v5.1" = []
duyck-v4 = ["stale-driver-pointer", "deadlock"]
"#;

/// The required keys.
const HEAD: &str = "title = \"t\"\nrevisions = [\"v5.1\"]\n";

fn parse(text: &str) -> Result<ScenarioFile, Vec<InputError>> {
    ScenarioFile::parse("x.toml", text, &terms())
}

fn read(text: &str) -> ScenarioFile {
    parse(text).unwrap_or_else(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", errors.join("\n"))
    })
}

/// The first line of each error, without the path.
fn errors(text: &str) -> Vec<String> {
    let errors = parse(text).expect_err("the file has a mistake");
    errors.iter().map(first_line).collect()
}

fn first_line(error: &InputError) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap();
    line.strip_prefix("x.toml:").unwrap().to_owned()
}

/// Checks the errors of a file that begins with [`HEAD`]; lines are counted after it.
#[track_caller]
fn check(rest: &str, expected: &[&str]) {
    let found = errors(&format!("{HEAD}{rest}"));
    let found: Vec<String> = found
        .iter()
        .map(|error| match error.split_once(':') {
            Some((line, error)) => format!("{}:{error}", line.parse::<usize>().unwrap() - 2),
            None => error.clone(),
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn every_key_is_read() {
    let file = read(FULL);
    assert_eq!(file.path, "x.toml");
    assert_eq!(file.title, "driver_unregister races the queued async helper");
    assert_eq!(file.source.as_deref(), Some("Bart Van Assche, 18 Oct 2018"));
    assert_eq!(file.about.as_deref(), Some("Why it matters,\nin a few sentences."));
    assert_eq!(file.revisions, ["duyck-v4", "v5.1"]);
    let rules: Vec<_> = file.rules.into_iter().collect();
    assert_eq!(
        rules,
        [("detach-waits-for-async".into(), "false".into()), ("attach-strategy".into(), "kthread".into()),]
    );
    assert_eq!(file.also, ["data-race"]);
    let expect: Vec<_> = file.expect.into_iter().collect();
    assert_eq!(
        expect,
        [
            ("v5.1".to_owned(), vec![]),
            ("duyck-v4".to_owned(), vec!["deadlock".to_owned(), "stale-driver-pointer".to_owned()]),
        ]
    );
}

#[test]
fn the_world_is_resolved() {
    let (nd, pmem) = (Bus(1), Module(1));
    let (region0, pmem0) = (Device(0), Device(1));
    let device = |name: &str, bus, parent, initially, add| DeviceDecl {
        name: name.into(),
        bus,
        parent,
        initially,
        add,
    };
    let module = |name: &str, async_probe, softdep_pre| ModuleDecl {
        name: name.into(),
        async_probe,
        softdep_pre,
        init: vec![],
        exit: vec![],
    };
    let bus =
        |name: &str, need_parent_lock, autoprobe| BusDecl { name: name.into(), need_parent_lock, autoprobe };
    let region = Driver(0);
    let expected = World {
        buses: vec![bus("platform", false, true), bus("nd", true, false)],
        devices: vec![
            device("region0", Bus(0), None, Initially::Bound(region), vec![AddOutcome::Ok]),
            device(
                "pmem0",
                nd,
                Some(region0),
                Initially::Absent,
                vec![AddOutcome::FailsAfterKlist, AddOutcome::Ok],
            ),
            device("pmem1", nd, None, Initially::Absent, vec![AddOutcome::Ok]),
        ],
        drivers: vec![
            DriverDecl {
                name: "region".into(),
                bus: Bus(0),
                module: Module(1),
                probe_type: ProbeType::Default,
                initially_registered: true,
                matches: vec![Match::Yes, Match::No, Match::No],
                probe: ProbeBody {
                    run: vec![],
                    outcomes: vec![ProbeOutcome::Ok],
                    fails: false,
                    unwind: vec![],
                },
                remove: vec![],
                suspend: vec![],
                resume: vec![],
                runtime_suspend: vec![],
                runtime_resume: vec![],
            },
            DriverDecl {
                name: "nd_pmem".into(),
                bus: nd,
                module: Module(2),
                probe_type: ProbeType::PreferAsynchronous,
                initially_registered: false,
                matches: vec![Match::No, Match::Yes, Match::Defer],
                probe: ProbeBody {
                    run: vec![
                        Call::Require(Resource(0)),
                        Call::Kernel(KernelCall::DevGetDrvdata(None)),
                        Call::Kernel(KernelCall::DevSetDrvdataNull(None)),
                        Call::Kernel(KernelCall::Bind(region, None)),
                    ],
                    outcomes: vec![ProbeOutcome::Ok, ProbeOutcome::Enodev],
                    fails: false,
                    unwind: vec![],
                },
                remove: vec![
                    Call::Kernel(KernelCall::Use(Some(pmem0))),
                    Call::Kernel(KernelCall::DevSetDrvdata(None)),
                ],
                suspend: vec![],
                resume: vec![],
                runtime_suspend: vec![],
                runtime_resume: vec![],
            },
        ],
        modules: vec![
            module("late", true, vec![Module(2)]),
            module("region", false, vec![]),
            module("pmem", false, vec![]),
        ],
        memories: vec![],
        instances: vec![],
        mutexes: vec![MutexDecl { name: "setup".into(), home: None }],
        flags: vec![],
        pointers: vec![],
        lists: vec![],
        functions: vec![],
        hooks: vec![],
        cdevs: vec![],
        devres: vec![],
        queues: vec![],
        links: vec![],
        overrides: vec![],
        resources: vec![ResourceDecl { name: "dsp".into(), initially_present: true }],
        works: vec![WorkDecl {
            name: "fw_boot".into(),
            kind: WorkKind::Work,
            first: Work(0),
            data: None,
            field: None,
            queue: None,
            delayed: false,
            runs: None,
            module: None,
            run: vec![Call::Provide(Resource(0)), Call::Kernel(KernelCall::DriverDeferredProbeTrigger())],
        }],
        tasks: vec![
            TaskDecl {
                name: "rmmod".into(),
                after: vec![TaskId(1)],
                run: vec![
                    Call::DeleteModule(Module(2)),
                    Call::Kernel(KernelCall::DevSetDrvdataNull(Some(pmem0))),
                ],
            },
            TaskDecl {
                name: "insmod".into(),
                after: vec![],
                run: vec![
                    Call::LoadModule(Module(2)),
                    Call::QueueWork(Work(0), None),
                    Call::Kernel(KernelCall::BusRescanDevices(nd)),
                ],
            },
        ],
        environment: Environment {
            async_schedule: vec![AsyncOutcome::Inline, AsyncOutcome::Queued],
            booted: false,
            contract_kept: false,
            workers: 16,
            slow: true,
        },
    };
    assert_eq!(pmem.index(), 1);
    assert_eq!(read(FULL).world, expected);
}

#[test]
fn what_is_left_out_has_its_default() {
    let world = read(&format!("{HEAD}[bus.platform]\nautoprobe = false")).world;
    assert_eq!(
        world,
        World {
            buses: vec![BusDecl { name: "platform".into(), need_parent_lock: false, autoprobe: false }],
            devices: vec![],
            drivers: vec![],
            modules: vec![],
            memories: vec![],
            instances: vec![],
            mutexes: vec![],
            flags: vec![],
            pointers: vec![],
            lists: vec![],
            functions: vec![],
            hooks: vec![],
            cdevs: vec![],
            queues: vec![],
            links: vec![],
            overrides: vec![],
            devres: vec![],
            resources: vec![],
            works: vec![],
            tasks: vec![],
            environment: Environment {
                async_schedule: vec![AsyncOutcome::Queued],
                booted: true,
                contract_kept: true,
                workers: 4,
                slow: false,
            },
        }
    );
}

#[test]
fn later_stages_can_point_into_the_file() {
    let file = read(FULL);
    let message = || "wrong".to_owned();
    let line = |error: InputError| first_line(&error);
    assert_eq!(line(file.revision_error("v5.1", message(), None)), "5:27: wrong");
    assert_eq!(line(file.rule_error("attach-strategy", message(), None)), "9:1: wrong");
    let call = Call::QueueWork(Work(0), None);
    let help = Some("do not".to_owned());
    assert_eq!(line(file.call_error(&call, message(), help)), "50:30: wrong; do not");
    assert_eq!(line(file.device_error(Device(0), message(), None)), "16:13: wrong");
    assert_eq!(line(file.device_error(Device(2), message(), None)), "21:9: wrong");
    let unknown = file.revision_error("v9", message(), None);
    assert_eq!(unknown.to_string(), "x.toml: wrong");
}

#[test]
fn required_keys() {
    let title = "1:1: title is missing; title is required, above the first table";
    let revisions = "1:1: revisions is missing; revisions is required, above the first table";
    assert_eq!(errors(""), [title, revisions]);
    assert_eq!(
        errors("title = \" \"\nrevisions = []"),
        ["1:9: title is empty", "2:13: revisions is empty; \"raddle list revisions\" shows them all"]
    );
    assert_eq!(
        errors("title = \"a\\nb\"\nrevisions = [\"v5.1\", \"v5.1\", \"v5.2\", \"zebra\"]"),
        [
            "1:9: title must be one line without control characters",
            "2:23: \"v5.1\" is given twice",
            "2:31: revision \"v5.2\" is not known; did you mean \"v5.1\"?",
            "2:39: revision \"zebra\" is not known; \"raddle list revisions\" shows them all",
        ]
    );
}

#[test]
fn unknown_keys_and_tables() {
    check(
        "[devices.a]\n[device.a]\nbuss = 'platform'\ntitle = 'x'\n[check]\nxyzzy = 1\n",
        &[
            "1:2: unknown table \"devices\" in the file; did you mean \"device\"?",
            "3:1: unknown key \"buss\" in [device.a]; did you mean \"bus\"?",
            "4:1: unknown key \"title\" in [device.a]; it belongs at the top of the file, above \
             the first table",
            "6:1: unknown key \"xyzzy\" in [check]; known: also, passing, avoiding",
        ],
    );
}

#[test]
fn wrong_types() {
    check(
        "about = 1\ndevice = 5\n[bus]\nb = []\nc.autoprobe = 'no'\n[task.t]\nrun = 'x()'\n\
         after = [1.5, 'u']\n[environment]\nworkers = '4'\nbooted = {}\n",
        &[
            "1:9: expected a string, found an integer",
            "2:10: expected a table, found an integer",
            "4:5: expected a table, found an array",
            "5:15: expected a boolean, found a string",
            "7:7: expected an array of strings, found a string",
            "8:10: expected a string, found a float",
            "8:16: task \"u\" is not declared",
            "10:11: expected an integer, found a string",
            "11:10: expected a boolean, found a table",
        ],
    );
}

#[test]
fn names_and_words() {
    check(
        "[device.'a b']\n[device.NULL]\n[device.d]\nbus = 'nd'\ninitially = 'aded'\n\
         add = ['ok', 'ok', 'fails']\n[driver.v]\nmodule = '1'\nprobe-type = 'async'\n\
         matches = { e = 'yes', d = 'maybe' }\ninitially = 'added'\n[resource.r]\n\
         initially = 'presnt'\n[environment]\nasync-schedule = []\ncontract = 'keep'\n\
         workers = 0\n",
        &[
            "1:9: \"a b\" is not a name; a name is a letter or \"_\", then letters, digits, \
             \"_\" and \"-\"",
            "2:9: no device can be called NULL",
            "4:8: bus \"nd\" is not declared",
            "5:14: expected \"absent\", \"added\" or \"bound:DRIVER\", found \"aded\"; did you \
             mean \"added\"?",
            "6:15: \"ok\" is given twice",
            "6:21: expected \"ok\", \"fails-before-klist\" or \"fails-after-klist\", found \
             \"fails\"",
            "8:11: \"1\" is not a name; a name is a letter or \"_\", then letters, digits, \
             \"_\" and \"-\"",
            "9:15: expected \"default\", \"prefer-asynchronous\" or \"force-synchronous\", \
             found \"async\"",
            "10:13: device \"e\" is not declared",
            "10:29: expected \"yes\", \"no\", \"defer\" or \"error\", found \"maybe\"",
            "11:14: expected \"absent\" or \"registered\", found \"added\"",
            "13:14: expected \"absent\" or \"present\", found \"presnt\"; did you mean \
             \"present\"?",
            "15:18: async-schedule is empty; give at least one of \"queued\" or \"inline\"",
            "16:13: expected \"kept\" or \"violated\", found \"keep\"",
            "17:11: workers must be between 1 and 16",
        ],
    );
}

#[test]
fn names_are_per_table() {
    read(&format!(
        "{HEAD}[device.x]\n[driver.x]\n[module.x]\n[task.x]\nrun = ['bind(x, x)', 'load_module(x)']"
    ));
    check(
        "[device.d]\n[driver.nd_pmem]\n[work.w]\n[task.t]\n\
         run = ['get_device(nd_pmem)', 'driver_register(w)', 'bind(d, nd_pmem)']",
        &[
            "5:20: \"nd_pmem\" is a driver, a device is expected",
            "5:48: \"w\" is a work item, a driver is expected",
            "5:59: \"d\" is a device, a driver is expected",
            "5:62: \"nd_pmem\" is a driver, a device is expected",
        ],
    );
}

#[test]
fn names_of_the_kernel_lead_to_the_calls_for_them() {
    check(
        "[work.w]\n[task.t]\nrun = ['schedule_delayed_work(w)', 'del_timer_sync(w)']",
        &[
            "3:9: call \"schedule_delayed_work\" is not known; the call for it is \"queue_work\"",
            "3:37: call \"del_timer_sync\" is not known; the call for it is \"timer_delete_sync\"",
        ],
    );
}

#[test]
fn calls_are_checked() {
    check(
        "[device.d]\n[driver.v]\nprobe = ['return(0)', 'use()', 'return(0, 0, -EBUSY)']\n\
         remove = ['return(0)', 'require(r)', 'unbind(w)']\n[resource.r]\n[work.w]\n\
         run = ['get_device()']\n[task.t]\nrun = [\n 'bind(v)',\n 'bind(v, d, d)',\n\
         'use',\n 'use(d);',\n 'device_ad(d)',\n 'zebra()',\n 'nd_synchronize(d)',\n\
         \"dev_set_drvdata(NULL)\",\n \"\",\n 'dev_set_drvdata(d, NUL)',\n 'require(r)',\n]",
        &[
            "3:11: \"return\" must be the last call",
            "3:43: \"0\" is given twice",
            "3:46: a probe cannot return \"-EBUSY\", only \"0\", \"-ENODEV\", \"-EPROBE_DEFER\" or \
             \"-EIO\"",
            "4:12: \"return\" is for probe callbacks only",
            "4:25: \"require\" is for probe callbacks only",
            "4:46: \"w\" is a work item, a driver is expected",
            "7:9: a device must be named: only probe and remove have one at hand; expected \
             get_device(d)",
            "10:3: a device must be named: only probe and remove have one at hand; expected \
             bind(v, d)",
            "11:3: bind takes 2 arguments, not 3; expected bind(v, d)",
            "12:2: expected \"(\" after \"use\"; expected use(d) or use(mem)",
            "13:9: unexpected \";\" after the call; expected use(d) or use(mem)",
            "14:3: call \"device_ad\" is not known; did you mean \"device_add\"?",
            "15:3: call \"zebra\" is not known; \"raddle list calls\" shows all calls",
            "16:3: nd_synchronize takes no arguments, not 1; expected nd_synchronize()",
            "17:2: a device must be named: only probe and remove have one at hand; expected \
             dev_set_drvdata(d) or dev_set_drvdata(d, NULL)",
            "18:3: expected a call",
            "19:3: dev_set_drvdata takes 1 argument, not 2; expected dev_set_drvdata(d) or \
             dev_set_drvdata(d, NULL)",
            "20:3: \"require\" is for probe callbacks only",
        ],
    );
}

#[test]
fn escapes_point_at_the_string() {
    check(
        "[task.t]\nrun = [\"use(\\u0064)\", \"\"\"use(d)\"\"\", 'üü(d)']\n",
        &[
            "2:8: device \"d\" is not declared",
            "2:23: device \"d\" is not declared",
            "2:38: call \"üü\" is not known; \"raddle list calls\" shows all calls",
        ],
    );
}

#[test]
fn buses_keep_to_themselves() {
    check(
        "[bus.nd]\n[device.d]\nbus = 'nd'\ninitially = 'bound:v'\n[driver.v]\n\
         matches = { d = 'yes' }\n[device.e]\ninitially = 'bound:w'\n",
        &[
            "4:13: device \"d\" is on bus \"nd\", driver \"v\" on bus \"platform\"",
            "4:13: driver \"v\" is not registered; add initially = \"registered\" to [driver.v]",
            "6:13: device \"d\" is on bus \"nd\", driver \"v\" on bus \"platform\"",
            "8:20: driver \"w\" is not declared",
        ],
    );
    read(&format!("{HEAD}[bus.nd]\n[device.d]\nbus = 'nd'\n[driver.v]\n[task.t]\nrun = ['bind(v, d)']"));
}

#[test]
fn a_child_needs_its_parent() {
    check(
        "[device.d]\nparent = 'p'\ninitially = 'added'\n[device.p]\n",
        &["3:13: device \"d\" is there from the start, but its parent \"p\" is absent"],
    );
}

#[test]
fn cycles_are_named() {
    check(
        "[device.a]\nparent = 'b'\n[device.b]\nparent = 'a'\n[task.t]\nafter = ['t']\n\
         [module.x]\nsoftdep-pre = ['z']\n[module.y]\nsoftdep-pre = ['x']\n[module.z]\n\
         softdep-pre = ['x', 'y']\n[driver.v]\n",
        &[
            "2:10: cycle in \"parent\": a -> b -> a",
            "6:11: cycle in \"after\": t -> t",
            "8:17: cycle in \"softdep-pre\": x -> z -> x",
        ],
    );
}

#[test]
fn header_words_are_checked() {
    check(
        "[rules]\ndetach-wait-for-async = true\nattach-strategy = 'kthred'\n\
         detach-waits-for-async = 1\n[check]\nalso = ['deadlock', 'datarace']\n[expect]\n\
         'v6.0' = []\nv5.1 = []\n'v5.1' = ['deadlok', 'data-race', 'data-race']\n",
        &[
            "2:1: rule \"detach-wait-for-async\" is not known; did you mean \
             \"detach-waits-for-async\"?",
            "3:20: expected \"synchronous\", \"kthread\" or \"workqueue\", found \"kthred\"; did \
             you mean \"kthread\"?",
            "4:26: expected a boolean, found an integer",
            "6:10: \"deadlock\" is always checked; off by default: data-race",
            "6:22: hazard \"datarace\" is not known; did you mean \"data-race\"?",
            "9:1: \"v5\" is a table, not a list of hazards; a revision with a dot is written in \
             quotes: \"v5.1\" = []",
            "10:12: hazard \"deadlok\" is not known; did you mean \"deadlock\"?",
            "10:36: \"data-race\" is given twice",
        ],
    );
}

#[test]
fn limits() {
    let many = |table: &str, number: usize| -> String {
        let lines = (0..number).map(|i| format!("[{table}.x{i}]\n"));
        lines.collect()
    };
    for (table, limit) in [("device", 64), ("driver", 64), ("task", 32), ("module", 64)] {
        read(&format!("{HEAD}{}", many(table, limit)));
        let line = limit + 1;
        let column = table.len() + 3;
        let error = format!(
            "{line}:{column}: more than {limit} {table}s; the limit is {limit}, this file has {line}"
        );
        check(&many(table, limit + 1), &[&error]);
    }
    let all = ["device", "driver", "module", "bus", "resource", "work"].map(|t| many(t, 64));
    let renamed = all.concat().replace("[module.x", "[module.y");
    assert_eq!(read(&format!("{HEAD}{renamed}")).world.modules.len(), 128);
    check("[environment]\nworkers = 17", &["2:11: workers must be between 1 and 16"]);
    let errors = errors(&"#".repeat((1 << 20) + 1));
    assert_eq!(errors, [" is larger than 1 MiB, the limit of a scenario file"]);
}

#[test]
fn nesting() {
    let arrays = |depth: usize| format!("a = {}{}", "[".repeat(depth), "]".repeat(depth));
    let too_deep = "nested too deep: the limit is 32 levels";
    check(
        &arrays(31),
        &["1:1: unknown key \"a\" in the file; known: title, source, about, revisions, rules, bus, \
           device, driver, module, memory, mutex, flag, pointer, list, function, resource, work, timer, irq, attribute, notifier, cdev, workqueue, link, task, environment, check, expect"],
    );
    check(&arrays(32), &[&format!("1:36: {too_deep}")]);
    check(&arrays(5000), &[&format!("1:85: {too_deep}")]);
    let key = vec!["a"; 100].join(".");
    check(&format!("[task.t]\n{key} = 1"), &[&format!("2:1: {too_deep}")]);
    let key = vec!["a"; 79].join(".");
    let bomb = format!("{key}={}1{}", format!("{{{key}=").repeat(79), "}".repeat(79));
    assert!(errors(&bomb)[0].ends_with(too_deep));
}

#[test]
fn line_ends_and_byte_order_marks() {
    let file = read(FULL);
    let crlf = format!("\u{feff}{}", FULL.replace('\n', "\r\n"));
    let same = read(&crlf);
    assert_eq!((&file.title, &file.world), (&same.title, &same.world));
    let text = crlf.replace("use(pmem0)", "use(pmem9)");
    assert_eq!(errors(&text), ["32:16: device \"pmem9\" is not declared; did you mean \"pmem0\"?"]);
    let text = format!("\u{feff}titel = 1\r\n{HEAD}");
    assert_eq!(errors(&text), ["1:1: unknown key \"titel\" in the file; did you mean \"title\"?"]);
}

#[test]
fn syntax_errors_have_a_place() {
    check("x = \n", &["1:5: string values must be quoted, expected literal string"]);
    check("[a]\n[a]\n", &["2:2: duplicate key"]);
    let nul = parse("title = \"a\0b\"").unwrap_err();
    assert_eq!(nul.len(), 1);
    assert!(!nul[0].to_string().contains('\0'), "{}", nul[0]);
}

#[test]
fn twenty_errors_are_shown() {
    let keys: String = (0..25).map(|i| format!("k{i} = 0\n")).collect();
    let found = errors(&format!("{HEAD}{keys}"));
    assert_eq!(found.len(), 21);
    assert!(found[19].starts_with("22:1: unknown key \"k19\""));
    assert_eq!(found[20], " and 5 more");
}

#[test]
fn a_megabyte_of_mistakes() {
    for line in ["[[a]]\n", "[expect.", "\"", "{", "a", "é", "x.y = [\n", "]\n"] {
        assert!(parse(&line.repeat((1 << 20) / line.len())).is_err());
    }
    let calls = format!("{HEAD}[task.t]\nrun = [{}]", "'use(x)',".repeat(100_000));
    assert_eq!(errors(&calls).len(), 21);
    let keys: String = (0..80_000).map(|i| format!("k{i}=0\n")).collect();
    assert_eq!(errors(&keys).last().unwrap(), " and 79982 more");
    let long = format!("{HEAD}[task.t]\nrun = ['{}()']", "x".repeat(1_000_000));
    assert!(parse(&long).unwrap_err()[0].to_string().len() < 500);
    let keys: String = (0..80_000).map(|i| format!("k{i}=0\n")).collect();
    let long = format!("{HEAD}[device.{}]\n{keys}", "x".repeat(100_000));
    assert_eq!(errors(&long).len(), 21);
}

/// A driver with memory of each device, and a task.
fn of_driver(task: &str, probe: &str) -> String {
    format!(
        "[device.d]\n[device.e]\n[driver.v]\nprobe = [{probe}]\n[memory.priv]\n[memory.all]\nper = 'once'\n\
         [work.w]\nin = 'priv'\n[flag.f]\nin = 'priv'\n[list.l]\nof = 'all'\n[pointer.p]\nto = 'all'\n\
         [irq.i]\ngiven = 'priv'\n[attribute.a]\n[task.t]\nrun = [{task}]\n"
    )
}

#[test]
fn things_in_memory_belong_to_devices() {
    let world =
        read(&format!("{HEAD}{}", of_driver("'queue_work(w, e)'", "'alloc(priv)', 'queue_work(w)'"))).world;
    // Two devices with two allocations each, and what is there once.
    assert_eq!(world.instances.len(), 6);
    let names: Vec<&str> = world.works.iter().map(|work| work.name.as_str()).collect();
    assert_eq!(names[..4], ["d.priv.w", "d.priv#2.w", "e.priv.w", "e.priv#2.w"]);
    assert_eq!(world.tasks[0].run, [Call::QueueWork(Work(0), Some(Device(1)))]);
    for (task, error) in [
        (
            "'set(f)'",
            "a device must be named last: each has its own, and none is at hand here; such as set(f, DEVICE)",
        ),
        (
            "'read(a)'",
            "a device must be named last: each has its own, and none is at hand here; such as read(a, DEVICE)",
        ),
        ("'use(all, d)'", "\"all\" is there once, for all devices; expected use(d) or use(mem)"),
        ("'list_add(l, priv, d)'", "\"l\" is of \"all\", not of \"priv\""),
        ("'set(p, priv, d)'", "\"p\" is of \"all\", not of \"priv\""),
        ("'queue_work(i, d)'", "\"i\" is an interrupt, a work item is expected"),
        ("'devm-alloc(priv, d)'", "devm- is for the callbacks of drivers only"),
    ] {
        let found = errors(&format!("{HEAD}{}", of_driver(task, "'alloc(priv)'")));
        assert!(found.len() == 1 && found[0].contains(error), "{task}: {found:?}");
    }
    for (probe, error) in [
        ("'devm-use(priv)'", "devm- does not go with \"use\""),
        ("'devm-free_irq(i)'", "nothing that is undone so is acquired with devm- by this driver's probe"),
        ("'add_action(l)'", "add_action is for devm- only; write devm-add_action(...)"),
        ("'write(a)'", "\"write\" is for tasks only"),
    ] {
        let found = errors(&format!("{HEAD}{}", of_driver("", probe)));
        assert!(found.len() == 1 && found[0].contains(error), "{probe}: {found:?}");
    }
}

#[test]
fn a_body_that_is_given_nothing_is_told_how_it_would_be() {
    for (table, giving) in [
        ("[function.g]\nrun = ['set(f)']", "given"),
        ("[irq.g]\nrun = ['set(f)']", "given"),
        ("[timer.g]\nrun = ['set(f)']", "in"),
    ] {
        let found = errors(&format!("{HEAD}[device.d]\n[memory.priv]\n[flag.f]\nin = 'priv'\n{table}\n"));
        let help = format!("such as set(f, DEVICE), or add {giving} = \"priv\" to its table");
        assert!(found.len() == 1 && found[0].ends_with(&help), "{found:?}");
    }
}

#[test]
fn workqueues_have_items_and_uses() {
    let of = |queue: &str, work: &str, calls: &str| {
        format!(
            "{HEAD}[device.d]\n[device.e]\n[driver.v]\nprobe = [{calls}]\n[memory.priv]\n[workqueue.q]\n{queue}\n\
             [work.w]\n{work}\n"
        )
    };
    let world =
        read(&of("", "in = 'priv'\nqueue = 'q'\ndelayed = true", "'alloc(priv)', 'alloc_workqueue(q)'"))
            .world;
    let names: Vec<&str> = world.queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["d.q", "e.q"]);
    // Two instances for each device, each on the queue of its device.
    assert_eq!(world.works.iter().map(|work| work.queue.unwrap().0).collect::<Vec<_>>(), [0, 0, 1, 1]);
    assert!(world.works.iter().all(|work| work.delayed && work.field.is_none()));
    assert!(world.queues.iter().all(|queue| queue.allocated && !queue.destroyed && !queue.drained));
    let world = read(&of("per = 'once'\nordered = true", "queue = 'q'", "'destroy_workqueue(q)'")).world;
    assert_eq!(world.queues.len(), 1);
    assert!(world.queues[0].ordered && world.queues[0].destroyed && world.queues[0].drained);
    for (queue, work, calls, error) in [
        (
            "",
            "queue = 'q'",
            "",
            "a workqueue of each device is for work items that lie in memory of each device",
        ),
        ("ordered = true", "in = 'priv'\nqueue = 'q'\nruns = 2", "", "does not go with an ordered workqueue"),
        (
            "ordered = true",
            "in = 'priv'\nqueue = 'q'\ndelayed = true",
            "",
            "does not go with an ordered workqueue",
        ),
        ("", "delayed = true", "", "without \"queue\" every work item may be delayed"),
        ("", "in = 'priv'\nqueue = 'p'", "", "workqueue \"p\" is not declared"),
        ("per = 'once'", "queue = 'q'", "'create_workqueue(q)'", "the call for it is \"alloc_workqueue\""),
    ] {
        let found = errors(&of(queue, work, calls));
        assert!(found.len() == 1 && found[0].contains(error), "{queue} {work} {calls}: {found:?}");
    }
}

#[test]
fn suppliers_make_links() {
    let world = read(&format!("{HEAD}[device.c]\nsuppliers = ['s', 't']\n[device.s]\n[device.t]\n")).world;
    let names: Vec<&str> = world.links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["s--c", "t--c"]);
    let of = |link: &str| {
        format!("{HEAD}[device.c]\n[device.s]\n[device.below]\nparent = 'c'\n[link.k]\n{link}\n")
    };
    let world = read(&of("consumer = 'c'\nsupplier = 's'\nflags = ['autoremove-consumer']")).world;
    assert!(world.links[0].by_call.unwrap().autoremove_consumer);
    for (link, error) in [
        ("consumer = 'c'", "\"supplier\" is missing"),
        ("consumer = 'c'\nsupplier = 'c'", "a device cannot be linked to itself"),
        ("consumer = 'c'\nsupplier = 'below'", "the supplier is a child of the consumer"),
        ("consumer = 'c'\nsupplier = 's'\nflags = ['managed']", "expected \"stateless\""),
        (
            "consumer = 'c'\nsupplier = 's'\nflags = ['stateless', 'autoremove-supplier']",
            "device_link_add takes no such flags together",
        ),
        (
            "consumer = 'c'\nsupplier = 's'\n[link.l]\nconsumer = 'c'\nsupplier = 's'",
            "there is another link between these two devices",
        ),
        ("consumer = 'c'\nsupplier = 's'\n[link.l]\nconsumer = 's'\nsupplier = 'c'", "cycle in \"supplier\""),
    ] {
        let found = errors(&of(link));
        assert!(found.len() == 1 && found[0].contains(error), "{link}: {found:?}");
    }
    let cycle = format!("{HEAD}[device.c]\nsuppliers = ['s']\n[device.s]\nsuppliers = ['c']\n");
    assert!(errors(&cycle)[0].contains("cycle in \"suppliers\": c -> s -> c"), "{:?}", errors(&cycle));
}

#[test]
fn runtime_pm_has_callbacks_and_undoes() {
    let of = |more: &str| {
        format!("{HEAD}[device.d]\n[driver.v]\nprobe = ['devm-pm_runtime_enable()']\n{more}\n[task.t]\n")
    };
    let world = read(&of("runtime-suspend = ['use()']\nruntime-resume = ['pm_runtime_put(d)']")).world;
    assert!(world.has_runtime_pm());
    assert_eq!(
        (world.devres[0].acquire.name(), world.devres[0].undo.name()),
        ("pm_runtime_enable", "pm_runtime_disable")
    );
    let driver = &world.drivers[0];
    assert_eq!((driver.runtime_suspend.len(), driver.runtime_resume.len()), (1, 1));
    assert!(!read(&format!("{HEAD}[device.d]\n")).world.has_runtime_pm());
    for (more, error) in [
        ("runtime-suspends = []", "did you mean \"runtime-suspend\""),
        ("remove = ['pm_runtime_put_autosuspend()']", "the call for it is \"pm_runtime_put\""),
        ("remove = ['pm_runtime_put(d, d)']", "pm_runtime_put takes 1 argument"),
    ] {
        let found = errors(&of(more));
        assert!(found.len() == 1 && found[0].contains(error), "{more}: {found:?}");
    }
}

#[test]
fn what_devm_acquires_knows_how_it_is_undone() {
    let probe = "'devm-alloc(priv)', 'alloc(all)', 'devm-request_irq(i)'";
    let world = read(&format!("{HEAD}{}", of_driver("", probe))).world;
    let names: Vec<_> =
        world.devres.iter().map(|devres| (devres.acquire.name(), devres.undo.name())).collect();
    assert_eq!(names, [("alloc", "free"), ("request_irq", "free_irq")]);
}

#[test]
fn the_template_is_a_scenario() {
    let of_driver = template("x", Template::Driver).replace("v6.12", "v5.1");
    assert_eq!(read(&of_driver).world.works.len(), 4);
    let file = read(&template("my \"race\"\n\\", Template::Core));
    assert_eq!(file.title, "my \"race\"\\");
    assert_eq!(file.world.tasks.len(), 2);
    assert_eq!(read(&template("", Template::Core)).title, "scenario");
    // What is commented out is right, too.
    let all: String = template("x", Template::Core)
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key) if key.contains(" = ") || key.starts_with('[') => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let all = all.replace("[device.disk0]", "[device.controller0]\n[device.disk0]");
    assert_eq!(read(&all).world.tasks.len(), 3);
}

#[test]
fn files_are_loaded() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("x.toml");
    std::fs::write(&path, FULL).unwrap();
    let file = ScenarioFile::load(&path, &terms()).unwrap();
    assert_eq!(file.path, path.display().to_string());
    let gone = root.path().join("gone.toml");
    let errors = ScenarioFile::load(&gone, &terms()).unwrap_err();
    assert!(errors[0].to_string().contains("gone.toml: cannot be read: No such file"));
    let errors = ScenarioFile::load(root.path(), &terms()).unwrap_err();
    assert!(errors[0].message.contains("Is a directory"));
}

/// Reading must end with a scenario or with errors that can be shown, twice the same.
fn survives(text: &str) {
    let result = parse(text);
    if let Err(errors) = &result {
        assert!(!errors.is_empty());
        for error in errors {
            let shown = error.to_string();
            assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
        }
    }
    assert_eq!(result, parse(text));
}

proptest! {
    #[test]
    fn any_text_is_survived(text in "\\PC{0,200}|(.|\n|\r){0,200}") {
        survives(&text);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_call_is_survived(call in "[a-z_]{0,12}[(]?[a-z, ()-]{0,12}|\\PC{0,30}") {
        let call = toml::Value::String(call);
        survives(&format!("{HEAD}[driver.v]\nprobe = [{call}]"));
    }

    #[test]
    fn a_file_with_a_part_replaced_is_survived(
        from in 0..FULL.len(),
        length in 0..40_usize,
        with in "|[a-z0-9_.\"'=\\[\\]{}(), \n\\\\-]{1,8}|\\PC{1,4}",
    ) {
        let to = (from + length).min(FULL.len());
        survives(&format!("{}{with}{}", &FULL[..from], &FULL[to..]));
    }

    #[test]
    fn a_file_with_parts_exchanged_is_survived(
        a in 0..FULL.len(),
        b in 0..FULL.len(),
        length in 1..200_usize,
    ) {
        let part = &FULL[b..(b + length).min(FULL.len())];
        survives(&format!("{}{part}{}", &FULL[..a], &FULL[a..]));
    }
}

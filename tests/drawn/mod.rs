//! Random small scenarios that use the whole language: every call, fault, rule and revision. All of them are
//! scenarios: whoever rejects one has found a mistake.

use std::fmt::Write;

use raddle_driver_core::revision::REVISIONS;
use raddle_driver_core::rules::RULES;
use raddle_probing::call::CALLS;

/// A drawn scenario.
pub struct Drawn {
    /// The file.
    pub text: String,
    /// The revision to check.
    pub revision: &'static str,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Once in so many times.
    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// The names that the drawn scenarios declare for an argument of a call.
fn names(letter: &str) -> &'static [&'static str] {
    match letter {
        "d" => &["dev0", "dev1"],
        "v" => &["drv0", "drv1"],
        "bus" => &["platform", "nd"],
        "r" => &["clock"],
        "w" => &["work0", "work1"],
        "mem" => &["mem0"],
        "ptr" => &["ptr0"],
        "f" => &["flag0"],
        "l" => &["list0"],
        "fun" => &["fun0"],
        "t" => &["timer0"],
        "irq" => &["irq0"],
        "a" => &["file0"],
        "n" => &["notifier0"],
        "c" => &["cdev0"],
        "q" => &["queue0", "queue1"],
        "k" => &["link0"],
        "NULL" => &["NULL"],
        other => unreachable!("{other} is no argument of a call"),
    }
}

/// Where a call stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stand {
    Probe,
    /// A device is at hand.
    Device,
    /// Nothing is; whether each device has memory of its own.
    Nothing(bool),
    /// The same, in a task.
    Task(bool),
}

/// What is in memory, or is memory.
const IN_MEMORY: [&str; 7] = ["mem", "f", "c", "t", "irq", "fun", "work1"];

/// A call, or two: what is locked is mostly unlocked again.
fn calls(random: &mut Random, stand: Stand) -> Vec<String> {
    let info = &CALLS[random.below(CALLS.len())];
    let from_outside = ["read", "write", "notify", "open", "ioctl", "close"].contains(&info.name);
    if from_outside && !matches!(stand, Stand::Task(_)) {
        return calls(random, stand);
    }
    if matches!(info.name, "require" | "add_action") && stand != Stand::Probe {
        return calls(random, stand);
    }
    let written = info.written();
    let letters = written[info.name.len() + 1..written.len() - 1].split(", ").filter(|name| !name.is_empty());
    let arguments = letters.map(|letter| match letter {
        "m" if info.name.ends_with("lock") => "lock0",
        "m" => random.of(&["drv0", "drv1", "shared"]),
        letter => random.of(names(letter)),
    });
    let mut arguments: Vec<&str> = arguments.collect();
    let letters = written[info.name.len() + 1..written.len() - 1].split(", ");
    let of_device =
        letters.clone().any(|letter| ["a", "n"].contains(&letter)) || arguments.contains(&"queue0");
    let in_memory =
        info.name != "for_each" && letters.chain(arguments.clone()).any(|it| IN_MEMORY.contains(&it));
    let (each, at_hand) = match stand {
        Stand::Probe | Stand::Device => (true, true),
        Stand::Nothing(each) | Stand::Task(each) => (each, false),
    };
    if !at_hand && (each && in_memory || of_device) {
        arguments.push(random.of(names("d")));
    }
    let acquires = info.undo.is_some() && stand == Stand::Probe;
    let devm = if acquires && (info.name == "add_action" || random.once_in(2)) { "devm-" } else { "" };
    let call = format!("{devm}{}({})", info.name, arguments.join(", "));
    match info.name {
        "trylock" | "device_trylock" | "device_lock" if !random.once_in(4) => {
            let unlock = call.replace("trylock", "unlock").replace("device_lock", "device_unlock");
            vec![call, unlock]
        }
        "lock" if !random.once_in(4) => vec![call, "use(dev0)".to_owned(), "unlock(lock0)".to_owned()],
        _ => vec![call],
    }
}

fn body(random: &mut Random, most: usize, stand: Stand) -> Vec<String> {
    (0..random.below(most + 1)).flat_map(|_| calls(random, stand)).collect()
}

/// The scenario of a number: revisions and rules take turns, all else is drawn.
pub fn scenario(number: u64) -> Drawn {
    let random = &mut Random(number);
    let revision = REVISIONS[number as usize % REVISIONS.len()].name;
    let mut text = format!("title = \"drawn {number}\"\nrevisions = [\"{revision}\"]\n");
    let mut line = |line: String| writeln!(text, "{line}").expect("a string can be written");
    if random.once_in(2) {
        let rule = &RULES[(number / 2) as usize % RULES.len()];
        let word = random.of(rule.words);
        let quote = if rule.words == ["false", "true"] { "" } else { "\"" };
        line(format!("[rules]\n{} = {quote}{word}{quote}", rule.name));
    }
    line(format!("[bus.nd]\nneed-parent-lock = {}\nautoprobe = {}", random.once_in(2), !random.once_in(4)));
    let bus = random.of(&["platform", "nd"]);
    let (mut added, mut declared_link) = (false, false);
    for (i, name) in ["dev0", "dev1"].into_iter().enumerate() {
        line(format!("[device.{name}]\nbus = \"{bus}\""));
        if i == 1 && random.once_in(2) {
            line("parent = \"dev0\"".to_owned());
            added &= random.once_in(2);
        } else {
            added = random.once_in(2);
        }
        line(format!("initially = \"{}\"", if added { "added" } else { "absent" }));
        if i == 1 && random.once_in(3) {
            line("suppliers = [\"dev0\"]".to_owned());
            declared_link = true;
        }
        if random.once_in(3) {
            line(format!("add = [\"ok\", \"{}\"]", random.of(&["fails-before-klist", "fails-after-klist"])));
        }
    }
    if declared_link {
        line("[device.dev2]".to_owned());
    }
    let supplier = if declared_link { "dev2" } else { "dev0" };
    let flags = random.of(&["\"stateless\"", "\"autoremove-consumer\"", "\"autoprobe-consumer\""]);
    line(format!("[link.link0]\nconsumer = \"dev1\"\nsupplier = \"{supplier}\"\nflags = [{flags}]"));
    let per_device = !random.once_in(3);
    line(format!("[module.shared]\n[module.drv1]\ninit = {:?}", body(random, 1, Stand::Nothing(per_device))));
    line(format!("exit = {:?}", body(random, 1, Stand::Nothing(per_device))));
    line(format!("[module.drv0]\nasync_probe = {}", random.once_in(2)));
    if random.once_in(3) {
        line("softdep-pre = [\"drv1\"]".to_owned());
    }
    for name in ["drv0", "drv1"] {
        line(format!("[driver.{name}]\nbus = \"{bus}\""));
        if random.once_in(4) {
            line("module = \"shared\"".to_owned());
        }
        let kind = random.of(&["default", "prefer-asynchronous", "force-synchronous"]);
        let initially = random.of(&["absent", "registered"]);
        line(format!("probe-type = \"{kind}\"\ninitially = \"{initially}\""));
        if random.once_in(2) {
            line(format!("matches = {{ dev0 = \"{}\" }}", random.of(&["yes", "no", "defer", "error"])));
        }
        let mut probe = body(random, 2, Stand::Probe);
        if random.once_in(3) {
            probe.insert(0, random.of(&["alloc(mem0)", "devm-alloc(mem0)"]).to_owned());
        }
        if random.once_in(4) {
            line(format!("fails-at = \"each\"\nunwind = {:?}", body(random, 1, Stand::Device)));
        }
        if random.once_in(2) {
            let fails = random.of(&["-ENODEV", "-EPROBE_DEFER", "-EIO"]);
            probe.push(format!("return(0, {fails})"));
        }
        line(format!(
            "probe = {probe:?}\nremove = {:?}",
            body(random, 1, Stand::Device).iter().take(1).collect::<Vec<_>>()
        ));
        if random.once_in(4) {
            line(format!("suspend = {:?}", body(random, 1, Stand::Device)));
        }
        if random.once_in(4) {
            line(format!("runtime-suspend = {:?}", body(random, 1, Stand::Device)));
            line(format!("runtime-resume = {:?}", body(random, 1, Stand::Device)));
        }
    }
    line(format!("[resource.clock]\ninitially = \"{}\"", random.of(&["absent", "present"])));
    line("[mutex.lock0]".to_owned());
    line(format!("[memory.mem0]\nper = \"{}\"", if per_device { "device" } else { "once" }));
    line(format!("instances = {}", 1 + random.below(2)));
    line(
        "[flag.flag0]\nin = \"mem0\"\n[pointer.ptr0]\nto = \"mem0\"\n[list.list0]\nof = \"mem0\"".to_owned(),
    );
    let (inside, outside) =
        (if per_device { Stand::Device } else { Stand::Nothing(false) }, Stand::Nothing(per_device));
    for (head, runs) in [
        ("function.fun0]\ngiven = \"mem0\"", false),
        ("work.work1]\nin = \"mem0\"", true),
        ("timer.timer0]\nin = \"mem0\"", true),
        ("irq.irq0]\ngiven = \"mem0\"", true),
    ] {
        let run: Vec<String> = body(random, 1, inside);
        // A function that calls itself is an error.
        let run: Vec<String> = run.into_iter().filter(|call| !call.contains("fun0")).collect();
        line(format!("[{head}\nrun = {run:?}"));
        let queue = match head.starts_with("work.") {
            true if per_device => {
                random.of(&["", "queue = \"queue0\"", "queue = \"queue0\"\ndelayed = true"])
            }
            true => random.of(&["", "queue = \"queue1\""]),
            false => "",
        };
        line(queue.to_owned());
        // An ordered workqueue has one worker for all.
        if runs && !queue.contains("queue1") && random.once_in(2) {
            line("runs = 2".to_owned());
        }
        if runs && random.once_in(4) {
            line("module = \"drv0\"".to_owned());
        }
    }
    line(format!("[attribute.file0]\ngroup = \"{}\"", random.of(&["by-hand", "device", "bound"])));
    line(format!(
        "show = {:?}\nstore = {:?}",
        body(random, 1, Stand::Device),
        body(random, 1, Stand::Device)
    ));
    line(format!("[notifier.notifier0]\nrun = {:?}", body(random, 1, Stand::Device)));
    line(format!("[cdev.cdev0]\nin = \"mem0\"\nholds = {}", random.once_in(2)));
    line(format!("ioctl = {:?}\nrelease = {:?}", body(random, 1, inside), body(random, 1, inside)));
    line(format!("[work.work0]\nrun = {:?}", body(random, 1, outside)));
    line(random.of(&["queue = \"queue1\"", ""]).to_owned());
    line("[workqueue.queue0]\n[workqueue.queue1]\nper = \"once\"".to_owned());
    line(random.of(&["ordered = true", ""]).to_owned());
    for i in 0..2 + random.below(2) {
        line(format!("[task.t{i}]\nrun = {:?}", body(random, 2, Stand::Task(per_device))));
        if i > 0 && random.once_in(4) {
            line("after = [\"t0\"]".to_owned());
        }
    }
    let schedule = random.of(&["\"queued\"", "\"inline\"", "\"queued\", \"inline\""]);
    line(format!("[environment]\nasync-schedule = [{schedule}]\nworkers = {}", 3 + random.below(2)));
    line(format!("booted = {}", !random.once_in(4)));
    line(format!("contract = \"{}\"", random.of(&["kept", "violated"])));
    Drawn { text, revision }
}

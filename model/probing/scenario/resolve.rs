//! From the tables of a file to a [`World`]: names become ids, what is left out its default.
//!
//! Where a mistake is found a placeholder stands (id 0, a default); the caller hands the world out
//! only if there was none.

use indexmap::IndexMap;

use super::calls::{Body, Calls, Stand};
use super::declare::{Declaration, Declared, imply_modules};
use super::faults::Faults;
use super::links::{Links, check_cycles, ids, links};
use super::names::{Names, Section};
use super::read::{Table, Text, boolean, number, string, word, words};
use super::spans::Span;
use super::suggest::{did_you_mean, quoted};
use super::things::Things;
use crate::call::{Call, KernelCall};
use crate::ids::{Bus, Device, Driver, Memory, Module, TaskId};
use crate::world::{
    AddOutcome, AsyncOutcome, BusDecl, CdevDecl, DeviceDecl, DriverDecl, Environment, FlagDecl, FunctionDecl,
    HookDecl, Initially, LinkDecl, LinkFlags, ListDecl, Match, MemoryDecl, ModuleDecl, MutexDecl,
    PointerDecl, ProbeBody, ProbeType, ResourceDecl, TaskDecl, WorkDecl, World,
};

const INITIALLY: &[(&str, Initially)] = &[("absent", Initially::Absent), ("added", Initially::Added)];
const ADD: &[(&str, AddOutcome)] = &[
    ("ok", AddOutcome::Ok),
    ("fails-before-klist", AddOutcome::FailsBeforeKlist),
    ("fails-after-klist", AddOutcome::FailsAfterKlist),
];
const PROBE_TYPE: &[(&str, ProbeType)] = &[
    ("default", ProbeType::Default),
    ("prefer-asynchronous", ProbeType::PreferAsynchronous),
    ("force-synchronous", ProbeType::ForceSynchronous),
];
const MATCHES: &[(&str, Match)] =
    &[("yes", Match::Yes), ("no", Match::No), ("defer", Match::Defer), ("error", Match::Error)];
const REGISTERED: &[(&str, bool)] = &[("absent", false), ("registered", true)];
const PRESENT: &[(&str, bool)] = &[("absent", false), ("present", true)];
const SET: &[(&str, bool)] = &[("clear", false), ("set", true)];
const FAILS_AT: &[(&str, bool)] = &[("end", false), ("each", true)];
const ASYNC_SCHEDULE: &[(&str, AsyncOutcome)] =
    &[("queued", AsyncOutcome::Queued), ("inline", AsyncOutcome::Inline)];
const CONTRACT: &[(&str, bool)] = &[("kept", true), ("violated", false)];

/// A world, and where its parts were written.
pub(crate) struct Resolved {
    pub(crate) world: World,
    /// Where each call was written first.
    pub(crate) calls: IndexMap<Call, Span>,
    /// Where each device says what it is initially, or else its name.
    pub(crate) devices: Vec<Span>,
}

/// Resolves everything that a file declares; `None` if it declares more than the limits allow.
pub(crate) fn resolve(root: Table, faults: &mut Faults) -> Option<Resolved> {
    let mut names = Names::default();
    names.declare(Section::Bus, "platform");
    let declared = Declared::read(root, &mut names, faults)?;
    let implied = imply_modules(declared.of(Section::Driver), &mut names, faults);

    let names = &names;
    let things = &Things::read(&declared, names, faults);
    let mut calls = Calls { names, things, devres: Vec::new(), places: IndexMap::new() };
    let buses = buses(declared.of(Section::Bus), names, faults);
    let devices = devices(declared.of(Section::Device), names, faults);
    let links = device_links(declared.of(Section::Device), declared.of(Section::Link), names, faults);
    let drivers = drivers(declared.of(Section::Driver), &implied, &devices, &mut calls, faults);
    let mut world = World {
        modules: modules(declared.of(Section::Module), &mut calls, faults),
        memories: memories(declared.of(Section::Memory), &mut calls, faults),
        instances: things.instances.clone(),
        mutexes: named_with(declared.of(Section::Mutex), |name, index| MutexDecl {
            name,
            home: things.home(Section::Mutex, index),
        }),
        flags: flags(declared.of(Section::Flag), things, faults),
        pointers: named_with(declared.of(Section::Pointer), |name, index| PointerDecl {
            name,
            home: things.home(Section::Pointer, index),
            to: things.target(Section::Pointer, index).unwrap_or(Memory(0)),
        }),
        lists: named_with(declared.of(Section::List), |name, index| ListDecl {
            name,
            home: things.home(Section::List, index),
            of: things.target(Section::List, index).unwrap_or(Memory(0)),
        }),
        functions: functions(declared.of(Section::Function), &mut calls, faults),
        resources: resources(declared.of(Section::Resource), faults),
        works: works(&declared, &mut calls, faults),
        hooks: hooks(&declared, &mut calls, faults),
        cdevs: cdevs(declared.of(Section::Cdev), &mut calls, faults),
        tasks: tasks(declared.of(Section::Task), &mut calls, faults),
        queues: things.queues.iter().map(|(_, decl)| decl.clone()).collect(),
        environment: environment(root, faults),
        devres: calls.devres,
        buses,
        overrides: Vec::new(),
        links,
        devices,
        drivers,
    };
    note_uses_of_queues(&mut world);
    world.overrides = overrides(&world);
    check_links(declared.of(Section::Link), &world, faults);
    check_initially(declared.of(Section::Device), &world, faults);
    Some(Resolved {
        world,
        calls: calls.places,
        devices: declared.of(Section::Device).iter().map(|device| device.span_of("initially")).collect(),
    })
}

/// The strings that calls write to `driver_override`, each once.
fn overrides(world: &World) -> Vec<(Device, Driver)> {
    let all = world.calls().filter_map(|call| match call {
        Call::Kernel(KernelCall::DriverOverrideStore(Some(dev), drv)) => Some((*dev, *drv)),
        _ => None,
    });
    let mut all: Vec<(Device, Driver)> = all.collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// What the scenario ever does with its workqueues.
fn note_uses_of_queues(world: &mut World) {
    let mut queues = std::mem::take(&mut world.queues);
    for call in world.calls() {
        for queue in &mut queues {
            let first = queue.first;
            queue.allocated |= matches!(call, Call::AllocWorkqueue(of, _) if of.queue() == first);
            queue.destroyed |= matches!(call, Call::DestroyWorkqueue(of, _) if of.queue() == first);
            queue.drained |= matches!(call, Call::DrainWorkqueue(of, _) | Call::DestroyWorkqueue(of, _) if of.queue() == first);
        }
    }
    world.queues = queues;
}

/// What is declared, by its name and its place.
fn named_with<T>(declared: &[Declaration], make: impl Fn(String, usize) -> T) -> Vec<T> {
    declared.iter().enumerate().map(|(index, it)| make(it.name.to_owned(), index)).collect()
}

fn memories(declared: &[Declaration], calls: &mut Calls, faults: &mut Faults) -> Vec<MemoryDecl> {
    let mut memories = calls.things.memories.clone();
    for ((memory, declared), index) in memories.iter_mut().zip(declared).zip(0..) {
        let stand = Stand::given(Body::Other, Some(Memory(index)), calls.things);
        let release = calls.list(declared.table, "release", stand, faults);
        memory.release = declared.table.get("release").map(|_| release);
    }
    memories
}

fn flags(declared: &[Declaration], things: &Things, faults: &mut Faults) -> Vec<FlagDecl> {
    let mut flags = Vec::new();
    for (index, flag) in declared.iter().enumerate() {
        let home = things.home(Section::Flag, index);
        let initially = choice(flag.table, "initially", SET, faults).unwrap_or(false);
        if initially && home.is_some() {
            let message = "what lies in memory is clear when it is allocated";
            faults.add(flag.span_of("initially"), message, Some("set it in the probe".to_owned()));
        }
        flags.push(FlagDecl { name: flag.name.to_owned(), home, initially });
    }
    flags
}

fn functions(declared: &[Declaration], calls: &mut Calls, faults: &mut Faults) -> Vec<FunctionDecl> {
    let mut functions = Vec::new();
    let mut called: Links = Vec::new();
    for (index, function) in declared.iter().enumerate() {
        let given = calls.things.home(Section::Function, index).map(|home| home.memory);
        let stand = Stand::given_by("given", given, calls.things);
        let run = calls.list(function.table, "run", stand, faults);
        let calls_of = run.iter().filter_map(|call| match call {
            Call::CallFunction(other, _) | Call::ForEach(_, other, _) => {
                Some((other.0, function.span_of("run")))
            }
            _ => None,
        });
        called.push(calls_of.collect());
        functions.push(FunctionDecl { name: function.name.to_owned(), given, run });
    }
    check_cycles("run", Section::Function, &called, calls.names, faults);
    functions
}

fn buses(declared: &[Declaration], names: &Names, faults: &mut Faults) -> Vec<BusDecl> {
    names
        .of(Section::Bus)
        .map(|name| {
            let bus = declared.iter().find(|bus| bus.name == name);
            let mut flag = |key, default| bus.and_then(|bus| flag(bus.table, key, faults)).unwrap_or(default);
            BusDecl {
                need_parent_lock: flag("need-parent-lock", false),
                autoprobe: flag("autoprobe", true),
                name: name.to_owned(),
            }
        })
        .collect()
}

fn devices(declared: &[Declaration], names: &Names, faults: &mut Faults) -> Vec<DeviceDecl> {
    let devices: Vec<DeviceDecl> = declared
        .iter()
        .map(|device| DeviceDecl {
            name: device.name.to_owned(),
            bus: bus(device.table, names, faults),
            parent: named(device.table, "parent", Section::Device, names, faults).map(Device),
            initially: initially(device.table, names, faults),
            add: choices(device.table, "add", ADD, faults).unwrap_or(vec![AddOutcome::Ok]),
        })
        .collect();
    let parents = declared.iter().zip(&devices).map(|(device, resolved)| {
        let parent = resolved.parent;
        parent.map(|parent| (parent.0, device.span_of("parent")))
    });
    let parents: Links = parents.map(|parent| parent.into_iter().collect()).collect();
    check_cycles("parent", Section::Device, &parents, names, faults);
    devices
}

/// More links between devices are an error.
const MOST_LINKS: usize = 64;

const LINK_FLAGS: &[(&str, LinkFlags)] = {
    const NONE: LinkFlags = LinkFlags {
        stateless: false,
        autoremove_consumer: false,
        autoremove_supplier: false,
        autoprobe_consumer: false,
    };
    &[
        ("stateless", LinkFlags { stateless: true, ..NONE }),
        ("autoremove-consumer", LinkFlags { autoremove_consumer: true, ..NONE }),
        ("autoremove-supplier", LinkFlags { autoremove_supplier: true, ..NONE }),
        ("autoprobe-consumer", LinkFlags { autoprobe_consumer: true, ..NONE }),
    ]
};

/// The links that calls make come first, in the order of their names.
fn device_links(
    devices: &[Declaration],
    by_call: &[Declaration],
    names: &Names,
    faults: &mut Faults,
) -> Vec<LinkDecl> {
    let of = |device: &Declaration, faults: &mut Faults| {
        links(device.table, "suppliers", Section::Device, names, faults)
    };
    let suppliers: Links = devices.iter().map(|device| of(device, faults)).collect();
    check_cycles("suppliers", Section::Device, &suppliers, names, faults);
    let named = |consumer: u8, supplier: u8| {
        let name = |device: u8| names.name(Section::Device, device);
        format!("{}--{}", name(supplier), name(consumer))
    };
    let mut all: Vec<LinkDecl> = Vec::new();
    for link in by_call {
        let [consumer, supplier] = ["consumer", "supplier"].map(|key| end_of_link(link, key, names, faults));
        let (Some(consumer), Some(supplier)) = (consumer, supplier) else {
            // The calls that name it are read with it.
            let (consumer, supplier) = (Device(0), Device(0));
            all.push(LinkDecl { name: String::new(), consumer, supplier, by_call: None });
            continue;
        };
        let name = named(consumer.0, supplier.0);
        if consumer == supplier {
            faults.add(link.name_span.clone(), "a device cannot be linked to itself", None);
        } else if all.iter().any(|other| other.name == name) {
            faults.add(link.name_span.clone(), "there is another link between these two devices", None);
        }
        let by_call = Some(link_flags(link, faults));
        all.push(LinkDecl { name, consumer, supplier, by_call });
    }
    let mut below = suppliers.clone();
    for (link, decl) in by_call.iter().zip(&all).filter(|(_, decl)| decl.consumer != decl.supplier) {
        below[decl.consumer.index()].push((decl.supplier.0, link.span_of("supplier")));
    }
    if below != suppliers {
        check_cycles("supplier", Section::Device, &below, names, faults);
    }
    for (suppliers, consumer) in suppliers.iter().zip(0..) {
        for (supplier, span) in suppliers {
            if all.len() == MOST_LINKS {
                faults.add(span.clone(), format!("more than {MOST_LINKS} links between devices"), None);
                return all;
            }
            let name = named(consumer, *supplier);
            if all.iter().any(|other| other.name == name) {
                faults.add(span.clone(), "a [link.*] is between these two devices", None);
            }
            let (consumer, supplier) = (Device(consumer), Device(*supplier));
            all.push(LinkDecl { name, consumer, supplier, by_call: None });
        }
    }
    all
}

/// A device cannot be linked to one below it: `device_link_add` makes no such link.
fn check_links(declared: &[Declaration], world: &World, faults: &mut Faults) {
    for (link, decl) in declared.iter().zip(&world.links) {
        let parent = |dev: &Device| world.devices[dev.index()].parent;
        // A cycle of parents is an error of its own.
        let above = std::iter::successors(Some(decl.supplier), parent).take(world.devices.len());
        if decl.consumer != decl.supplier && above.skip(1).any(|dev| dev == decl.consumer) {
            faults.add(link.span_of("supplier"), "the supplier is a child of the consumer", None);
        }
    }
}

/// The consumer or the supplier of a link, which must be told.
fn end_of_link(link: &Declaration, key: &str, names: &Names, faults: &mut Faults) -> Option<Device> {
    if link.table.get(key).is_none() {
        faults.add(link.name_span.clone(), format!("{} is missing", quoted(key)), None);
    }
    named(link.table, key, Section::Device, names, faults).map(Device)
}

fn link_flags(link: &Declaration, faults: &mut Faults) -> LinkFlags {
    let mut all = LinkFlags::default();
    for flag in choices(link.table, "flags", LINK_FLAGS, faults).unwrap_or_default() {
        all.stateless |= flag.stateless;
        all.autoremove_consumer |= flag.autoremove_consumer;
        all.autoremove_supplier |= flag.autoremove_supplier;
        all.autoprobe_consumer |= flag.autoprobe_consumer;
    }
    let removes = all.autoremove_consumer || all.autoremove_supplier;
    if all.stateless && (removes || all.autoprobe_consumer) || all.autoprobe_consumer && removes {
        let message = "device_link_add takes no such flags together";
        faults.add(link.span_of("flags"), message, None);
    }
    all
}

fn initially(device: Table, names: &Names, faults: &mut Faults) -> Initially {
    let Some(text) = text(device, "initially", faults) else {
        return Initially::Absent;
    };
    if let Some(driver) = text.value.strip_prefix("bound:") {
        let span = text.part("bound:".len()..text.value.len());
        let driver = names.find(Section::Driver, driver, span, faults);
        return driver.map_or(Initially::Absent, |driver| Initially::Bound(Driver(driver)));
    }
    let known = INITIALLY.iter().find(|(word, _)| *word == text.value);
    if known.is_none() {
        let message =
            format!("expected \"absent\", \"added\" or \"bound:DRIVER\", found {}", quoted(text.value));
        let words = INITIALLY.iter().map(|(word, _)| *word);
        let help = did_you_mean(text.value, words);
        faults.add(text.inside(), message, help);
    }
    known.map_or(Initially::Absent, |(_, initially)| *initially)
}

fn drivers(
    declared: &[Declaration],
    modules: &[Module],
    devices: &[DeviceDecl],
    calls: &mut Calls,
    faults: &mut Faults,
) -> Vec<DriverDecl> {
    let mut drivers = Vec::new();
    for (driver, module) in declared.iter().zip(modules) {
        let table = driver.table;
        let id = Driver(drivers.len() as u8);
        let bus = bus(table, calls.names, faults);
        // What it acquires is known before what its other bodies undo.
        let probe = calls.probe_body(table, "probe", Stand::bound(Body::Probe(id)), faults);
        drivers.push(DriverDecl {
            name: driver.name.to_owned(),
            bus,
            module: *module,
            probe_type: choice(table, "probe-type", PROBE_TYPE, faults).unwrap_or(ProbeType::Default),
            initially_registered: choice(table, "initially", REGISTERED, faults).unwrap_or(false),
            matches: matches(driver, bus, devices, calls.names, faults),
            probe: ProbeBody {
                fails: choice(table, "fails-at", FAILS_AT, faults).unwrap_or(false),
                unwind: calls.list(table, "unwind", Stand::bound(Body::Driver(id)), faults),
                ..probe
            },
            remove: calls.list(table, "remove", Stand::bound(Body::Driver(id)), faults),
            suspend: calls.list(table, "suspend", Stand::bound(Body::Driver(id)), faults),
            resume: calls.list(table, "resume", Stand::bound(Body::Driver(id)), faults),
            runtime_suspend: calls.list(table, "runtime-suspend", Stand::bound(Body::Driver(id)), faults),
            runtime_resume: calls.list(table, "runtime-resume", Stand::bound(Body::Driver(id)), faults),
        });
    }
    drivers
}

fn matches(
    driver: &Declaration,
    bus: Bus,
    devices: &[DeviceDecl],
    names: &Names,
    faults: &mut Faults,
) -> Vec<Match> {
    let mut matches: Vec<Match> =
        devices.iter().map(|device| if device.bus == bus { Match::Yes } else { Match::No }).collect();
    for entry in driver.table.table("matches", faults).entries() {
        let device = names.find(Section::Device, entry.key, entry.key_span.clone(), faults);
        let value = string(entry.value, faults).and_then(|text| word(&text, MATCHES, faults));
        let Some(device) = device.map(Device) else {
            continue;
        };
        let devices_bus = devices[device.index()].bus;
        if devices_bus != bus {
            let message = format!(
                "device {} is on bus {}, driver {} on bus {}",
                quoted(entry.key),
                quoted(names.name(Section::Bus, devices_bus.0)),
                quoted(driver.name),
                quoted(names.name(Section::Bus, bus.0)),
            );
            faults.add(entry.key_span, message, None);
        } else if let Some(value) = value {
            matches[device.index()] = value;
        }
    }
    matches
}

fn modules(declared: &[Declaration], calls: &mut Calls, faults: &mut Faults) -> Vec<ModuleDecl> {
    let names = calls.names;
    let softdeps: Links = declared
        .iter()
        .map(|module| links(module.table, "softdep-pre", Section::Module, names, faults))
        .collect();
    check_cycles("softdep-pre", Section::Module, &softdeps, names, faults);
    names
        .of(Section::Module)
        .enumerate()
        .map(|(index, name)| ModuleDecl {
            init: declared
                .get(index)
                .map(|module| body(module.table, "init", calls, faults))
                .unwrap_or_default(),
            exit: declared
                .get(index)
                .map(|module| body(module.table, "exit", calls, faults))
                .unwrap_or_default(),
            name: name.to_owned(),
            async_probe: declared
                .get(index)
                .and_then(|module| flag(module.table, "async_probe", faults))
                .unwrap_or(false),
            softdep_pre: softdeps.get(index).map(|links| ids(links, Module)).unwrap_or_default(),
        })
        .collect()
}

/// Calls that stand where nothing is at hand.
fn body(table: Table, key: &str, calls: &mut Calls, faults: &mut Faults) -> Vec<Call> {
    calls.list(table, key, Stand::given(Body::Other, None, calls.things), faults)
}

fn resources(declared: &[Declaration], faults: &mut Faults) -> Vec<ResourceDecl> {
    declared
        .iter()
        .map(|resource| ResourceDecl {
            name: resource.name.to_owned(),
            initially_present: choice(resource.table, "initially", PRESENT, faults).unwrap_or(false),
        })
        .collect()
}

fn works(declared: &Declared, calls: &mut Calls, faults: &mut Faults) -> Vec<WorkDecl> {
    let mut works: Vec<WorkDecl> = Vec::new();
    for (number, (section, index, decl)) in calls.things.works.iter().enumerate() {
        let memory = calls.things.home(*section, *index).map(|home| home.memory);
        // All instances do the same, which is read once.
        let run = match decl.first.index() {
            first if first < number => works[first].run.clone(),
            _ => {
                let table = declared.of(*section)[*index].table;
                let key = if *section == Section::Irq { "given" } else { "in" };
                calls.list(table, "run", Stand::given_by(key, memory, calls.things), faults)
            }
        };
        let table = declared.of(*section)[*index].table;
        let module = match decl.first.index() {
            first if first < number => works[first].module,
            _ => named(table, "module", Section::Module, calls.names, faults).map(Module),
        };
        works.push(WorkDecl { run, module, ..decl.clone() });
    }
    works
}

fn hooks(declared: &Declared, calls: &mut Calls, faults: &mut Faults) -> Vec<HookDecl> {
    let mut hooks: Vec<HookDecl> = Vec::new();
    for (number, (section, index, decl)) in calls.things.hooks.iter().enumerate() {
        let table = declared.of(*section)[*index].table;
        let keys: &[&str] = if *section == Section::Attribute { &["show", "store"] } else { &["run"] };
        // Those of all devices do the same, which is read once.
        let bodies = match decl.first.index() {
            first if first < number => hooks[first].bodies.clone(),
            _ => {
                let mut read =
                    |key: &&str| calls.list(table, key, Stand::of_device(decl.dev.is_some()), faults);
                keys.iter().map(&mut read).collect()
            }
        };
        hooks.push(HookDecl { bodies, ..decl.clone() });
    }
    hooks
}

fn cdevs(declared: &[Declaration], calls: &mut Calls, faults: &mut Faults) -> Vec<CdevDecl> {
    let mut cdevs: Vec<CdevDecl> = Vec::new();
    for (number, (index, decl)) in calls.things.cdevs.iter().enumerate() {
        let mut cdev = decl.clone();
        if decl.first.index() < number {
            let first = &cdevs[decl.first.index()];
            (cdev.open, cdev.ioctl, cdev.release) =
                (first.open.clone(), first.ioctl.clone(), first.release.clone());
        } else {
            let table = declared[*index].table;
            let stand = || Stand::given(Body::Other, Some(decl.memory), calls.things);
            let stands = [stand(), stand(), stand()];
            let [open, ioctl, release] = stands;
            cdev.open = calls.list(table, "open", open, faults);
            cdev.ioctl = calls.list(table, "ioctl", ioctl, faults);
            cdev.release = calls.list(table, "release", release, faults);
        }
        cdevs.push(cdev);
    }
    cdevs
}

fn tasks(declared: &[Declaration], calls: &mut Calls, faults: &mut Faults) -> Vec<TaskDecl> {
    let after: Links =
        declared.iter().map(|task| links(task.table, "after", Section::Task, calls.names, faults)).collect();
    check_cycles("after", Section::Task, &after, calls.names, faults);
    declared
        .iter()
        .zip(&after)
        .map(|(task, after)| TaskDecl {
            name: task.name.to_owned(),
            after: ids(after, TaskId),
            run: calls.list(task.table, "run", Stand::given(Body::Task, None, calls.things), faults),
        })
        .collect()
}

fn environment(root: Table, faults: &mut Faults) -> Environment {
    let table = root.table("environment", faults);
    let keys = ["async-schedule", "booted", "contract", "workers", "slow"];
    table.only(&keys, "[environment]", faults);
    let workers = table.get("workers");
    Environment {
        async_schedule: choices(table, "async-schedule", ASYNC_SCHEDULE, faults)
            .unwrap_or(vec![AsyncOutcome::Queued]),
        booted: flag(table, "booted", faults).unwrap_or(true),
        contract_kept: choice(table, "contract", CONTRACT, faults).unwrap_or(true),
        workers: workers.and_then(|value| number(value, "workers", (1, 16), faults)).unwrap_or(4),
        slow: flag(table, "slow", faults).unwrap_or(false),
    }
}

/// What a device says it is initially must agree with its driver and its parent.
fn check_initially(declared: &[Declaration], world: &World, faults: &mut Faults) {
    for (device, resolved) in declared.iter().zip(&world.devices) {
        let span = device.span_of("initially");
        if let Initially::Bound(driver) = resolved.initially {
            let driver = &world.drivers[driver.index()];
            if driver.bus != resolved.bus {
                let message = format!(
                    "device {} is on bus {}, driver {} on bus {}",
                    quoted(&resolved.name),
                    quoted(&world.buses[resolved.bus.index()].name),
                    quoted(&driver.name),
                    quoted(&world.buses[driver.bus.index()].name),
                );
                faults.add(span.clone(), message, None);
            }
            if !driver.initially_registered {
                let message = format!("driver {} is not registered", quoted(&driver.name));
                let help = format!("add initially = \"registered\" to [driver.{}]", driver.name);
                faults.add(span.clone(), message, Some(help));
            }
        }
        let parent = resolved.parent.map(|parent| &world.devices[parent.index()]);
        if let Some(parent) = parent
            && resolved.initially != Initially::Absent
            && parent.initially == Initially::Absent
        {
            let message = format!(
                "device {} is there from the start, but its parent {} is absent",
                quoted(&resolved.name),
                quoted(&parent.name)
            );
            faults.add(span, message, None);
        }
    }
}

fn bus(table: Table, names: &Names, faults: &mut Faults) -> Bus {
    Bus(named(table, "bus", Section::Bus, names, faults).unwrap_or(0))
}

/// The id of the thing that a key names.
fn named(table: Table, key: &str, sort: Section, names: &Names, faults: &mut Faults) -> Option<u8> {
    let text = text(table, key, faults)?;
    names.find(sort, text.value, text.inside(), faults)
}

fn text<'t>(table: Table<'t>, key: &str, faults: &mut Faults) -> Option<Text<'t>> {
    string(table.get(key)?, faults)
}

fn flag(table: Table, key: &str, faults: &mut Faults) -> Option<bool> {
    boolean(table.get(key)?, faults)
}

fn choice<T: Copy>(table: Table, key: &str, words: &[(&str, T)], faults: &mut Faults) -> Option<T> {
    word(&text(table, key, faults)?, words, faults)
}

fn choices<T: Copy>(table: Table, key: &str, meanings: &[(&str, T)], faults: &mut Faults) -> Option<Vec<T>> {
    words(table.get(key)?, key, meanings, faults)
}

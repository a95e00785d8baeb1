//! Memory of drivers, and what lies in it: which instances there are, and which field each thing is.
//!
//! All of it is known before any call is read, since a call on a thing in a device's memory needs a device.

use super::declare::{Declaration, Declared};
use super::faults::Faults;
use super::names::{Names, Section};
use super::read::{Table, boolean, number, string, word};
use super::suggest::quoted;
use crate::ids::{Cdev, Device, Hook, Instance, Memory, Work, Workqueue};
use crate::world::{
    CdevDecl, Group, Home, HookDecl, InstanceDecl, MemoryDecl, QueueDecl, WorkDecl, WorkKind,
};

const PER: &[(&str, bool)] = &[("device", true), ("once", false)];

const GROUPS: &[(&str, Group)] =
    &[("by-hand", Group::ByHand), ("device", Group::Device), ("bound", Group::Bound)];

/// More instances, or more work items, timers and interrupts of instances, are an error.
const MOST: usize = 64;

/// The first field of what lies in memory: before it are the references.
const FIRST_FIELD: u8 = 1;

/// What lies in memory, or is given an instance of it.
const HOMES: &[(Section, &str)] = &[
    (Section::Mutex, "in"),
    (Section::Flag, "in"),
    (Section::Pointer, "in"),
    (Section::List, "in"),
    (Section::Function, "given"),
    (Section::Work, "in"),
    (Section::Timer, "in"),
    (Section::Irq, "given"),
    (Section::Cdev, "in"),
];

/// What runs when it is queued.
const WORKS: &[(Section, WorkKind)] =
    &[(Section::Work, WorkKind::Work), (Section::Timer, WorkKind::Timer), (Section::Irq, WorkKind::Irq)];

/// The memory of drivers and what lies in it.
#[derive(Default)]
pub(crate) struct Things {
    pub(crate) memories: Vec<MemoryDecl>,
    pub(crate) instances: Vec<InstanceDecl>,
    /// Work items, timers and interrupts, still without their calls, each with its section and its place there.
    pub(crate) works: Vec<(Section, usize, WorkDecl)>,
    /// Attributes and notifiers, still without their calls.
    pub(crate) hooks: Vec<(Section, usize, HookDecl)>,
    /// Workqueues.
    pub(crate) queues: Vec<(usize, QueueDecl)>,
    /// Character devices, still without their calls.
    pub(crate) cdevs: Vec<(usize, CdevDecl)>,
    homes: Vec<(Section, Vec<Option<Home>>)>,
    /// What pointers point to, and what is on lists.
    targets: Vec<(Section, Vec<Memory>)>,
}

impl Things {
    /// Reads what is declared.
    pub(crate) fn read(declared: &Declared, names: &Names, faults: &mut Faults) -> Self {
        let mut things = Things::default();
        let devices: Vec<&str> = declared.of(Section::Device).iter().map(|device| device.name).collect();
        for (memory, index) in declared.of(Section::Memory).iter().zip(0..) {
            things.add_memory(memory, Memory(index), &devices, faults);
        }
        if things.instances.len() > MOST
            && let Some(memory) = declared.of(Section::Memory).first()
        {
            let message = format!("more than {MOST} instances of memory");
            faults.add(
                memory.name_span.clone(),
                message,
                Some("give \"instances\" a smaller number".to_owned()),
            );
            things.instances.truncate(MOST);
        }
        let mut fields = vec![FIRST_FIELD; things.memories.len()];
        for (section, key) in HOMES {
            let those = declared.of(*section).iter();
            let homes = those.map(|it| home(it.table, key, &mut fields, names, faults)).collect();
            things.homes.push((*section, homes));
        }
        for (section, key) in [(Section::Pointer, "to"), (Section::List, "of")] {
            let those = declared.of(section).iter();
            let targets = those.map(|it| target(it, key, names, faults)).collect();
            things.targets.push((section, targets));
        }
        things.add_queues(declared.of(Section::Workqueue), &devices, faults);
        for (section, kind) in WORKS {
            things.add_works(*section, *kind, declared.of(*section), names, faults);
        }
        for (section, of) in [(Section::Attribute, "/"), (Section::Notifier, ".")] {
            things.add_hooks(section, of, declared.of(section), &devices, faults);
        }
        things.add_cdevs(declared.of(Section::Cdev), &devices, faults);
        things
    }

    fn add_queues(&mut self, those: &[Declaration], devices: &[&str], faults: &mut Faults) {
        for (index, declared) in those.iter().enumerate() {
            let per_device = per_device(declared, faults);
            let ordered =
                declared.table.get("ordered").and_then(|value| boolean(value, faults)).unwrap_or(false);
            let first = Workqueue(self.queues.len().min(MOST) as u8);
            for dev in owners(per_device, devices) {
                let name = match dev {
                    Some(dev) if devices.len() > 1 => format!("{}.{}", devices[dev.index()], declared.name),
                    _ => declared.name.to_owned(),
                };
                let (allocated, destroyed, drained) = (false, false, false);
                self.queues
                    .push((index, QueueDecl { name, first, dev, ordered, allocated, destroyed, drained }));
            }
            if self.queues.len() > MOST {
                let message = format!("more than {MOST} workqueues of all devices");
                faults.add(declared.name_span.clone(), message, None);
                self.queues.truncate(MOST);
            }
        }
    }

    /// The first of the workqueues that a work item names.
    fn queue_of(
        &self,
        declared: &Declaration,
        home: Option<Home>,
        names: &Names,
        faults: &mut Faults,
    ) -> Option<Workqueue> {
        let text = string(declared.table.get("queue")?, faults)?;
        let index = names.find(Section::Workqueue, text.value, text.inside(), faults)?;
        let (_, queue) = self.queues.iter().find(|(at, _)| *at == usize::from(index))?;
        if queue.dev.is_some() && !home.is_some_and(|home| self.per_device(home.memory)) {
            let message = "a workqueue of each device is for work items that lie in memory of each device";
            faults.add(text.inside(), message, Some("add per = \"once\" to the workqueue".to_owned()));
            return None;
        }
        for key in ["runs", "delayed"].into_iter().filter(|_| queue.ordered) {
            if let Some(value) = declared.table.get(key) {
                let message =
                    format!("{key:?} does not go with an ordered workqueue, which has one worker for all");
                faults.add(value.span(), message, None);
            }
        }
        Some(queue.first)
    }

    fn add_hooks(
        &mut self,
        section: Section,
        of: &str,
        those: &[Declaration],
        devices: &[&str],
        faults: &mut Faults,
    ) {
        for (index, declared) in those.iter().enumerate() {
            let per_device = per_device(declared, faults);
            let group = declared.table.get("group").and_then(|value| string(value, faults));
            let group_of =
                group.as_ref().and_then(|text| word(text, GROUPS, faults)).unwrap_or(Group::ByHand);
            if let Some(text) = group.filter(|_| !per_device && group_of != Group::ByHand) {
                faults.add(text.inside(), "what is there once comes with no device", None);
            }
            let first = Hook(self.hooks.len().min(MOST) as u8);
            for dev in owners(per_device, devices) {
                let name = match dev {
                    Some(dev) => format!("{}{of}{}", devices[dev.index()], declared.name),
                    None => declared.name.to_owned(),
                };
                let decl = HookDecl { name, first, dev, group: group_of, bodies: Vec::new() };
                self.hooks.push((section, index, decl));
            }
            if self.hooks.len() > MOST {
                let message = format!("more than {MOST} attributes and notifiers of all devices");
                faults.add(declared.name_span.clone(), message, None);
                self.hooks.truncate(MOST);
            }
        }
    }

    fn add_cdevs(&mut self, those: &[Declaration], devices: &[&str], faults: &mut Faults) {
        for (index, declared) in those.iter().enumerate() {
            let Some(home) = self.home(Section::Cdev, index) else {
                if declared.table.get("in").is_none() {
                    let help = "add in = \"...\" with the name of the [memory.*] in which it lies";
                    faults.add(declared.name_span.clone(), "\"in\" is missing", Some(help.to_owned()));
                }
                continue;
            };
            let holds = declared.table.get("holds").and_then(|value| boolean(value, faults)).unwrap_or(false);
            let first = Cdev(self.cdevs.len().min(MOST) as u8);
            for dev in owners(self.per_device(home.memory), devices) {
                let name = match dev {
                    Some(dev) if devices.len() > 1 => format!("{}.{}", devices[dev.index()], declared.name),
                    _ => declared.name.to_owned(),
                };
                let (memory, none) = (home.memory, Vec::new);
                let decl = CdevDecl {
                    name,
                    first,
                    dev,
                    memory,
                    holds,
                    open: none(),
                    ioctl: none(),
                    release: none(),
                };
                self.cdevs.push((index, decl));
            }
            if self.cdevs.len() > MOST {
                let message = format!("more than {MOST} character devices of all devices");
                faults.add(declared.name_span.clone(), message, None);
                self.cdevs.truncate(MOST);
            }
        }
    }

    fn add_memory(&mut self, declared: &Declaration, id: Memory, devices: &[&str], faults: &mut Faults) {
        let per_device = per_device(declared, faults);
        let count = declared.table.get("instances");
        let count = count.and_then(|value| number(value, "instances", (1, 16), faults)).unwrap_or(2);
        for dev in owners(per_device, devices) {
            for earlier in 0..count {
                let of = match dev {
                    Some(dev) if devices.len() > 1 => format!("{}.{}", devices[dev.index()], declared.name),
                    _ => declared.name.to_owned(),
                };
                let name = if earlier == 0 { of } else { format!("{of}#{}", earlier + 1) };
                self.instances.push(InstanceDecl { name, memory: id, dev, earlier });
            }
        }
        self.memories.push(MemoryDecl { name: declared.name.to_owned(), per_device, release: None });
    }

    fn add_works(
        &mut self,
        section: Section,
        kind: WorkKind,
        those: &[Declaration],
        names: &Names,
        faults: &mut Faults,
    ) {
        for (index, declared) in those.iter().enumerate() {
            let runs = declared.table.get("runs");
            let runs = runs.and_then(|value| number(value, "runs", (1, 16), faults));
            // A device that interrupts for ever is no scenario.
            let runs = if kind == WorkKind::Irq { runs.or(Some(1)) } else { runs };
            let first = Work(self.works.len().min(MOST) as u8);
            let home = self.home(section, index);
            let first_queue = self.queue_of(declared, home, names, faults);
            let delayed = declared.table.get("delayed");
            if let Some(value) = delayed.filter(|_| declared.table.get("queue").is_none()) {
                let message = "without \"queue\" every work item may be delayed";
                faults.add(value.span(), message, None);
            }
            let delayed = delayed.and_then(|value| boolean(value, faults)).unwrap_or(false);
            // Who flushes a workqueue looks at all its items, so they are no fields.
            let is_field = kind != WorkKind::Irq && first_queue.is_none();
            let field = home.map(|home| home.field).filter(|_| is_field);
            let here =
                |id: &Instance| home.is_some_and(|home| self.instances[id.index()].memory == home.memory);
            let data: Vec<Option<Instance>> = match home {
                Some(_) => (0..self.instances.len() as u8).map(Instance).filter(here).map(Some).collect(),
                None => vec![None],
            };
            for data in data {
                let name = match data {
                    Some(data) => format!("{}.{}", self.instances[data.index()].name, declared.name),
                    None => declared.name.to_owned(),
                };
                let dev = data.and_then(|data| self.instances[data.index()].dev);
                let queue = first_queue.map(|first| self.queue_for(first, dev));
                let (module, run) = (None, Vec::new());
                let decl = WorkDecl { name, kind, first, data, field, queue, delayed, runs, module, run };
                self.works.push((section, index, decl));
            }
            if self.works.len() > MOST {
                let message = format!("more than {MOST} work items, timers and interrupts in all instances");
                faults.add(declared.name_span.clone(), message, None);
                self.works.truncate(MOST);
            }
        }
    }

    /// The workqueue of a device, or of all.
    fn queue_for(&self, first: Workqueue, dev: Option<Device>) -> Workqueue {
        let of_dev =
            |(_, decl): &(usize, QueueDecl)| decl.first == first && (decl.dev.is_none() || decl.dev == dev);
        Workqueue(self.queues.iter().position(of_dev).unwrap_or(first.index()) as u8)
    }

    /// Where something lies in memory, or of what it is given an instance.
    pub(crate) fn home(&self, section: Section, index: usize) -> Option<Home> {
        self.homes.iter().find(|(other, _)| *other == section).and_then(|(_, homes)| *homes.get(index)?)
    }

    /// What a pointer points to, and what is on a list.
    pub(crate) fn target(&self, section: Section, index: usize) -> Option<Memory> {
        self.targets.iter().find(|(other, _)| *other == section).map(|(_, all)| all[index])
    }

    /// The memory that a call on this needs to find.
    pub(crate) fn memory_of(&self, section: Section, index: u8) -> Option<Memory> {
        match section {
            Section::Memory => Some(Memory(index)),
            _ => self.home(section, usize::from(index)).map(|home| home.memory),
        }
    }

    /// Whether each device has its own of some memory.
    pub(crate) fn per_device(&self, memory: Memory) -> bool {
        self.memories[memory.index()].per_device
    }

    /// Whether an attribute, a notifier or a workqueue is of each device.
    pub(crate) fn is_of_devices(&self, section: Section, index: u8) -> bool {
        if section == Section::Workqueue {
            let queues = &self.queues;
            return queues.iter().any(|(at, decl)| *at == usize::from(index) && decl.dev.is_some());
        }
        let is = |(of, at, decl): &(Section, usize, HookDecl)| {
            (*of, *at) == (section, usize::from(index)) && decl.dev.is_some()
        };
        self.hooks.iter().any(is)
    }

    /// What a name's index is in a call: of what is there several times the number of the first.
    pub(crate) fn number(&self, section: Section, index: u8) -> u8 {
        let hook = self.hooks.iter().find(|(of, at, _)| (*of, *at) == (section, usize::from(index)));
        if let Some((_, _, decl)) = hook {
            return decl.first.0;
        }
        if section == Section::Cdev {
            let cdev = self.cdevs.iter().find(|(at, _)| *at == usize::from(index));
            return cdev.map_or(0, |(_, decl)| decl.first.0);
        }
        if section == Section::Workqueue {
            let queue = self.queues.iter().find(|(at, _)| *at == usize::from(index));
            return queue.map_or(0, |(_, decl)| decl.first.0);
        }
        let first = self.works.iter().find(|(of, at, _)| (*of, *at) == (section, usize::from(index)));
        first.map_or(index, |(_, _, decl)| decl.first.0)
    }
}

/// Whether each device has one of what is declared.
fn per_device(declared: &Declaration, faults: &mut Faults) -> bool {
    let per = declared.table.get("per").and_then(|value| string(value, faults));
    per.and_then(|text| word(&text, PER, faults)).unwrap_or(true)
}

/// Those who each have one.
fn owners(per_device: bool, devices: &[&str]) -> Vec<Option<Device>> {
    match per_device {
        true => (0..devices.len() as u8).map(|dev| Some(Device(dev))).collect(),
        false => vec![None],
    }
}

fn home(table: Table, key: &str, fields: &mut [u8], names: &Names, faults: &mut Faults) -> Option<Home> {
    let text = string(table.get(key)?, faults)?;
    let memory = Memory(names.find(Section::Memory, text.value, text.inside(), faults)?);
    let field = &mut fields[memory.index()];
    let Some(next) = field.checked_add(1) else {
        faults.add(text.inside(), format!("too much lies in {}", quoted(text.value)), None);
        return None;
    };
    Some(Home { memory, field: std::mem::replace(field, next) })
}

/// The memory that a key must name.
fn target(declared: &Declaration, key: &str, names: &Names, faults: &mut Faults) -> Memory {
    let Some(value) = declared.table.get(key) else {
        let help = format!("add {key} = \"...\" with the name of a [memory.*]");
        faults.add(declared.name_span.clone(), format!("{key:?} is missing"), Some(help));
        return Memory(0);
    };
    let memory = string(value, faults);
    let memory = memory.and_then(|text| names.find(Section::Memory, text.value, text.inside(), faults));
    memory.map_or(Memory(0), Memory)
}

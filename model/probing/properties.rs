//! The properties of probing (docs/hazards.md), checked at events and at quiescence.
//!
//! The checks keep *ghosts*: values that model code never reads. They are part of the state; see
//! `ghosts` for the list. A bus without autoprobe owes no probe when a device or driver is published.

use super::barrier;
use super::call::{Call, KernelCall};
use super::events::{Event, ProbeError};
use super::ghosts::{NOT_OWED, OWED, OWED_BITS, OWED_WITH, covered_run, owed};
use super::hazards::{Breach, Leak};
use super::ids::{Bus, Device, Driver, Instance, Link, Resource, Work, Workqueue};
use super::links::{GONE, MADE, Status};
use super::objects::{Core, DRIVER, Private, TICKETS};
use super::subject::Item;
use super::world::{Match, World};
use raddle_checker::machine::hazard::Hazard;
use raddle_checker::machine::klist;
use raddle_checker::machine::layout::{ALIVE, Cell, CellId, Layout, Part};
use raddle_checker::machine::op::Touch;
use raddle_checker::machine::step::{Bound, Stop};
use raddle_checker::machine::value::{Object, Obs};

/// A world's checks.
pub struct Checks<'a> {
    /// What the scenario declares.
    pub world: &'a World,
    /// The layout of memory.
    pub layout: &'a Layout,
    /// The work items with workers of their own.
    pub items: &'a [Item],
}

/// Memory, with the names of its cells.
pub struct View<'a> {
    layout: &'a Layout,
    memory: &'a mut [u8],
    /// What may be touched and how, if it matters; looked at in debug builds only.
    allowed: Option<Vec<(CellId, Part, Touch)>>,
}

impl View<'_> {
    fn place<T>(&self, cell: Cell<T>, part: Part, may: impl Fn(Touch) -> bool) -> std::ops::Range<usize> {
        self.place_of(self.layout.find(cell), part, may)
    }

    /// Where a cell is; all that is read and written passes here.
    fn place_of(&self, id: CellId, part: Part, may: impl Fn(Touch) -> bool) -> std::ops::Range<usize> {
        let is_allowed = |allowed: &Vec<(CellId, Part, Touch)>| {
            let mut those = allowed.iter().filter(|(other, ..)| *other == id);
            those.any(|(_, within, touch)| (*within == Part::Whole || *within == part) && may(*touch))
        };
        debug_assert!(
            self.allowed.as_ref().is_none_or(is_allowed),
            "internal: a check touches {}, which its event's touches leave out",
            self.layout.info(id).name
        );
        self.layout.info(id).range()
    }

    /// The first byte of a cell.
    #[must_use]
    pub fn byte<T>(&self, cell: Cell<T>) -> u8 {
        self.read(cell)[0]
    }

    /// The bytes of a cell, to be read.
    #[must_use]
    pub fn read<T>(&self, cell: Cell<T>) -> &[u8] {
        &self.memory[self.place(cell, Part::Whole, Touch::sees)]
    }

    /// The bytes of a cell, to be read and written.
    pub fn bytes<T>(&mut self, cell: Cell<T>) -> &mut [u8] {
        let place = self.place(cell, Part::Whole, |touch| touch == Touch::Write);
        &mut self.memory[place]
    }

    /// Writes the first byte of a cell.
    pub fn set<T>(&mut self, cell: Cell<T>, byte: u8) {
        let may = |touch| matches!(touch, Touch::Put | Touch::Write) || touch == Touch::Same(byte);
        let place = self.place(cell, Part::Whole, may);
        self.memory[place.start] = byte;
    }

    /// The first byte of a cell by its number.
    fn byte_of(&self, cell: CellId) -> u8 {
        self.memory[self.place_of(cell, Part::Whole, Touch::sees).start]
    }

    /// Whether an object is there and may be used.
    fn is_alive(&self, object: Object) -> bool {
        self.layout.object(object).liveness.is_none_or(|liveness| self.byte_of(liveness) == ALIVE)
    }

    fn on_klist<T>(&self, klist: Cell<T>, index: u8) -> bool {
        klist::contains(&self.memory[self.place(klist, Part::Node(index), Touch::sees)], index)
    }
}

impl Checks<'_> {
    /// All devices.
    pub fn devices(&self) -> impl Iterator<Item = Device> + use<> {
        (0..self.world.devices.len() as u8).map(Device)
    }

    /// All drivers.
    pub fn drivers(&self) -> impl Iterator<Item = Driver> + use<> {
        (0..self.world.drivers.len() as u8).map(Driver)
    }

    /// All work items of the scenario.
    pub fn works(&self) -> impl Iterator<Item = Work> + use<> {
        (0..self.world.works.len() as u8).map(Work)
    }

    fn bus_of(&self, dev: Device) -> Bus {
        self.world.devices[dev.index()].bus
    }

    /// The drivers on a device's bus.
    fn drivers_of(&self, dev: Device) -> impl Iterator<Item = Driver> {
        let bus = self.bus_of(dev);
        self.drivers().filter(move |drv| self.world.drivers[drv.index()].bus == bus)
    }

    /// The devices on a driver's bus.
    fn devices_of(&self, drv: Driver) -> impl Iterator<Item = Device> {
        let bus = self.world.drivers[drv.index()].bus;
        self.devices().filter(move |dev| self.bus_of(*dev) == bus)
    }

    fn matches(&self, dev: Device, drv: Driver) -> bool {
        self.world.drivers[drv.index()].matches[dev.index()] == Match::Yes
    }

    /// Whether a match may ever say yes.
    fn may_match(&self, dev: Device, drv: Driver) -> bool {
        self.matches(dev, drv) || self.world.override_of(dev, drv).is_some()
    }

    pub(super) fn broken(&self, breach: Breach) -> Result<(), Stop> {
        Err(breach.hazard(self).into())
    }

    /// The name of an object.
    #[must_use]
    pub fn name(&self, object: Object) -> &str {
        &self.layout.object(object).name
    }

    /// Whether the scenario may ever owe a device a probe by a driver that is on its bus.
    fn may_owe(&self, dev: Device, drv: Driver) -> bool {
        self.world.buses[usize::from(self.bus_of(dev).0)].autoprobe && self.matches(dev, drv)
    }

    /// The resources that a driver's probe looks for, each once.
    fn required(&self, drv: Driver) -> impl Iterator<Item = Resource> {
        let run = &self.world.drivers[drv.index()].probe.run;
        run.iter().enumerate().filter_map(|(at, call)| match call {
            Call::Require(resource) if !run[..at].contains(call) => Some(*resource),
            _ => None,
        })
    }

    /// Whether what is owed to a driver is a bit each.
    fn owes_bits(&self, drv: Driver) -> bool {
        self.required(drv).count() <= OWED_BITS
    }

    /// What is owed once a resource is present: nothing to a driver whose probe does not look for it.
    fn owed_with(&self, drv: Driver, resource: Resource) -> u8 {
        match self.required(drv).position(|other| other == resource) {
            None => NOT_OWED,
            Some(place) if self.owes_bits(drv) => OWED_WITH << place,
            Some(place) => OWED_WITH + place as u8,
        }
    }

    /// What is owed to a driver: a probe at once, or once a resource is present.
    fn what_is_owed(&self, drv: Driver, byte: u8) -> impl Iterator<Item = Option<Resource>> {
        let bits = self.owes_bits(drv);
        let all = std::iter::once((OWED, None));
        let all = all.chain(self.required(drv).map(move |with| (self.owed_with(drv, with), Some(with))));
        let owes = move |what: u8| if bits { byte & what != 0 } else { byte == what };
        all.filter(move |(what, _)| owes(*what)).map(|(_, with)| with)
    }

    /// As [`Program::facts`](raddle_checker::machine::program::Program::facts): what is owed.
    pub fn facts(&self) -> Vec<CellId> {
        let drivers = self.drivers().filter(|drv| self.owes_bits(*drv));
        let owes = |drv| self.devices_of(drv).map(move |dev| self.layout.find(owed(dev, drv)));
        drivers.flat_map(owes).collect()
    }

    /// What an event's checks touch, and how; [`check`](Checks::check) touches nothing else.
    pub fn touches(&self, event: Event) -> Vec<(CellId, Part, Touch)> {
        use Touch::{Put, Read, Same, Write};
        let layout = self.layout;
        let mut touches: Vec<(CellId, Part, Touch)> = Vec::new();
        let find = |cell: Cell<bool>| layout.find(cell);
        let owes = |dev: Device, drv: Driver| layout.find(owed(dev, drv));
        let mut nodes: Vec<(CellId, Part, Touch)> = Vec::new();
        let mut add = |cell: CellId, how: Touch| touches.push((cell, Part::Whole, how));
        match event {
            Event::DriverPublished(drv) => {
                if !self.world.environment.contract_kept {
                    add(find(drv.unregistered()), Same(0));
                }
                for dev in self.devices_of(drv).filter(|dev| self.may_owe(*dev, drv)) {
                    add(owes(dev, drv), Same(OWED));
                    nodes.push((layout.find(self.bus_of(dev).klist_devices()), Part::Node(dev.0), Read));
                }
            }
            Event::UnregisterBegins(drv) => add(find(drv.unregistered()), Write),
            Event::DeleteBegins(dev) => add(find(dev.deleted()), Write),
            Event::DriverUnpublished(drv) => {
                self.devices_of(drv).for_each(|dev| add(owes(dev, drv), Same(NOT_OWED)));
            }
            Event::DevicePublished(dev) => {
                if !self.world.environment.contract_kept {
                    add(find(dev.deleted()), Same(0));
                }
                add(find(dev.release_passed()), Same(0));
                add(find(dev.deferred_passed()), Same(0));
                for drv in self.drivers_of(dev).filter(|drv| self.may_owe(dev, *drv)) {
                    add(owes(dev, drv), Same(OWED));
                    nodes.push((layout.find(self.bus_of(dev).klist_drivers()), Part::Node(drv.0), Read));
                }
            }
            Event::DeviceUnpublished(dev) | Event::Released(dev, _) => {
                self.drivers_of(dev).for_each(|drv| add(owes(dev, drv), Same(NOT_OWED)));
            }
            Event::Bound(dev, _) => {
                add(find(dev.release_passed()), Read);
                add(find(dev.probing()), Same(0));
                add(layout.find(dev.covered_probe()), Same(0));
                add(layout.find(dev.driver()), Read);
                add(layout.find(dev.probed_by()), Put);
            }
            Event::ProbeEntered(dev, drv, _) | Event::BindProbeEntered(dev, drv, _) => {
                let barred = matches!(event, Event::ProbeEntered(..));
                add(layout.find(dev.probed_by()), Read);
                if barred {
                    add(find(Core.probing_blocked()), Read);
                }
                add(owes(dev, drv), Same(NOT_OWED));
                add(find(dev.probing()), Same(u8::from(barred)));
            }
            Event::ProbeFailed(dev, drv, error) => {
                add(find(dev.probing()), Same(0));
                add(layout.find(dev.covered_probe()), Same(0));
                add(layout.find(dev.probed_by()), Same(0));
                if let ProbeError::Missed(resource) = error {
                    add(owes(dev, drv), Same(self.owed_with(drv, resource)));
                }
            }
            Event::RemoveEntered(dev, ..) => add(layout.find(dev.probed_by()), Write),
            Event::ReleasePassed(dev, deleting) => {
                if deleting {
                    add(find(dev.release_passed()), Same(1));
                }
            }
            Event::DeferredAdd(dev) => add(find(dev.deferred_passed()), Read),
            Event::DeferredDel(dev, deleting) => {
                add(layout.find(dev.covered_active()), Same(0));
                if deleting {
                    add(find(dev.deferred_passed()), Same(1));
                }
            }
            Event::DeferredTaken => add(layout.find(Core.deferred_current()), Put),
            Event::DeferredDone(dev) => {
                add(layout.find(Core.deferred_current()), Same(0));
                add(layout.find(dev.covered_active()), Same(0));
            }
            Event::AttachDone(of) => add(layout.find(covered_run(of)), Same(0)),
            Event::BarrierBegins | Event::BarrierEnds => barrier::touches(self, &mut add),
            Event::LoadBegins(module) => barrier::load_begin_touches(self, module, &mut add),
            Event::LoadEnds(module) => barrier::load_end_touches(self, module, &mut add),
            Event::ProbingBlocked => self.devices().for_each(|dev| add(find(dev.probing()), Read)),
            Event::CallPuts(dev) => {
                add(find(dev.created()), Write);
                add(layout.find(dev.extra_refs()), Write);
            }
            Event::Warn(_) | Event::NoTicket(_) | Event::DrvdataRead(_) | Event::DrvdataAsDriver(_) => {}
        }
        touches.extend(nodes);
        touches
    }

    /// Checks an event and keeps the ghosts.
    ///
    /// # Errors
    ///
    /// The hazard that it is, or what the ghosts have no room for.
    pub fn check(&self, event: Event, slot: usize, observed: Obs, memory: &mut [u8]) -> Result<(), Stop> {
        let allowed = if cfg!(debug_assertions) { self.touches(event) } else { Vec::new() };
        let mut view = View { layout: self.layout, memory, allowed: Some(allowed) };
        match event {
            Event::Warn(object) => {
                return self.broken(Breach::Warns(object));
            }
            Event::UnregisterBegins(drv) => {
                self.once(&mut view, drv.unregistered(), Breach::UnregistersTwice(drv))?;
            }
            Event::DeleteBegins(dev) => self.once(&mut view, dev.deleted(), Breach::DeletesTwice(dev))?,
            Event::DriverPublished(drv) => {
                if !self.world.environment.contract_kept {
                    view.set(drv.unregistered(), 0);
                }
                let bus = self.world.drivers[drv.index()].bus;
                for dev in self.devices_of(drv).filter(|dev| self.may_owe(*dev, drv)) {
                    if view.on_klist(bus.klist_devices(), dev.0) {
                        view.set(owed(dev, drv), OWED);
                    }
                }
            }
            Event::DriverUnpublished(drv) => {
                self.devices_of(drv).for_each(|dev| view.set(owed(dev, drv), NOT_OWED));
            }
            Event::DevicePublished(dev) => {
                if !self.world.environment.contract_kept {
                    view.set(dev.deleted(), 0);
                }
                view.set(dev.release_passed(), 0);
                view.set(dev.deferred_passed(), 0);
                for drv in self.drivers_of(dev).filter(|drv| self.may_owe(dev, *drv)) {
                    if view.on_klist(self.bus_of(dev).klist_drivers(), drv.0) {
                        view.set(owed(dev, drv), OWED);
                    }
                }
            }
            Event::DeviceUnpublished(dev) | Event::Released(dev, _) => self.settle(&mut view, dev),
            Event::ProbeEntered(dev, drv, scheduled) => {
                self.probe_entered(&mut view, dev, drv, scheduled, true)?;
            }
            Event::BindProbeEntered(dev, drv, scheduled) => {
                self.probe_entered(&mut view, dev, drv, scheduled, false)?;
            }
            Event::ProbeFailed(dev, drv, error) => {
                view.set(dev.probing(), 0);
                view.set(dev.covered_probe(), 0);
                view.set(dev.probed_by(), 0);
                if let ProbeError::Missed(resource) = error {
                    view.set(owed(dev, drv), self.owed_with(drv, resource));
                }
            }
            Event::Bound(dev, _) => self.bound(&mut view, dev)?,
            Event::RemoveEntered(dev, drv, named) => {
                self.remove_entered(&mut view, dev, drv, named)?;
            }
            Event::ReleasePassed(dev, deleting) => {
                if deleting {
                    view.set(dev.release_passed(), 1);
                }
            }
            Event::DeferredDel(dev, deleting) => {
                view.set(dev.covered_active(), 0);
                if deleting {
                    view.set(dev.deferred_passed(), 1);
                }
            }
            Event::DeferredTaken => {
                let cell = self.layout.find(Core.deferred_current());
                let taken = self.layout.encode(cell, observed);
                view.set(Core.deferred_current(), taken);
            }
            Event::DeferredDone(dev) => {
                view.set(Core.deferred_current(), 0);
                view.set(dev.covered_active(), 0);
            }
            Event::AttachDone(of) => view.set(covered_run(of), 0),
            Event::BarrierBegins => barrier::begin(self, &mut view, slot)?,
            Event::NoTicket(module) => {
                return Err(Bound::Cell(self.layout.find(module.ticket(TICKETS - 1))).into());
            }
            Event::LoadBegins(module) => {
                if matches!(observed, Obs::Holds(_)) {
                    barrier::load_begins(self, &mut view, module);
                }
            }
            Event::LoadEnds(module) => barrier::load_ends(self, &view, module)?,
            Event::BarrierEnds => barrier::end(self, &mut view, slot)?,
            Event::DeferredAdd(dev) => {
                if view.byte(dev.deferred_passed()) != 0 {
                    return self.broken(Breach::DeferredAfterDel(dev));
                }
            }
            Event::DrvdataRead(dev) => {
                if let Obs::Id(object) = observed
                    && object.sort == DRIVER
                {
                    return self.broken(Breach::ReadsStash(dev, object));
                }
            }
            Event::DrvdataAsDriver(dev) => {
                return self.broken(Breach::TakesDrvdataForDriver(dev));
            }
            Event::ProbingBlocked => {
                if let Some(dev) = self.devices().find(|dev| view.byte(dev.probing()) != 0) {
                    return self.broken(Breach::BlockedTooEarly(dev));
                }
            }
            Event::CallPuts(dev) => match view.byte(dev.extra_refs()) {
                0 => view.set(dev.created(), 0),
                n => view.set(dev.extra_refs(), n - 1),
            },
        }
        Ok(())
    }

    /// Something that is undone is undone once.
    fn once(&self, view: &mut View<'_>, done: Cell<bool>, twice: Breach) -> Result<(), Stop> {
        if view.byte(done) != 0 {
            return self.broken(twice);
        }
        view.set(done, 1);
        Ok(())
    }

    /// A device is released or removed: nobody owes it a probe. (While it is bound it does not matter what is owed.)
    fn settle(&self, view: &mut View<'_>, dev: Device) {
        self.drivers_of(dev).for_each(|drv| view.set(owed(dev, drv), NOT_OWED));
    }

    fn probe_entered(
        &self,
        view: &mut View<'_>,
        dev: Device,
        drv: Driver,
        scheduled: Option<Driver>,
        barred: bool,
    ) -> Result<(), Stop> {
        if !self.may_match(dev, drv) {
            return self.broken(Breach::ProbesWithoutMatch(dev, drv));
        }
        if let Some(scheduled) = scheduled.filter(|scheduled| *scheduled != drv) {
            return self.broken(Breach::ProbesForAnother(dev, drv, scheduled));
        }
        if view.byte(dev.probed_by()) != 0 {
            return self.broken(Breach::ProbesTwice(dev, drv));
        }
        if barred && view.byte(Core.probing_blocked()) != 0 {
            return self.broken(Breach::ProbesWhileBlocked(dev, drv));
        }
        view.set(owed(dev, drv), NOT_OWED);
        view.set(dev.probing(), u8::from(barred));
        Ok(())
    }

    fn bound(&self, view: &mut View<'_>, dev: Device) -> Result<(), Stop> {
        if view.byte(dev.release_passed()) != 0 {
            return self.broken(Breach::BoundAfterRelease(dev));
        }
        view.set(dev.probing(), 0);
        view.set(dev.covered_probe(), 0);
        let bound = view.byte(dev.driver());
        view.set(dev.probed_by(), bound);
        Ok(())
    }

    fn remove_entered(
        &self,
        view: &mut View<'_>,
        dev: Device,
        drv: Driver,
        named: Option<Driver>,
    ) -> Result<(), Stop> {
        if let Some(named) = named.filter(|named| *named != drv) {
            return self.broken(Breach::RemovesAnother(dev, drv, named));
        }
        if view.byte(dev.probed_by()) == 0 {
            return self.broken(Breach::RemovesUnprobed(dev, drv));
        }
        view.set(dev.probed_by(), 0);
        Ok(())
    }

    /// What [`at_quiescence`](Checks::at_quiescence) reads.
    pub fn seen_at_rest(&self) -> Vec<(CellId, Part)> {
        let layout = self.layout;
        let whole = |cell: CellId| (cell, Part::Whole);
        let mut seen: Vec<(CellId, Part)> = layout.locks().iter().copied().map(whole).collect();
        let liveness = |object: Object| layout.object(object).liveness.map(whole);
        for dev in self.devices() {
            seen.push((layout.find(self.bus_of(dev).klist_devices()), Part::Node(dev.0)));
            let flags = [dev.registered(), dev.holds_parent(), dev.on_parent(), dev.created()];
            seen.extend(flags.map(|flag| whole(layout.find(flag))));
            seen.extend([dev.refs(), dev.extra_refs()].map(|count| whole(layout.find(count))));
            seen.push(whole(layout.find(dev.driver())));
            if self.counts_users() {
                seen.push(whole(layout.find(dev.usage_count())));
            }
            seen.extend(liveness(dev.object()));
            let owes = self.drivers_of(dev).filter(|drv| self.matches(dev, *drv));
            seen.extend(owes.map(|drv| whole(layout.find(owed(dev, drv)))));
        }
        for drv in self.drivers() {
            let private = Private(drv.0);
            let bus = self.world.drivers[drv.index()].bus;
            seen.push((layout.find(bus.klist_drivers()), Part::Node(drv.0)));
            seen.push(whole(layout.find(private.refs())));
            seen.extend(liveness(private.object()));
        }
        let links = (0..self.world.links.len() as u8).map(Link);
        seen.extend(
            links.flat_map(|link| [whole(layout.find(link.status())), whole(layout.find(link.life()))]),
        );
        seen.extend(self.memory_of_devices().flat_map(|(memory, _)| liveness(memory)));
        seen.extend((0..self.world.buses.len() as u8).map(|bus| whole(layout.find(Bus(bus).refs()))));
        let resources = (0..self.world.resources.len() as u8).map(Resource);
        seen.extend(resources.map(|resource| whole(layout.find(resource.present()))));
        seen.push(whole(layout.find(Core.probing_blocked())));
        seen.push(whole(layout.find(Core.probe_count())));
        seen
    }

    /// Checks a state in which nothing can happen any more.
    pub fn at_quiescence(&self, memory: &[u8]) -> Vec<Hazard> {
        let mut memory = memory.to_vec();
        let read = |(cell, part)| (cell, part, Touch::Read);
        let allowed =
            cfg!(debug_assertions).then(|| self.seen_at_rest().into_iter().map(read).collect::<Vec<_>>());
        let view = &View { layout: self.layout, memory: &mut memory, allowed };
        let mut hazards = Vec::new();
        for lock in self.layout.locks() {
            if view.byte_of(*lock) != 0 {
                hazards.push(Breach::HeldAtRest(*lock).hazard(self));
            }
        }
        for dev in self.devices() {
            hazards.extend(self.lost_probes(view, dev));
            hazards.extend(self.device_leak(view, dev));
            hazards.extend(self.usage_leak(view, dev));
        }
        for drv in self.drivers() {
            hazards.extend(self.driver_leak(view, drv));
        }
        for bus in (0..self.world.buses.len() as u8).map(Bus) {
            hazards.extend(self.bus_leak(view, bus));
        }
        hazards.extend(self.memory_leaks(view));
        if view.byte(Core.probe_count()) != 0 {
            hazards.push(self.leak(Core.probe_count(), Leak::NobodyProbes));
        }
        hazards
    }

    /// The memory that each device has of its own, its workqueues too.
    fn memory_of_devices(&self) -> impl Iterator<Item = (Object, Device)> {
        let instances = (0..).map(Instance).zip(&self.world.instances);
        let instances = instances.filter_map(|(instance, decl)| Some((instance.object(), decl.dev?)));
        let queues = (0..).map(Workqueue).zip(&self.world.queues).filter(|(_, decl)| decl.mortal());
        instances.chain(queues.filter_map(|(queue, decl)| Some((queue.object(), decl.dev?))))
    }

    /// Memory of devices that are not bound. What is there once is left alone.
    fn memory_leaks(&self, view: &View<'_>) -> Vec<Hazard> {
        let unbound = |dev: Device| !view.is_alive(dev.object()) || view.byte(dev.driver()) == 0;
        let left = self.memory_of_devices().filter(|(memory, dev)| view.is_alive(*memory) && unbound(*dev));
        left.map(|(memory, dev)| Breach::LeavesMemory(memory, dev).hazard(self)).collect()
    }

    fn lost_probes(&self, view: &View<'_>, dev: Device) -> Vec<Hazard> {
        let there = view.on_klist(self.bus_of(dev).klist_devices(), dev.0);
        let registered = there && view.byte(dev.registered()) != 0;
        // Who writes driver_override asks for a probe by himself.
        let waits = self.world.has_overrides(dev) || self.waits_for_supplier(view, dev);
        if !registered || waits || view.byte(dev.driver()) != 0 || view.byte(Core.probing_blocked()) != 0 {
            return Vec::new();
        }
        let listed = |drv: &Driver| view.on_klist(self.bus_of(dev).klist_drivers(), drv.0);
        let mut lost = Vec::new();
        for drv in self.drivers_of(dev).filter(|drv| self.matches(dev, *drv) && listed(drv)) {
            for what in self.what_is_owed(drv, view.byte(owed(dev, drv))) {
                match what {
                    None => lost.push(Breach::NeverProbed(dev, drv).hazard(self)),
                    Some(resource) if view.byte(resource.present()) != 0 => {
                        lost.push(Breach::StaysDeferred(dev, drv, resource).hazard(self));
                    }
                    Some(_) => {}
                }
            }
        }
        lost
    }

    /// Whether a supplier of a device is not bound, and the link between them is not gone.
    fn waits_for_supplier(&self, view: &View<'_>, dev: Device) -> bool {
        let unbound = |link: Link| {
            let decl = &self.world.links[link.index()];
            let (supplier, status) = (decl.supplier, view.byte(link.status()));
            let gone = match decl.by_call {
                Some(_) => Status::None,
                None => Status::Deleted,
            };
            let there = status != gone as u8 && view.byte(link.life()) != GONE;
            there && (!view.is_alive(supplier.object()) || view.byte(supplier.driver()) == 0)
        };
        self.world.suppliers(dev).any(unbound)
    }

    fn leak<T>(&self, cell: Cell<T>, why: Leak) -> Hazard {
        Breach::Leaks(self.layout.find(cell), why).hazard(self)
    }

    fn device_leak(&self, view: &View<'_>, dev: Device) -> Option<Hazard> {
        if !view.is_alive(dev.object()) {
            return None;
        }
        let is_child = |child: &Device| {
            self.world.devices[child.index()].parent == Some(dev)
                && view.is_alive(child.object())
                && view.byte(child.holds_parent()) != 0
        };
        let children = self.devices().filter(is_child).count();
        let listed = view.on_klist(self.bus_of(dev).klist_devices(), dev.0);
        let links = self.world.suppliers(dev).chain(self.world.consumers(dev));
        let links = links.filter(|link| view.byte(link.life()) == MADE).count();
        let holders = usize::from(view.byte(dev.created()))
            + usize::from(view.byte(dev.extra_refs()))
            + usize::from(view.byte(dev.on_parent()))
            + usize::from(listed)
            + links
            + children;
        if usize::from(view.byte(dev.refs())) > holders {
            return Some(self.leak(dev.refs(), Leak::NotPut));
        }
        if view.byte(dev.created()) == 0 {
            return Some(self.leak(dev.refs(), Leak::CreatorPut));
        }
        None
    }

    /// Whether users of devices, as runtime power management counts them, are to be gone at the end: shutdown and
    /// system suspend leave one on purpose.
    fn counts_users(&self) -> bool {
        let leaves_one =
            |call: &Call| matches!(call, Call::DeviceSuspend(_) | Call::Kernel(KernelCall::DeviceShutdown()));
        self.world.has_runtime_pm() && !self.world.calls().any(leaves_one)
    }

    fn usage_leak(&self, view: &View<'_>, dev: Device) -> Option<Hazard> {
        let leaks = self.counts_users()
            && view.is_alive(dev.object())
            && view.byte(dev.driver()) == 0
            && view.byte(dev.usage_count()) != 0;
        leaks.then(|| self.leak(dev.usage_count(), Leak::Unbound))
    }

    fn driver_leak(&self, view: &View<'_>, drv: Driver) -> Option<Hazard> {
        let private = Private(drv.0);
        let bus = self.world.drivers[drv.index()].bus;
        let listed = view.on_klist(bus.klist_drivers(), drv.0);
        let leaks = view.is_alive(private.object()) && view.byte(private.refs()) > u8::from(listed);
        leaks.then(|| self.leak(private.refs(), Leak::Unregistered))
    }

    fn bus_leak(&self, view: &View<'_>, bus: Bus) -> Option<Hazard> {
        let devices = self.devices().filter(|dev| self.bus_of(*dev) == bus);
        let devices = devices.filter(|dev| view.on_klist(bus.klist_devices(), dev.0)).count();
        let drivers = self.drivers().filter(|drv| self.world.drivers[drv.index()].bus == bus);
        let drivers = drivers.filter(|drv| view.on_klist(bus.klist_drivers(), drv.0)).count();
        let leaks = usize::from(view.byte(bus.refs())) > 1 + devices + drivers;
        leaks.then(|| self.leak(bus.refs(), Leak::NobodyOnBus))
    }
}

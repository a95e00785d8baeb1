//! Device links between consumers and suppliers: what is kept of each link and of each device.

use super::coded::states;
use raddle_checker::machine::value::{Datum, Obs};
use raddle_checker::observe_datum;

/// What becomes of a link's memory, where the subject has it: it is not there yet;
pub const NOT_MADE: u8 = 0;
/// it is there, and holds references on its two devices;
pub const MADE: u8 = 1;
/// it is gone, or could not be made, and is not made any more.
pub const GONE: u8 = 2;

states! {
    /// `enum device_link_state`.
    Status {
        /// There is no link yet.
        None = 0 "none",
        /// The supplier is not bound.
        Dormant = 1 "DORMANT",
        /// The supplier is bound, the consumer is not.
        Available = 2 "AVAILABLE",
        /// The consumer probes.
        ConsumerProbe = 3 "CONSUMER_PROBE",
        /// Both are bound.
        Active = 4 "ACTIVE",
        /// The supplier is being unbound.
        SupplierUnbind = 5 "SUPPLIER_UNBIND",
        /// The link went with one of the two.
        Deleted = 6 "deleted",
    }
    /// `enum dl_dev_state`: what a device's links know of its driver.
    Driving {
        /// It has none.
        NoDriver = 0 "NO_DRIVER",
        /// It probes, or was to probe and was deferred.
        Probing = 1 "PROBING",
        /// It is bound.
        Bound = 2 "DRIVER_BOUND",
        /// It is being unbound.
        Unbinding = 3 "UNBINDING",
    }
}
